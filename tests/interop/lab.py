"""One folder that all workers of a test run share: keys, sealed files and what the peers said, each made once.

pytest-xdist gives its workers nothing in common but the run's id; a lock on each piece of work keeps it from being
done twice, so any test, the page's included, may ask for any of it.
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
    """Give this run's folder. Its path is short: the agents of gpg put sockets into it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"alone{os.getpid()}")
    return make_folder(Path(tempfile.gettempdir()) / f"ci-{run[:12]}")


def make_folder(path: Path) -> Path:
    """Make a folder, or join those who use it already."""
    path.mkdir(mode=0o700, exist_ok=True)
    with locked(path, "users"):
        (path / "users").mkdir(exist_ok=True)
        (path / "users" / str(os.getpid())).touch()
    return path


def leave() -> None:
    """Take this process off the list of users; the last one removes everything."""
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
    """Give what `make` gave (anything of JSON), which is called by the first process that asks."""
    answer = folder() / f"{name}.json"
    with locked(folder(), name):
        if not answer.exists():
            answer.write_text(json.dumps(make()))
    return json.loads(answer.read_text())


def new_home(name: str) -> Path:
    """Make an empty GnuPG home, whose agents `leave` ends."""
    home = folder() / f"home-{name}"
    home.mkdir(mode=0o700)
    return home


def missing(what: str) -> None:
    """Say that a peer is not on this machine: CI fails, and elsewhere the skip is counted and printed."""
    text = f"{what} is not on this machine: install it, the tests need it as a reader (packages: .ci/run)."
    pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)
