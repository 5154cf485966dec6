"""Find a Python of the functions' version, 3.13, and print its path, or an error if there is none.

A `python3.13` on PATH may be a pyenv shim that does not run, so each candidate is tried.
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
    """Return the first candidate that runs, on PATH or of pyenv. Raise RuntimePythonMissingError if none does."""
    for candidate in candidates():
        if runs(candidate):
            return candidate
    raise RuntimePythonMissingError(
        f"No {COMMAND} runs on this machine, neither from PATH nor from pyenv, and the functions are built for it."
        f" Install Python {VERSION} (pyenv install {VERSION}, or your distribution's) and try again."
    )


def candidates() -> Iterator[Path]:
    """Return the paths to try, on PATH and then of pyenv (the newest version first), whether they exist or not."""
    for folder in os.get_exec_path():
        yield Path(folder) / COMMAND
    for root in pyenv_roots():
        yield from sorted((root / "versions").glob(f"{VERSION}*/bin/{COMMAND}"), key=patch_number, reverse=True)


def pyenv_roots() -> Iterator[Path]:
    """Return pyenv's own root if it is installed, then its default folder."""
    pyenv = shutil.which("pyenv")
    if pyenv:
        yield Path(subprocess.run([pyenv, "root"], capture_output=True, text=True).stdout.strip())
    yield Path.home() / ".pyenv"


def patch_number(python: Path) -> list[int]:
    """Return the version's numbers from <root>/versions/<version>/bin/python3.13: 3.13.11 is newer than 3.13.9."""
    return [int(number) for number in re.findall(r"\d+", python.parents[1].name)]


def runs(python: Path) -> bool:
    """Return whether a file runs as Python of the version and can create virtual environments."""
    if not os.access(python, os.X_OK) or python.is_dir():
        return False
    ran = subprocess.run([python, "-c", PROOF], capture_output=True, text=True)
    return ran.stdout.strip() == VERSION


def main() -> int:
    """Run from the command line and return the exit code."""
    try:
        print(runtime_python())
    except RuntimePythonMissingError as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
