"""The audit events of the SFTP front. Only the server knows the outcome of a login, so those come from its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from callseal.core.audit import AuditEvent, event
from callseal.core.event_types import EventType
from callseal.core.landing import TENANT, tenant_of
from callseal.sftp.file_state import DeliveredFile
from callseal.sftp.login import Refusal
from callseal.sftp.refusals import RefusedLines, RefusedLogin, RefusedLogins, refused_login
from callseal.sftp.server_log import LogLine, UnreadableLogError
from callseal.tenants.login_sources import parse_address

FETCHED = "SFTP Server File Download Completed"
SESSION = {
    "server": None, "address": None, "id": None, "key_fingerprint": None, "operation": None, "path": None,
    "attempts": None,
}  # fmt: skip
# Why a login failed, by the server's activity type. Refusals by the identity function have their own reasons.
_REFUSALS = {"AUTH_FAILURE": Refusal.KEY_REFUSED, "CONNECTION_REJECTED": Refusal.CONNECTION_REJECTED}


def login_refused(group: RefusedLogins, now: datetime) -> AuditEvent:
    """Return the one event of a group of refused logins. Its id is derived from the ids of the counted messages."""
    first, attempts = group.first, len(group.messages)
    message = first.message
    if group.addresses > 1:
        message = f"From {group.addresses} addresses. The server's log group has a line for each attempt."
    session = {"server": first.server, "address": first.address, "attempts": attempts}
    counted = sha256("\n".join(group.messages).encode()).hexdigest()
    members = {"reason": first.reason, "message": message, "time": first.time}
    return _event(EventType.SFTP_LOGIN_REFUSED, [first.reason, counted], first.tenant, session, now, members)


def key_lines_refused(refused: RefusedLines, now: datetime) -> AuditEvent:
    """Return the event of all refused lines of a tenant's keys. Its id is the same for one version of the secret."""
    members = {"key_version": refused.version, "message": refused.message}
    return _event(EventType.SFTP_KEY_LINE_REFUSED, [refused.version], refused.tenant, {}, now, members)


def file_fetched(announced: Mapping[str, Any], bucket: str, server: str) -> AuditEvent | None:
    """Return the event of a completed download, or None for another server's file or another event type.

    `server` is the id of the stack's own server, or "" if it has none. Raise UnreadableLogError for any other shape.
    https://docs.aws.amazon.com/transfer/latest/userguide/events-detail-reference.html
    """
    try:
        detail, path = announced["detail"], str(announced["detail"]["file-path"])
        identifier, moment = str(announced["id"]), datetime.fromisoformat(announced["time"]).astimezone(UTC)
        size = int(detail["bytes"])
    except (KeyError, TypeError, ValueError) as exc:
        raise UnreadableLogError("The event is not of a file that was fetched.") from exc
    key = _key(path, detail, bucket, server)
    if announced["detail-type"] != FETCHED or key is None:
        return None
    source = {"bucket": bucket, "key": key, "etag": str(detail.get("etag") or "").strip('"') or None, "size": size}
    address = parse_address(detail.get("client-ip"))
    session = {
        "server": detail.get("server-id"),
        "address": str(address) if address else None,
        "id": detail.get("session-id"),
    }
    return _event(EventType.FILE_FETCHED, [identifier], tenant_of(key), session, moment, {"source": source})


def _key(path: str, detail: Mapping[str, Any], bucket: str, server: str) -> str | None:
    """Return the object's key for an event's path, or None if the object is not in the stack's bucket.

    AWS's example has `/<bucket>/<key>`. Whether a logical home directory changes that is not documented. If the server
    is the stack's, a path without the bucket is therefore read as the session's: `/<tenant>/<path>` or `/<path>`.
    """
    folder, _, key = path.removeprefix("/").partition("/")
    if folder == bucket:
        return key
    user = str(detail.get("username"))
    if not server or detail.get("server-id") != server or not TENANT.fullmatch(user):
        return None
    return path.removeprefix("/") if folder == user and key else f"{user}/{path.removeprefix('/')}"


def file_unfetched(bucket: str, file: DeliveredFile, days: int, now: datetime) -> AuditEvent:
    """Return FileUnfetched for a file that expires within `days` days, or FileExpired if `days` is 0."""
    source = {"bucket": bucket, "key": file.key, "etag": None, "size": file.size or 0}
    end = f"{datetime.fromisoformat(file.expires or ''):%Y-%m-%d %H:%M} UTC"
    message = (
        f"The file was not fetched, and expires on {end}, in {days} day{'s' if days > 1 else ''} or less. "
        "Ask the tenant whether its pick-up job runs."
        if days
        else f"The file was not fetched before it expired on {end}. If it is needed, upload its recording again."
    )
    kind = EventType.FILE_UNFETCHED if days else EventType.FILE_EXPIRED
    return _event(kind, [file.key, file.delivery, days], file.tenant, {}, now, {"source": source, "message": message})


def of_log_line(line: LogLine, tenant: str | None) -> AuditEvent | RefusedLogin | None:
    """Return the audit event of a line of the server's log, a refused login to be counted, or None.

    `tenant` is the line's tenant, or None if no tenant of that name exists.
    """
    if line.activity in _REFUSALS and not line.is_reported_already:
        return refused_login(line.moment, line.session, tenant, _REFUSALS[line.activity])
    if line.activity == "CONNECTED":
        return _event(EventType.SFTP_LOGIN, [line.id], tenant, line.session, line.moment, {"reason": None})
    if line.activity == "ERROR":
        members = {"reason": Refusal.ACCESS_DENIED.value}
        return _event(EventType.SFTP_OPERATION_REFUSED, [line.id], tenant, line.session, line.moment, members)
    return None


def _event(
    detail_type: str,
    happened: Sequence[object],
    tenant: str | None,
    session: Mapping[str, Any],
    now: datetime,
    members: Mapping[str, Any],
) -> AuditEvent:
    detail = {**members, "session": {**SESSION, **session}} if session else members
    return event(detail_type, now, {"tenant": tenant, **detail}, [detail_type, tenant, *happened])
