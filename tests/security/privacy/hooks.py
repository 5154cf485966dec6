"""Where the watch reads: all log handlers including Powertools', the metrics' writer, and exceptions of handlers.

The hooks are installed once functions are loaded, in any process. They change no output and replace no stream, so tests
that collect their own output still do so.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from tests.security.privacy.watch import WATCH

# These log for the tests' side: the emulator names keys in its own log, which is not a function's log.
NOT_THE_FUNCTIONS = ("moto", "werkzeug", "hypothesis", "localcloud", "tests", "asyncio", "faker")


@cache
def install() -> None:
    """Install the hooks."""
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf import cloudwatch

    emit = logging.StreamHandler.emit

    @wraps(emit)
    def read_and_emit(self: Any, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] not in NOT_THE_FUNCTIONS:
            # Pytest's handlers see every record, with only the message. The functions' handlers write the line.
            WATCH.log(self.format(record), again=type(self).__module__.startswith("_pytest"))
        emit(self, record)

    def read_and_print(text: str, *arguments: Any, **options: Any) -> None:
        WATCH.metric(text)
        print(text, *arguments, **options)

    logging.StreamHandler.emit = read_and_emit  # type: ignore[method-assign]
    cloudwatch.print = read_and_print  # type: ignore[attr-defined]


def as_lambda_logs(exc: BaseException) -> str:
    """Return an exception as Lambda logs it, without its causes (awslambdaric, bootstrap.log_error)."""
    frames = traceback.format_list(traceback.extract_tb(exc.__traceback__))
    return f"[ERROR] {type(exc).__name__}: {exc}\nTraceback (most recent call last):\n{''.join(frames)}"


def watched(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Also read what a handler raises: it ends up in the function's log."""

    @wraps(handler)
    def handle(*arguments: Any) -> Any:
        try:
            return handler(*arguments)
        except Exception as exc:
            WATCH.log(as_lambda_logs(exc))
            raise

    return handle
