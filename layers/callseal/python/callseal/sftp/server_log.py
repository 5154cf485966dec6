"""The server's log: the outcome of logins and operations, which only the server knows.

Structured log lines of AWS Transfer Family (https://docs.aws.amazon.com/transfer/latest/userguide/cw-structure-logs.html),
as CloudWatch Logs sends them to a subscription
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample).
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from callseal.core.errors import CallsealError
from callseal.core.landing import TENANT
from callseal.tenants.login_sources import parse_address

# A subscription's batch is at most 1 MB compressed. It is not decompressed beyond this size.
MAX_BATCH_BYTES = 64 * 1024 * 1024
# The server's message if the identity function's answer was empty: that function has reported the refusal already.
# If AWS changes the word, such an attempt is in the audit twice, but never missing.
_REPORTED_ALREADY = "unrecognized"


class UnreadableLogError(CallsealError):
    """The event is not one that audit_sftp can read. Lambda moves it to the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log line: CloudWatch's id and time, the server's activity type, and the line's JSON members."""

    id: str
    moment: datetime
    activity: str
    members: Mapping[str, Any]

    @property
    def claimed_tenant(self) -> str | None:
        """The session's user, or the folder of a path (`/<bucket>/<tenant>/...`), if that can be a tenant's name.

        Until the login succeeds, it is unverified text from the client: a tenant of that name need not exist.
        """
        folder = str(self.members.get("path", "")).split("/")[2:3]
        named = self.members.get("user") or "".join(folder)
        return named if isinstance(named, str) and TENANT.fullmatch(named) else None

    @property
    def is_reported_already(self) -> bool:
        """Whether the identity function refused this login, and so has reported it."""
        return self.activity == "AUTH_FAILURE" and _REPORTED_ALREADY in str(self.members.get("message", ""))

    @property
    def session(self) -> dict[str, Any]:
        """The session's members in an audit event; the key's fingerprint, never the key."""
        address = parse_address(self.members.get("source-ip"))
        return {
            "server": _text(str(self.members.get("resource-arn") or "").rpartition("/")[2]),
            "address": str(address) if address else None,
            "id": _text(self.members.get("session-id")),
            "key_fingerprint": _text(self.members.get("ssh-public-key-fingerprint")),
            "operation": _text(self.members.get("operation")),
            "path": _text(self.members.get("path"), 1024),
        }


def log_lines(event: Mapping[str, Any]) -> Iterator[LogLine]:
    """Return the lines of a batch that are JSON objects. Raise UnreadableLogError if the event is not a batch."""
    try:
        packed = base64.b64decode(event["awslogs"]["data"], validate=True)
        batch = json.loads(zlib.decompressobj(wbits=31).decompress(packed, MAX_BATCH_BYTES))
        if batch["messageType"] != "DATA_MESSAGE":
            return
        entries = [(str(log["id"]), _moment(log["timestamp"]), str(log["message"])) for log in batch["logEvents"]]
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error, OverflowError) as exc:
        raise UnreadableLogError("The event is not a batch of log lines from CloudWatch Logs.") from exc
    for identifier, moment, message in entries:
        members = _object(message)
        if members is not None:
            yield LogLine(identifier, moment, str(members.get("activity-type", "")), members)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _object(message: str) -> dict[str, Any] | None:
    try:
        members = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _text(value: object, limit: int = 128) -> str | None:
    return value[:limit] if isinstance(value, str) and value else None
