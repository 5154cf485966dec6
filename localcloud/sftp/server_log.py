"""The server's log: structured lines as AWS Transfer Family writes them, into the template's own log group.

https://docs.aws.amazon.com/transfer/latest/userguide/cw-structure-logs.html
"""

import base64
import gzip
import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from localcloud.stack import SftpServer

_STREAM = "sftp"
Deliver = Callable[[str, Mapping[str, Any], Mapping[str, Any]], None]


class ServerLog:
    """Write lines; `deliver` hands each to those who subscribe to the group."""

    def __init__(self, server: SftpServer, logs: Any, deliver: Deliver) -> None:
        self._server, self._logs, self._deliver = server, logs, deliver
        logs.create_log_stream(logGroupName=server.log_group, logStreamName=_STREAM)

    def write(self, activity: str, **members: Any) -> None:
        """Write a line; members that are None are left out, and underscores are hyphens."""
        named = {name.replace("_", "-"): value for name, value in members.items() if value is not None}
        line = {"activity-type": activity, "resource-arn": self._server.arn, **named}
        moment = int(time.time() * 1000)
        entry = {"timestamp": moment, "message": json.dumps(line)}
        self._logs.put_log_events(logGroupName=self._server.log_group, logStreamName=_STREAM, logEvents=[entry])
        self._deliver(self._server.log_group, line, subscription_event(self._server.log_group, entry))


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
