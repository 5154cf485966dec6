"""The gnupg layer: the gathered gpg runs from its own folder, and what could not run in Lambda is rejected."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from rie import ROOT

HERE = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]
ELSEWHERE = {"x86_64": "arm64", "arm64": "x86_64"}[HERE]


def gather(layer: Path, gpg: str | Path = "gpg", architecture: str = HERE) -> subprocess.CompletedProcess[str]:
    """Make the layer as `sam build` does."""
    command: list[str | Path] = ["make", "-C", ROOT / "layers/gnupg", "build-GnupgLayer", f"ARTIFACTS_DIR={layer}"]
    command += [f"GPG={gpg}", f"ARCHITECTURE={architecture}", f"PYTHON={sys.executable}"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gnupg")
    made = gather(folder)
    assert made.returncode == 0, made.stderr
    assert "highest glibc 2." in made.stdout
    return folder


@pytest.fixture
def own_gpg(tmp_path: Path) -> Path:
    found = shutil.which("gpg")
    assert found, "There is no gpg on this machine: install gnupg (gpg)."
    return Path(shutil.copy(Path(found).resolve(), tmp_path / "own-gpg"))


def assert_refused(made: subprocess.CompletedProcess[str], layer: Path, *sentence: str) -> None:
    assert made.returncode != 0
    for part in sentence:
        assert part in made.stderr
    assert "Traceback" not in made.stderr
    assert not list(layer.rglob("*"))


def resolved_libraries(layer: Path) -> dict[str, str]:
    """Map each library to the file that the loader uses with Lambda's LD_LIBRARY_PATH."""
    lines = run_in(layer, "ldd", layer / "bin/gpg").splitlines()
    return {words[0]: words[2] for words in map(str.split, lines) if len(words) > 2}


def run_in(layer: Path, *command: str | Path) -> str:
    environment = {"LD_LIBRARY_PATH": str(layer / "lib"), "PATH": os.environ["PATH"]}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_layer_contains_every_library_except_those_of_glibc(layer: Path) -> None:
    outside = {name for name, file in resolved_libraries(layer).items() if not file.startswith(str(layer))}

    assert "libc.so.6" in outside
    assert outside <= {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libresolv.so.2"}
    assert {file.name for file in (layer / "lib").iterdir()} == set(resolved_libraries(layer)) - outside


def test_the_layer_records_the_package_and_digest_of_each_file(layer: Path) -> None:
    record = json.loads((layer / "packages.json").read_text())
    files = {str(file.relative_to(layer)) for part in ("bin", "lib") for file in (layer / part).iterdir()}
    assert set(record) == files
    for name, facts in record.items():
        assert facts["sha256"] == sha256((layer / name).read_bytes()).hexdigest()
    if shutil.which("dpkg"):
        installed = run_in(layer, "dpkg-query", "-W", "-f", "${Version}", record["bin/gpg"]["package"])
        assert record["bin/gpg"]["version"] == installed


def test_the_layer_carries_the_licence_of_gnupg(layer: Path) -> None:
    notices = [notice.read_text(errors="replace") for notice in layer.glob("share/doc/*/*")]
    assert any("GnuPG" in notice for notice in notices)


def test_the_gathered_gpg_runs_with_its_own_libraries(layer: Path) -> None:
    assert run_in(layer, layer / "bin/gpg", "--version").startswith("gpg (GnuPG) 2.")


def test_it_is_refused_when_there_is_no_gpg(tmp_path: Path) -> None:
    refused = gather(tmp_path / "layer", "no-such-gpg")
    assert_refused(refused, tmp_path / "layer", "no-such-gpg is not on", "install gnupg")


@pytest.mark.parametrize("version", ["1.4.23", "2.0.22", "2.1.18"])
def test_it_is_refused_when_gpg_is_too_old(tmp_path: Path, version: str) -> None:
    old = tmp_path / "gpg"
    old.write_text(f"#!/bin/sh\necho 'gpg (GnuPG) {version}'\n")
    old.chmod(0o755)

    refused = gather(tmp_path / "layer", old)

    assert_refused(refused, tmp_path / "layer", f"is version {version}", "install a newer gnupg")


@pytest.mark.parametrize("version", ["2.3.0", "2.4.7", "2.5.12", "3.0.0"])
def test_it_is_refused_when_gpg_would_write_aead_packets(tmp_path: Path, version: str) -> None:
    newer = tmp_path / "gpg"
    newer.write_text(f"#!/bin/sh\necho 'gpg (GnuPG) {version}'\n")
    newer.chmod(0o755)

    refused = gather(tmp_path / "layer", newer)

    assert_refused(refused, tmp_path / "layer", f"is version {version}", "packet 20", "Debian 12")


def test_it_is_refused_when_gpg_is_a_wrapper_script(tmp_path: Path) -> None:
    wrapper = tmp_path / "gpg"
    wrapper.write_text("#!/bin/sh\necho 'gpg (GnuPG) 2.2.40'\n")
    wrapper.chmod(0o755)

    assert_refused(gather(tmp_path / "layer", wrapper), tmp_path / "layer", str(wrapper))


@pytest.mark.parametrize("symbol", [b"GLIBC_2.35", b"GLIBC_2.38", b"GLIBC_ABI_DT_RELR"])
def test_it_is_refused_when_it_needs_a_newer_glibc(tmp_path: Path, own_gpg: Path, symbol: bytes) -> None:
    # Bytes after the end of an ELF file are ignored at run time, and read by a scan.
    own_gpg.write_bytes(own_gpg.read_bytes() + b"\0" + symbol + b"\0")

    refused = gather(tmp_path / "layer", own_gpg)

    assert_refused(refused, tmp_path / "layer", "Amazon Linux 2023", "has 2.34", "Debian 12")


def test_it_is_refused_when_the_stack_has_another_architecture(tmp_path: Path) -> None:
    refused = gather(tmp_path / "layer", architecture=ELSEWHERE)
    assert_refused(refused, tmp_path / "layer", f"is not built for {ELSEWHERE}", "samconfig.toml")
