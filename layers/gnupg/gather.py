"""Copy this machine's gpg and its shared libraries into a Lambda layer, unless they could not run there.

It needs only Python, make, gpg and glibc's ldd. glibc is not copied: Lambda has its own, and gpg must run on that.
Every refusal is one sentence on stderr and exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from notices import copy_notices, package_of, version_of

RECORD = "packages.json"
OLDEST_GPG = (2, 2)
FIRST_WITH_AEAD = (2, 3)
AMAZON_LINUX_2023_GLIBC = (2, 34)
# Every loader before 2.36 refuses a binary with GLIBC_ABI_DT_RELR, whatever its other symbols require.
GLIBC_WITH_ABI_MARKERS = (2, 36)
ELF_MACHINES = {"x86_64": 62, "arm64": 183}
GLIBC_LIBRARY = re.compile(
    r"(ld-linux.*|lib(anl|c|c_malloc_debug|dl|m|mvec|nss_\w+|pthread|resolv|rt|thread_db|util))\.so[.\d]*"
)
BUILD_ON_DEBIAN_12 = "build on a machine with glibc 2.34 to 2.36 and gpg 2.2, such as Debian 12"

Version = tuple[int, int]


class RefusedError(Exception):
    """The layer could not run in Lambda. The message names the file, the reason and what to do."""


def run(command: list[str | Path], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with English output. Return code 127 if it cannot be started."""
    try:
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C", **environment})
    except OSError as exc:
        return subprocess.CompletedProcess(command, 127, "", str(exc))


def find_gpg(name: str) -> Path:
    """Return the path of gpg, found by its name on PATH or by its path. Raises RefusedError."""
    found = shutil.which(name)
    if not found:
        raise RefusedError(f"{name} is not on this machine, and the layer is a copy of it: install gnupg (gpg).")
    return Path(found).resolve()


def check_version(gpg: Path, **environment: str) -> str:
    """Return gpg's version as gpg prints it. Raises RefusedError if it is older than 2.2, or 2.3 and newer."""
    ran = run([gpg, "--version"], **environment)
    version = re.match(r"gpg \(GnuPG\S*\) ((\d+)\.(\d+)\S*)", ran.stdout)
    if ran.returncode or not version:
        raise RefusedError(
            f"{gpg} --version does not print a version of gpg ({ran.stderr.strip()}): install gnupg (gpg)."
        )
    if (int(version[2]), int(version[3])) < OLDEST_GPG:
        raise RefusedError(f"{gpg} is version {version[1]}, and Callseal needs 2.2: install a newer gnupg.")
    if (int(version[2]), int(version[3])) >= FIRST_WITH_AEAD:
        raise RefusedError(
            f"{gpg} is version {version[1]}, which seals to keys that advertise AEAD in a format (packet 20) that most"
            f" readers reject, and has no option to avoid it: {BUILD_ON_DEBIAN_12}."
        )
    return version[1]


def shared_libraries(gpg: Path) -> dict[str, Path]:
    """Return the file of each library that gpg needs, directly or not, by its SONAME, without those of glibc."""
    ran = run(["ldd", gpg])
    if ran.returncode:
        raise RefusedError(f"ldd cannot list the libraries of {gpg} ({ran.stderr.strip()}): {BUILD_ON_DEBIAN_12}.")
    missing = re.findall(r"(\S+) => not found", ran.stdout)
    if missing:
        raise RefusedError(f"{gpg} needs {', '.join(missing)}, which this machine does not have: reinstall gnupg.")
    needed = dict(re.findall(r"^\s*(\S+) => (/\S+)", ran.stdout, re.MULTILINE))
    return {soname: Path(file) for soname, file in needed.items() if not GLIBC_LIBRARY.fullmatch(soname)}


def check_machine(file: Path, architecture: str) -> None:
    """Raise RefusedError if a file is not an ELF binary of the architecture (e_machine, two bytes at offset 18)."""
    header = file.read_bytes()[:20]
    if header[:4] != b"\x7fELF":
        raise RefusedError(
            f"{file} is not an ELF binary, so Lambda could not run it: install gnupg from the distribution."
        )
    if int.from_bytes(header[18:20], "little") != ELF_MACHINES[architecture]:
        raise RefusedError(
            f"{file} is not built for {architecture}, the stack's Architecture: build on an {architecture} machine,"
            " or set Architecture in samconfig.toml to this machine's."
        )


