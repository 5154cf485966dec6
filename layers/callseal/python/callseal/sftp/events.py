"""What the audit is told of the SFTP front. A login's outcome is known to the server alone, so its log tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from callseal.audit import AuditEvent, event
from callseal.landing import tenant_of
from callseal.sftp.authorized_keys import RefusedLine
from callseal.sftp.files import File
from callseal.sftp.login import Refusal
from callseal.sftp.server_log import LogLine, UnreadableLogError, log_lines
from callseal.sftp.sources import parse_address

FETCHED = "SFTP Server File Download Completed"
FILE_FETCHED, FILE_UNFETCHED, FILE_EXPIRED = "FileFetched", "FileUnfetched", "FileExpired"
SESSION = {"server": None, "address": None, "id": None, "key_fingerprint": None, "operation": None, "path": None}


def keys_offered(request_id: str, tenant: str, session: Mapping[str, Any], version: str, now: datetime) -> AuditEvent:
    """Tell that a login was let through to the comparison of keys, which the server makes."""
    return _event("SftpKeysOffered", [request_id], tenant, session, now, {"key_version": version})


def login_refused(
    request_id: str, tenant: str | None, session: Mapping[str, Any], refusal: Refusal, message: str, now: datetime
) -> AuditEvent:
    """Tell that a login was refused before any key was compared, and why."""
    return _event("SftpLoginRefused", [request_id], tenant, session, now, {"reason": refusal.value, "message": message})


def key_line_refused(tenant: str, version: str, line: RefusedLine, now: datetime) -> AuditEvent:
    """Tell of a line of a tenant's keys that opens nothing; the same id however often the line is met."""
    message = f"Line {line.line} of the tenant's SFTP keys opens nothing: {line.why}. Put it right in the secret."
    members = {"key_version": version, "message": message}
    return _event("SftpKeyLineRefused", [version, line.line], tenant, {}, now, members)


def told_by_server(invocation: Mapping[str, Any], bucket: str) -> Iterator[AuditEvent]:
    """Tell what the server has to say, in a batch of its log or in an event; raises UnreadableLogError for neither."""
    if "detail-type" in invocation:
        fetched = file_fetched(invocation, bucket)
        yield from [fetched] if fetched else []
    else:
        yield from (told for line in log_lines(invocation) if (told := of_log_line(line)))


def file_fetched(announced: Mapping[str, Any], bucket: str) -> AuditEvent | None:
    """Tell that a file was sent to its end; None for another server's bucket, or another event.

    https://docs.aws.amazon.com/transfer/latest/userguide/events-detail-reference.html
    """
    try:
        detail, path = announced["detail"], str(announced["detail"]["file-path"])
        identifier, moment = str(announced["id"]), datetime.fromisoformat(announced["time"]).astimezone(UTC)
        size = int(detail["bytes"])
    except (KeyError, TypeError, ValueError) as exc:
        raise UnreadableLogError("The event is none of a file that was fetched.") from exc
    folder, _, key = path.removeprefix("/").partition("/")
    if announced["detail-type"] != FETCHED or folder != bucket:
        return None
    source = {"bucket": bucket, "key": key, "etag": str(detail.get("etag") or "").strip('"') or None, "size": size}
    address = parse_address(detail.get("client-ip"))
    session = {
        "server": detail.get("server-id"),
        "address": str(address) if address else None,
        "id": detail.get("session-id"),
    }
    return _event(FILE_FETCHED, [identifier], tenant_of(key), session, moment, {"source": source})


def file_unfetched(bucket: str, file: File, days: int, now: datetime) -> AuditEvent:
    """Tell that a delivered file has so many days left and was not fetched; with 0 that it expired unfetched."""
    source = {"bucket": bucket, "key": file.key, "etag": None, "size": file.size or 0}
    end = f"{datetime.fromisoformat(file.expires or ''):%Y-%m-%d %H:%M} UTC"
    message = (
        f"The file was not fetched, and expires on {end}, in {days} day{'s' if days > 1 else ''} or less. "
        "Ask the tenant whether its pick-up job runs."
        if days
        else f"The file was not fetched before it expired on {end}. Land its recording again where it is needed."
    )
    kind = FILE_UNFETCHED if days else FILE_EXPIRED
    return _event(kind, [file.key, file.delivery, days], file.tenant, {}, now, {"source": source, "message": message})


def of_log_line(line: LogLine) -> AuditEvent | None:
    """Tell what a line of the server's log says, where that is of interest to an audit."""
    reasons: dict[str, tuple[str, Refusal | None]] = {
        "CONNECTED": ("SftpLogin", None),
        "AUTH_FAILURE": ("SftpLoginRefused", Refusal.KEY_REFUSED),
        "ERROR": ("SftpOperationRefused", Refusal.ACCESS_DENIED),
    }
    if line.activity not in reasons or line.is_told_already:
        return None
    detail_type, refusal = reasons[line.activity]
    members = {"reason": refusal.value if refusal else None}
    return _event(detail_type, [line.id], line.tenant, line.session, line.moment, members)


def _event(
    detail_type: str,
    happened: Sequence[object],
    tenant: str | None,
    session: Mapping[str, Any],
    now: datetime,
    members: Mapping[str, Any],
) -> AuditEvent:
    told = {**members, "session": {**SESSION, **session}} if session else members
    return event(detail_type, now, {"tenant": tenant, **told}, [detail_type, tenant, *happened])
