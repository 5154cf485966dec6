"""Bouncy Castle by a small Java program: compiled once a run, and started once for many files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.interop.lab import folder, missing, once
from tests.support.keys import run, tool

JARS = [Path("/usr/share/java") / f"{name}.jar" for name in ("bcprov", "bcpkix", "bcutil")]
SOURCE = Path(__file__).with_name("OpenCms.java")


def open_many(jobs: Iterable[tuple[str, Path, Path, Path]]) -> list[tuple[bytes | None, str]]:
    """Open files.

    Each job has the mode (`memory`, `stream`, `head`), key and certificate (DER), and the file. Return bytes and
    messages.
    """
    with tempfile.TemporaryDirectory(prefix="opened-", dir=folder()) as made:
        lines = [(*job, Path(made) / str(number)) for number, job in enumerate(jobs)]
        _, *answers = _talk("".join("\t".join(map(str, line)) + "\n" for line in lines))
        assert len(answers) == len(lines)
        return [
            (line[-1].read_bytes() if line[-1].exists() else b"", "") if answer == "ok" else (None, answer)
            for line, answer in zip(lines, answers, strict=True)
        ]


@cache
def version() -> str:
    """Return the version that it reports."""
    return str(once("bc-version", lambda: _talk("")[0].split("\t")[1]))


def _talk(questions: str) -> list[str]:
    class_path = f"{_classes()}:{_class_path()}"
    command = (tool("java"), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", class_path, "OpenCms")
    return run(*command, data=questions.encode()).decode().splitlines()


def _class_path() -> str:
    if not all(jar.exists() for jar in JARS):
        missing("Bouncy Castle (/usr/share/java/bc*.jar)")
    return ":".join(map(str, JARS))


def _classes() -> Path:
    classes, class_path = folder() / "classes", _class_path()
    # -path: the jars name others, for mail, that are not needed here.
    command = (tool("javac"), "-Xlint:all,-path", "-Werror", "-cp", class_path, "-d", classes, SOURCE)
    once("classes", lambda: run(*command).decode())
    return classes