def highest_glibc(file: Path) -> Version:
    """Return the newest glibc that a file requires, or (0, 0) if it requires none."""
    content = file.read_bytes()
    versions = {(int(major), int(minor)) for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", content)}
    if re.search(rb"GLIBC_ABI_\w", content):
        versions.add(GLIBC_WITH_ABI_MARKERS)
    return max(versions, default=(0, 0))


def check_glibc(file: Path) -> Version:
    """Return the newest glibc that a file requires. Raises RefusedError if it is newer than Lambda's."""
    highest = highest_glibc(file)
    if highest > AMAZON_LINUX_2023_GLIBC:
        raise RefusedError(
            f"{file} requires glibc {highest[0]}.{highest[1]}, and Amazon Linux 2023, on which Lambda runs python3.13,"
            f" has 2.34: {BUILD_ON_DEBIAN_12}."
        )
    return highest


def check_binary(gpg: Path, libraries: dict[str, Path], architecture: str) -> Version:
    """Check all files of the layer. Return the newest glibc that any of them requires. Raises RefusedError."""
    files = [gpg, *libraries.values()]
    for file in files:
        check_machine(file, architecture)
    if highest_glibc(gpg) == (0, 0):
        raise RefusedError(f"{gpg} is not built for glibc (for musl, perhaps), which Lambda has: {BUILD_ON_DEBIAN_12}.")
    return max(check_glibc(file) for file in files)


def copy_executable(source: Path, target: Path) -> None:
    """Copy a file, following links, with mode 0755, which Lambda needs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source.resolve(), target)
    target.chmod(0o755)


def check_runs(layer: Path, version: str) -> None:
    """Run the copied gpg with the copied libraries only. Raises RefusedError if its version differs."""
    if check_version(layer / "bin/gpg", LD_LIBRARY_PATH=str(layer / "lib")) != version:
        raise RefusedError(f"The copied {layer / 'bin/gpg'} is not the gpg {version} of this machine: remove .aws-sam.")


def write_record(layer: Path, sources: dict[str, Path]) -> None:
    """Write packages.json: the package (or ""), its version and the SHA-256 of each copied file."""
    record = {}
    for name, source in sources.items():
        package = package_of(source)
        digest = sha256((layer / name).read_bytes()).hexdigest()
        record[name] = {"package": package, "version": version_of(package), "sha256": digest}
    (layer / RECORD).write_text(json.dumps(record, indent=2) + "\n")


def summary(layer: Path, version: str, highest: Version, without_notice: list[str]) -> str:
    """Return the summary of a layer: its files with their sizes, and the newest required glibc."""
    files = sorted([*layer.glob("bin/*"), *layer.glob("lib/*")])
    lines = [f"  {file.stat().st_size:>9,}  {file.relative_to(layer)}" for file in files]
    total = sum(file.stat().st_size for file in layer.rglob("*") if file.is_file())
    head = f"gpg {version}, {len(files)} files, {total:,} bytes with notices, highest glibc {highest[0]}.{highest[1]}"
    tail = [f"  no copyright notice found for {file}" for file in without_notice]
    return "\n".join([head, *lines, *tail])


def gather(gpg_name: str, architecture: str, layer: Path) -> str:
    """Fill the layer's folder and return its summary. No file is copied before the checks of all files have passed."""
    gpg = find_gpg(gpg_name)
    version = check_version(gpg)
    libraries = shared_libraries(gpg)
    highest = check_binary(gpg, libraries, architecture)
    for soname, file in libraries.items():
        copy_executable(file, layer / "lib" / soname)
    copy_executable(gpg, layer / "bin/gpg")
    check_runs(layer, version)
    write_record(layer, {"bin/gpg": gpg} | {f"lib/{soname}": file for soname, file in libraries.items()})
    return summary(layer, version, highest, copy_notices([gpg, *libraries.values()], layer))


def main() -> int:
    """Run the command line. Return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpg", default="gpg")
    parser.add_argument("--architecture", choices=ELF_MACHINES, default="x86_64")
    parser.add_argument("layer", type=Path)
    arguments = parser.parse_args()
    try:
        print(gather(arguments.gpg, arguments.architecture, arguments.layer))
    except RefusedError as refused:
        print(f"GnupgLayer: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
