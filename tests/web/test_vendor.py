"""The code of others in web/vendor is what its npm package has, byte for byte."""

import hashlib
import re
import tarfile
from pathlib import Path

from tests.support.keys import run, tool
from tests.web.site import WEB

VENDOR = WEB / "vendor"
ROW = re.compile(
    r"^\| `(\w+)` \| .* \| ([\d.]+) \| .* \| `dist/([\w.]+)`, unchanged \| `([0-9a-f]{64})` \|$", re.MULTILINE
)


def test_files_are_those_of_the_npm_package(tmp_path: Path) -> None:
    ((package, version, name, digest),) = ROW.findall((VENDOR / "README.md").read_text())
    assert hashlib.sha256((VENDOR / package / name).read_bytes()).hexdigest() == digest

    run(tool("npm"), "pack", f"{package}@{version}", "--silent", "--pack-destination", tmp_path)

    with tarfile.open(tmp_path / f"{package}-{version}.tgz") as archive:
        for member, ours in ((f"dist/{name}", name), ("LICENSE", "LICENSE")):
            theirs = archive.extractfile(f"package/{member}")
            assert theirs is not None
            assert (VENDOR / package / ours).read_bytes() == theirs.read()


def test_vendor_has_nothing_else() -> None:
    files = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    assert files == {"README.md", "openpgp/LICENSE", "openpgp/openpgp.min.mjs"}
