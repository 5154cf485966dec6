"""Calls of the command: in this process for the many small cases, as a program if it must run independently."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from callseal_cli.__main__ import main
from tests.support.functions import ROOT


class Answer(NamedTuple):
    """The exit code and the output of a call."""

    code: int
    out: str
    err: str


class _Text(io.TextIOWrapper):
    """Text that a program writes to a pipe, or reads from a pipe, with access to the bytes."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8", newline="")

    @property
    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined, no-any-return]


def call(*arguments: str | Path, data: bytes | None = None) -> Answer:
    """Call the command in this process."""
    out, err = _Text(), _Text()
    with patch("sys.stdin", _Text(data or b"")), redirect_stdout(out), redirect_stderr(err):
        code = main([str(one) for one in arguments])
    return Answer(code, out.text, err.text)


def run(
    *arguments: str | Path,
    data: bytes = b"",
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    out: int = subprocess.PIPE,
) -> Answer:
    """Run the command as a separate program, with no variable of our environment but the path to gpg."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, PATHS)), **(env or {})}
    done = subprocess.run(
        [sys.executable, "-m", "callseal_cli", *map(str, arguments)],
        input=data, stdout=out, stderr=subprocess.PIPE, env=environment, cwd=cwd, check=False,
    )  # fmt: skip
    return Answer(done.returncode, (done.stdout or b"").decode(), done.stderr.decode())


PATHS = (ROOT / "cli", ROOT / "layers" / "callseal" / "python")
