"""Log lines and events of the server, in the form that AWS Transfer Family writes; pure functions.

Lines: https://docs.aws.amazon.com/transfer/latest/userguide/cw-structure-logs.html
Events: https://docs.aws.amazon.com/transfer/latest/userguide/events-detail-reference.html
"""

from collections.abc import Mapping
from typing import Any

from localcloud.events import native_event
from localcloud.sftp.s3_requests import S3Request
from localcloud.sftp.sessions import Session
from localcloud.stack import SftpServer

Line = Mapping[str, Any]


def connected(session: Session) -> Line:
    """Return the line of a login that succeeded."""
    return _line(
        "CONNECTED", user=session.user, source_ip=session.peer, session_id=session.id, home_dir="/", method="publickey"
    )


def disconnected(peer: str, session_id: str) -> Line:
    """Return the line of a session's end."""
    return _line("DISCONNECTED", source_ip=peer, session_id=session_id)


def auth_failure(peer: str, session_id: str, method: str, user: str | None, message: str) -> Line:
    """Return the line of a login that failed; `method` is SSH's name of the authentication method."""
    return _line("AUTH_FAILURE", method=method, user=user, source_ip=peer, session_id=session_id, message=message)


def refused(session: Session, request: S3Request) -> Line:
    """Return the line of a request to S3 that the session policy does not allow."""
    return _line(
        "ERROR", user=session.user, operation=request.method, path=f"/{request.bucket}/{request.key}",
        message="Access denied", session_id=session.id, source_ip=session.peer,
    )  # fmt: skip


def download_completed(server: SftpServer, session: Session, key: str, size: int, etag: str) -> dict[str, Any]:
    """Return the EventBridge event of an object of which `size` bytes were sent, up to its last one."""
    detail = {
        "status-code": "COMPLETED", "protocol": "SFTP", "bytes": size, "client-ip": session.peer, "etag": etag,
        "file-path": f"/{session.bucket}/{key}", "server-id": server.server_id, "username": session.user,
        "session-id": session.id,
    }  # fmt: skip
    account, region = server.arn.split(":")[4], server.arn.split(":")[3]
    return native_event(account, region, "aws.transfer", "SFTP Server File Download Completed", detail, [server.arn])


def _line(activity: str, **members: Any) -> Line:
    """Return a line; members that are None are left out, and underscores become hyphens."""
    named = {name.replace("_", "-"): value for name, value in members.items() if value is not None}
    return {"activity-type": activity, **named}
