"""What the audit is told of the SFTP front. A login's outcome is known to the server alone, so its log tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from callseal.audit import AuditEvent, event
from callseal.sftp.authorized_keys import RefusedLine
from callseal.sftp.login import Refusal
from callseal.sftp.server_log import LogLine

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
