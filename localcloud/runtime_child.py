"""Run one Lambda handler: read events and write answers as JSON lines, separate from what the handler prints.

It runs as a script with the function's own path, so it imports only the standard library. Each line of input is
`{"event":..,"requestId":..,"arn":..,"remainingMs":..,"secondsAhead":..}`. The output is one `{"ready": true}` or
`{"error":..}` after the import, then `{"payload":..}` or `{"error":..}` for each event. It ends when its input ends,
even inside a handler.
"""

import importlib
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

# The module that the functions take the time from.
CLOCK = "callseal.core.clock"

Handler = Callable[[Any, "Context"], Any]


class Context:
    """The context of an invocation, with the members of Lambda's own object."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = "$LATEST"
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.aws_request_id: str = request["requestId"]
        self.invoked_function_arn: str = request["arn"]
        self.identity = None
        self.client_context = None
        self._deadline = time.monotonic() + request["remainingMs"] / 1000

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda would end this invocation."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class _DatetimeAhead(datetime):
    """A datetime whose `now` is ahead of this machine's clock."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + cls.ahead


def main(handler_name: str) -> None:
    """Serve events until the parent closes the pipe."""
    # The handler's own child processes do not inherit descriptors from dup.
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    # Like Lambda's runtime: a handler on the root logger, at the level of Lambda's filter if there is one.
    logging.basicConfig(level=os.environ.get("AWS_LAMBDA_LOG_LEVEL", "WARNING"), stream=sys.stderr)
    # At INFO, botocore logs for each client where it found endpoint and credentials.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, inbox), daemon=True).start()
    handler = _import_handler(handler_name, answers)
    _answer(answers, {"ready": True})
    while True:
        _answer(answers, _invoke(handler, json.loads(inbox.get())))


def _read(requests: Any, inbox: "queue.SimpleQueue[bytes]") -> None:
    for line in requests:
        inbox.put(line)
    # The parent has ended or closed the pipe: also end the processes that the handler started (gpg).
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _import_handler(name: str, answers: Any) -> Handler:
    module, _, attribute = name.rpartition(".")
    try:
        handler: Handler = getattr(importlib.import_module(module), attribute)
    except BaseException as exc:
        _answer(answers, {"error": _error(exc)})
        raise
    return handler


def _invoke(handler: Handler, request: dict[str, Any]) -> dict[str, Any]:
    _put_clock_ahead(request["secondsAhead"])
    try:
        answer = {"payload": handler(request["event"], Context(request))}
        json.dumps(answer)
    except Exception as exc:  # noqa: BLE001 - any exception of a handler is its answer
        traceback.print_exc()
        return {"error": _error(exc)}
    return answer


def _put_clock_ahead(seconds: int) -> None:
    clock: Any = sys.modules.get(CLOCK)
    if clock:
        _DatetimeAhead.ahead = timedelta(seconds=seconds)
        clock.datetime = _DatetimeAhead
    # A presigned URL's time, which S3 compares with its own clock.
    signing: Any = sys.modules.get("botocore.auth")
    if signing:
        signing.get_current_datetime = lambda: datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=seconds)


def _error(exc: BaseException) -> dict[str, Any]:
    trace = traceback.format_list(traceback.extract_tb(exc.__traceback__))
    return {"errorType": type(exc).__name__, "errorMessage": str(exc), "stackTrace": trace}


def _answer(answers: Any, message: dict[str, Any]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
