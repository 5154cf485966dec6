"""Find a Python of the functions' own version, 3.13, and print its path; refuse in one sentence where there is none.

A `python3.13` on PATH may be a pyenv shim that refuses to run, so each candidate has to prove itself.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

VERSION = "3.13"
COMMAND = f"python{VERSION}"
PROOF = "import sys, venv; print('%d.%d' % sys.version_info[:2])"


class RuntimePythonMissingError(Exception):
    """No Python of the functions' version runs on this machine."""


def runtime_python() -> Path:
    """Return the first candidate that runs: on PATH, then pyenv's versions, the newest first."""
    for candidate in candidates():
        if runs(candidate):
            return candidate
    raise RuntimePythonMissingError(
        f"No {COMMAND} runs on this machine, neither from PATH nor from pyenv, and the functions are built for it:"
        f" install Python {VERSION} (pyenv install {VERSION}, or your distribution's) and try again."
    )


def candidates() -> Iterator[Path]:
    """Yield where it may be, whether or not it is there."""
    for folder in os.get_exec_path():
        yield Path(folder) / COMMAND
    for root in pyenv_roots():
        yield from sorted((root / "versions").glob(f"{VERSION}*/bin/{COMMAND}"), key=patch_number, reverse=True)


def pyenv_roots() -> Iterator[Path]:
    """Yield what pyenv itself says, then its usual place."""
    pyenv = shutil.which("pyenv")
    if pyenv:
        yield Path(subprocess.run([pyenv, "root"], capture_output=True, text=True).stdout.strip())
    yield Path.home() / ".pyenv"


def patch_number(python: Path) -> list[int]:
    """Read the version from <root>/versions/<version>/bin/python3.13, for 3.13.11 is newer than 3.13.9."""
    return [int(number) for number in re.findall(r"\d+", python.parents[1].name)]


def runs(python: Path) -> bool:
    """Tell whether it is a file that runs, has the version, and can make virtual environments."""
    if not os.access(python, os.X_OK) or python.is_dir():
        return False
    ran = subprocess.run([python, "-c", PROOF], capture_output=True, text=True)
    return ran.stdout.strip() == VERSION


def main() -> int:
    """Run from the command line."""
    try:
        print(runtime_python())
    except RuntimePythonMissingError as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
