"""Logins: what AWS Transfer Family does with an identity function, done for rclone.

https://docs.aws.amazon.com/transfer/latest/userguide/custom-lambda-idp.html
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from localcloud.runtime import Result
from localcloud.sftp.policy import SessionPolicy
from localcloud.sftp.server_log import ServerLog
from localcloud.sftp.sessions import Connection, Session, Sessions
from localcloud.stack import SftpServer

Invoke = Callable[[Mapping[str, Any]], Result]
Question = Mapping[str, str]


class Logins:
    """Answer rclone's questions: a backend for the session, or None."""

    def __init__(
        self, server: SftpServer, sessions: Sessions, invoke: Invoke, log: ServerLog, s3_url: str, region: str
    ) -> None:
        self._server, self._sessions, self._invoke, self._log = server, sessions, invoke, log
        self._s3_url, self._region = s3_url, region

    def answer(self, question: Question) -> dict[str, str] | None:
        """Ask the identity function about a login, and compare the key as Transfer does."""
        connection = self._sessions.connection(question.get("client_ip", ""))
        if connection is None:
            return None
        connection.attempts += 1
        told = self._ask(question, connection)
        if not told.get("Role"):
            self._refuse(question, connection, "The user is unrecognized")
            return None
        offered = question.get("public_key")
        if offered is None or offered not in [key.split(" ")[1] for key in told["PublicKeys"]]:
            self._refuse(question, connection, "None of the user's public keys is the one offered")
            return None
        session = self._session(question["user"], told)
        self._sessions.prepare(connection, session)
        return self._backend(session)

    def _ask(self, question: Question, connection: Connection) -> Mapping[str, Any]:
        event = {
            "username": question.get("user", ""),
            "password": question.get("pass", ""),
            "protocol": "SFTP",
            "serverId": self._server.server_id,
            "sourceIp": connection.peer,
        }
        answer = self._invoke(event).payload
        # A function that fails, or answers with something else, lets nobody in.
        return answer if isinstance(answer, dict) else {}

    def _refuse(self, question: Question, connection: Connection, message: str) -> None:
        method = "publickey" if "public_key" in question else "password"
        self._log.write(
            "AUTH_FAILURE", method=method, user=question.get("user"), source_ip=connection.peer,
            session_id=connection.id, message=message,
        )  # fmt: skip

    def _session(self, user: str, told: Mapping[str, Any]) -> Session:
        (home,) = json.loads(told["HomeDirectoryDetails"])
        bucket, _, prefix = home["Target"].removeprefix("/").partition("/")
        return Session(user, bucket, prefix, SessionPolicy(told["Policy"]))

    def _backend(self, session: Session) -> dict[str, str]:
        """Configure rclone's S3 backend, to the gate and with this session's own access key."""
        return {
            "type": "s3",
            "provider": "Other",
            # With the slash rclone does not ask whether the folder is a file.
            "_root": f"{session.bucket}/{session.home}/",
            "endpoint": self._s3_url,
            "region": self._region,
            "access_key_id": session.access_key,
            "secret_access_key": session.access_key,
            "force_path_style": "true",
            "no_check_bucket": "true",
            "no_head": "true",
            "list_version": "2",
        }
