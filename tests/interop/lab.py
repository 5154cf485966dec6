"""A folder that all workers of a test run share, with keys, sealed files and the peers' results, each made once.

The workers of pytest-xdist share only the run's id. A lock on each piece of work prevents that it is done twice, so any
test, including the page's, may ask for any of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest


@cache
def folder() -> Path:
    """Return this run's folder. Its path is short, because gpg's agents create sockets in it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"alone{os.getpid()}")
    return make_folder(Path(tempfile.gettempdir()) / f"ci-{run[:12]}")


def make_folder(path: Path) -> Path:
    """Make a folder, or register as another user of it."""
    path.mkdir(mode=0o700, exist_ok=True)
    with locked(path, "users"):
        (path / "users").mkdir(exist_ok=True)
        (path / "users" / str(os.getpid())).touch()
    return path


def leave() -> None:
    """Unregister this process. The last user removes everything."""
    if folder.cache_info().currsize:
        remove_if_last(folder())
        folder.cache_clear()


def remove_if_last(path: Path) -> None:
    with locked(path, "users"):
        (path / "users" / str(os.getpid())).unlink(missing_ok=True)
        if list((path / "users").iterdir()):
            return
        for home in path.glob("home-*"):
            subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], capture_output=True, check=False)
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(path: Path, name: str) -> Iterator[None]:
    with (path / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def once(name: str, make: Callable[[], Any]) -> Any:
    """Return the result of `make` (any JSON value). Only the first process that asks calls it."""
    answer = folder() / f"{name}.json"
    with locked(folder(), name):
        if not answer.exists():
            answer.write_text(json.dumps(make()))
    return json.loads(answer.read_text())


def new_home(name: str) -> Path:
    """Make an empty GnuPG home. `leave` ends its agents."""
    home = folder() / f"home-{name}"
    home.mkdir(mode=0o700)
    return home


def missing(what: str) -> None:
    """Report that a peer is missing: fail in CI, and skip the test elsewhere."""
    text = f"{what} is not on this machine: install it, the tests need it as a reader (packages: .ci/run)."
    pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)
