"""Logging: what of a failure may be told. A landing key may hold a caller's number, and foreign messages quote it."""

from collections.abc import Mapping
from traceback import extract_tb
from typing import Protocol

from callseal.core.errors import CallsealError


class Log(Protocol):
    """As much of a structured logger as is used here."""

    def info(self, msg: object, *, extra: Mapping[str, object]) -> None:
        """Log a fact."""

    def warning(self, msg: object, *, extra: Mapping[str, object]) -> None:
        """Log what will be tried again."""


def describe(exc: Exception) -> dict[str, object]:
    """Say what failed and where; only our own sentences are repeated."""
    trace = extract_tb(exc.__traceback__)[-6:]
    frames = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in trace]
    why = str(exc) if isinstance(exc, CallsealError) else ""
    return {"error": type(exc).__name__, "why": why, "trace": frames}
