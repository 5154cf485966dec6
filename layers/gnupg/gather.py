"""Gather this machine's gpg and its shared libraries into a Lambda layer; refuse what could not run there.

Nothing but Python, make, gpg and glibc's own ldd is needed. glibc itself stays out: Lambda has its own, and gpg must
run on that one. Every refusal is one sentence on stderr and exit code 1.
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
# A binary that says GLIBC_ABI_DT_RELR is refused by every loader before 2.36, whatever its other symbols ask for.
GLIBC_WITH_ABI_MARKERS = (2, 36)
ELF_MACHINES = {"x86_64": 62, "arm64": 183}
GLIBC_LIBRARY = re.compile(
    r"(ld-linux.*|lib(anl|c|c_malloc_debug|dl|m|mvec|nss_\w+|pthread|resolv|rt|thread_db|util))\.so[.\d]*"
)
BUILD_ON_DEBIAN_12 = "build on a machine with glibc 2.34 to 2.36 and gpg 2.2, such as Debian 12"

Version = tuple[int, int]


class RefusedError(Exception):
    """The layer could not run in Lambda; the message names the thing, the reason and what to do."""


def run(command: list[str | Path], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in English, for its output is read; one that cannot be started has failed like any other."""
    try:
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C", **environment})
    except OSError as exc:
        return subprocess.CompletedProcess(command, 127, "", str(exc))


def find_gpg(name: str) -> Path:
    """Find gpg by its name on PATH, or by its own path."""
    found = shutil.which(name)
    if not found:
        raise RefusedError(f"{name} is not on this machine, and it is what the layer is made of: install gnupg (gpg).")
    return Path(found).resolve()


def check_version(gpg: Path, **environment: str) -> str:
    """Return gpg's version as it prints it itself."""
    ran = run([gpg, "--version"], **environment)
    version = re.match(r"gpg \(GnuPG\S*\) ((\d+)\.(\d+)\S*)", ran.stdout)
    if ran.returncode or not version:
        raise RefusedError(f"{gpg} --version does not answer as gpg does ({ran.stderr.strip()}): install gnupg (gpg).")
    if (int(version[2]), int(version[3])) < OLDEST_GPG:
        raise RefusedError(f"{gpg} is version {version[1]}, and Callseal needs 2.2 or newer: install a newer gnupg.")
    if (int(version[2]), int(version[3])) >= FIRST_WITH_AEAD:
        raise RefusedError(
            f"{gpg} is version {version[1]}, which seals to keys that advertise AEAD in a format (packet 20) that most"
            f" readers refuse, and has no option against it: {BUILD_ON_DEBIAN_12}."
        )
    return version[1]


def shared_libraries(gpg: Path) -> dict[str, Path]:
    """Map the SONAME of each library that gpg needs, directly or not, to its file; glibc's own are left out."""
    ran = run(["ldd", gpg])
    if ran.returncode:
        raise RefusedError(f"ldd cannot list what {gpg} needs ({ran.stderr.strip()}): {BUILD_ON_DEBIAN_12}.")
    missing = re.findall(r"(\S+) => not found", ran.stdout)
    if missing:
        raise RefusedError(f"{gpg} needs {', '.join(missing)}, which this machine does not have: reinstall gnupg.")
    needed = dict(re.findall(r"^\s*(\S+) => (/\S+)", ran.stdout, re.MULTILINE))
    return {soname: Path(file) for soname, file in needed.items() if not GLIBC_LIBRARY.fullmatch(soname)}


def check_machine(file: Path, architecture: str) -> None:
    """Refuse a file that is no ELF of the architecture (e_machine, two bytes at offset 18)."""
    header = file.read_bytes()[:20]
    if header[:4] != b"\x7fELF":
        raise RefusedError(f"{file} is no ELF binary, so Lambda could not run it: install gnupg from the distribution.")
    if int.from_bytes(header[18:20], "little") != ELF_MACHINES[architecture]:
        raise RefusedError(
            f"{file} is not built for {architecture}, the stack's Architecture: build on an {architecture} machine,"
            " or set Architecture in samconfig.toml to this machine's."
        )


def highest_glibc(file: Path) -> Version:
    """Find the newest glibc that a file asks for; (0, 0) where it names none."""
    content = file.read_bytes()
    versions = {(int(major), int(minor)) for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", content)}
    if re.search(rb"GLIBC_ABI_\w", content):
        versions.add(GLIBC_WITH_ABI_MARKERS)
    return max(versions, default=(0, 0))


def check_glibc(file: Path) -> Version:
    """Return the newest glibc that a file asks for, refusing one that Lambda does not have."""
    highest = highest_glibc(file)
    if highest > AMAZON_LINUX_2023_GLIBC:
        raise RefusedError(
            f"{file} asks for glibc {highest[0]}.{highest[1]}, and Amazon Linux 2023, on which Lambda runs python3.13,"
            f" has 2.34: {BUILD_ON_DEBIAN_12}."
        )
    return highest


def check_binary(gpg: Path, libraries: dict[str, Path], architecture: str) -> Version:
    """Check every file that goes into the layer, and return the newest glibc that any of them asks for."""
    files = [gpg, *libraries.values()]
    for file in files:
        check_machine(file, architecture)
    if highest_glibc(gpg) == (0, 0):
        raise RefusedError(f"{gpg} is not built for glibc (for musl, perhaps), which Lambda has: {BUILD_ON_DEBIAN_12}.")
    return max(check_glibc(file) for file in files)


def copy_executable(source: Path, target: Path) -> None:
    """Copy the file itself, not the link to it, with the mode that Lambda needs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source.resolve(), target)
    target.chmod(0o755)


def check_runs(layer: Path, version: str) -> None:
    """Run the gathered gpg with the gathered libraries alone."""
    if check_version(layer / "bin/gpg", LD_LIBRARY_PATH=str(layer / "lib")) != version:
        raise RefusedError(
            f"The gathered {layer / 'bin/gpg'} is not the gpg {version} of this machine: remove .aws-sam."
        )


def write_record(layer: Path, sources: dict[str, Path]) -> None:
    """Write down of each gathered file which package and version it is of, and its SHA-256; "" for no package."""
    record = {}
    for name, source in sources.items():
        package = package_of(source)
        digest = sha256((layer / name).read_bytes()).hexdigest()
        record[name] = {"package": package, "version": version_of(package), "sha256": digest}
    (layer / RECORD).write_text(json.dumps(record, indent=2) + "\n")


def summary(layer: Path, version: str, highest: Version, without_notice: list[str]) -> str:
    """Tell what is in the layer: files, sizes, the newest glibc asked for."""
    files = sorted([*layer.glob("bin/*"), *layer.glob("lib/*")])
    lines = [f"  {file.stat().st_size:>9,}  {file.relative_to(layer)}" for file in files]
    total = sum(file.stat().st_size for file in layer.rglob("*") if file.is_file())
    head = f"gpg {version}, {len(files)} files, {total:,} bytes with notices, highest glibc {highest[0]}.{highest[1]}"
    tail = [f"  no copyright notice found for {file}" for file in without_notice]
    return "\n".join([head, *lines, *tail])


def gather(gpg_name: str, architecture: str, layer: Path) -> str:
    """Fill the layer's folder and return its summary. Nothing is written before every check has passed."""
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
    """Run from the command line."""
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
