"""One client's connection: its logins, and the log lines of its beginning and its end."""

import asyncio
import secrets

import asyncssh

from localcloud.sftp import lines
from localcloud.sftp.logins import Invoke, Login, ask
from localcloud.sftp.server_log import ServerLog
from localcloud.sftp.sessions import Session


class Connection(asyncssh.SSHServer):
    """asyncssh calls these methods on its event loop."""

    def __init__(
        self, server_id: str, invoke: Invoke, log: ServerLog, connections: set[asyncssh.SSHServerConnection]
    ) -> None:
        """`connections` has those that are open, this one among them until its end is in the log."""
        self._server_id, self._invoke, self._log, self._connections = server_id, invoke, log, connections
        self._id, self._peer = secrets.token_hex(8), ""
        self._decisions: dict[Login, Session | str] = {}
        self._has_tried = False
        self._accepted: Session | None = None
        self._connected: asyncio.Future[None] | None = None

    async def session(self) -> Session:
        """Return the session, once its login is in the log."""
        if not self._accepted or not self._connected:
            raise PermissionError("There is no login.")
        await self._connected
        return self._accepted

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Note where the client comes from."""
        self._conn, self._peer = conn, conn.get_extra_info("peername")[0]
        self._connections.add(conn)

    def public_key_auth_supported(self) -> bool:
        """Offer logins with a key."""
        return True

    def password_auth_supported(self) -> bool:
        """Offer passwords, too: the identity function refuses them, and reports who tries."""
        return True

    def kbdint_auth_supported(self) -> bool:
        """Offer no questions at the keyboard."""
        return False

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Return whether a key may open a session; asyncssh checks the signature.

        A client first asks whether a key would do, and then signs with it: that is one attempt, and one question.
        """
        text = key.export_public_key("openssh").decode().split()[1]
        login = Login(username, self._peer, self._id, public_key=text)
        if login not in self._decisions:
            self._decisions[login] = await self._ask(login)
        decision = self._decisions[login]
        self._accepted = decision if isinstance(decision, Session) else None
        return self._accepted is not None

    async def validate_password(self, username: str, password: str) -> bool:
        """Ask the identity function, which refuses; no password opens a session here."""
        await self._ask(Login(username, self._peer, self._id, password=password))
        return False

    def auth_completed(self) -> None:
        """Log the login."""
        if self._accepted:
            self._connected = self._log.write(lines.connected(self._accepted))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Log the end; that of a connection without a login was an attempt, too."""
        if self._connected:
            self._log.write(lines.disconnected(self._peer, self._id))
        elif self._accepted:
            self._fail("publickey", self._accepted.user, "The key is the user's, and was not used to sign")
        elif not self._has_tried:
            self._fail("none", None, "No key was offered")
        self._connections.discard(self._conn)

    async def _ask(self, login: Login) -> Session | str:
        self._has_tried = True
        decision = await asyncio.to_thread(ask, login, self._server_id, self._invoke)
        if isinstance(decision, str):
            await self._fail(login.method, login.user, decision)
        return decision

    def _fail(self, method: str, user: str | None, message: str) -> "asyncio.Future[None]":
        return self._log.write(lines.auth_failure(self._peer, self._id, method, user, message))
