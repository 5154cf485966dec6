"""Write layers/dependencies/requirements.txt: the pins of requirements.in, each with the SHA-256 of its wheels.

Run it after a pin was changed, with a folder that has the wheels for Python 3.13 on both architectures:
`python tools/pin_hashes.py <folder>`. layers/dependencies/README.md says how to download them.
"""

from __future__ import annotations

import re
import sys
from hashlib import sha256
from pathlib import Path

LAYER = Path(__file__).resolve().parents[1] / "layers/dependencies"
HEAD = "# Written by tools/pin_hashes.py from requirements.in: what `sam build` takes, and nothing else is taken.\n"
# A package, its version, and the marker of the machines that have it, if not all.
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)( ; .+)?$", re.MULTILINE)


def wheels_of(folder: Path, package: str, version: str) -> list[Path]:
    """Return the wheels of a package's version."""
    name = re.sub(r"[-_.]+", "_", package).lower()
    return sorted(wheel for wheel in folder.glob("*.whl") if wheel.name.lower().startswith(f"{name}-{version}-"))


def hashed(folder: Path, text: str) -> str:
    """Return the requirements with their hashes. Raise ValueError if a package has no wheel."""
    lines = [HEAD]
    for package, version, marker in PIN.findall(text):
        digests = [sha256(wheel.read_bytes()).hexdigest() for wheel in wheels_of(folder, package, version)]
        if not digests:
            raise ValueError(f"{folder} has no wheel of {package} {version}. Download it first.")
        lines.append(
            " \\\n    ".join([f"{package}=={version}{marker}", *(f"--hash=sha256:{each}" for each in digests)]) + "\n"
        )
    return "".join(lines)


if __name__ == "__main__":
    (LAYER / "requirements.txt").write_text(hashed(Path(sys.argv[1]), (LAYER / "requirements.in").read_text()))
