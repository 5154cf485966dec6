"""The server's log: structured lines in the template's own log group, one after the other."""

import asyncio
import base64
import gzip
import json
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from localcloud.processes import LineSink
from localcloud.sftp.lines import Line
from localcloud.stack import SftpServer

_STREAM = "sftp"
Deliver = Callable[[str, Mapping[str, Any], Mapping[str, Any]], None]


class ServerLog:
    """Write lines to the log group and to `copy`; `deliver` hands each to the functions that subscribe to the group."""

    def __init__(self, server: SftpServer, logs: Any, deliver: Deliver, copy: LineSink) -> None:
        self._server, self._logs, self._deliver, self._copy = server, logs, deliver, copy
        # One thread keeps the lines in their order, and the event loop free of moto's answers.
        self._writer = ThreadPoolExecutor(1, "sftp-log")
        logs.create_log_stream(logGroupName=server.log_group, logStreamName=_STREAM)

    def write(self, line: Line) -> "asyncio.Future[None]":
        """Write a line after those before it; the result is there once it is written and handed over."""
        return asyncio.wrap_future(self._writer.submit(self._write, line))

    def close(self) -> None:
        """Write what is left."""
        self._writer.shutdown()

    def _write(self, line: Line) -> None:
        whole = {"resource-arn": self._server.arn, **line}
        text = json.dumps(whole)
        entry = {"timestamp": int(time.time() * 1000), "message": text}
        self._copy(text)
        self._logs.put_log_events(logGroupName=self._server.log_group, logStreamName=_STREAM, logEvents=[entry])
        self._deliver(self._server.log_group, whole, subscription_event(self._server.log_group, entry))


def subscription_event(group: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Build the event by which CloudWatch Logs hands a line to a function."""
    batch = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": group,
        "logStream": _STREAM,
        "subscriptionFilters": ["local"],
        "logEvents": [{"id": uuid.uuid4().hex, **entry}],
    }
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(batch).encode())).decode()}}
