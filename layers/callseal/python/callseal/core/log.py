"""Logging: what a log line may say about a failure.

A landing key may contain a caller's number, and messages of other software quote landing keys.
"""

from collections.abc import Mapping
from traceback import extract_tb
from typing import Protocol

from callseal.core.errors import CallsealError


class Log(Protocol):
    """The part of a structured logger that Callseal uses."""

    def info(self, msg: object, *, extra: Mapping[str, object]) -> None:
        """Log a fact."""

    def warning(self, msg: object, *, extra: Mapping[str, object]) -> None:
        """Log a failure that will be retried."""


def describe(exc: Exception) -> dict[str, object]:
    """Return the error's type, its message and the last 6 frames. The message is empty if it is not Callseal's own."""
    trace = extract_tb(exc.__traceback__)[-6:]
    frames = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in trace]
    why = str(exc) if isinstance(exc, CallsealError) else ""
    return {"error": type(exc).__name__, "why": why, "trace": frames}
