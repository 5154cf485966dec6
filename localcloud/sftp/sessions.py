"""Connections and sessions of the SFTP front."""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.sftp.policy import SessionPolicy


@dataclass(frozen=True)
class Session:
    """What a login has opened: whose it is, its policy, and what the log says of it."""

    user: str
    bucket: str
    home: str
    policy: SessionPolicy
    access_key: str = field(default_factory=lambda: f"ASIA{secrets.token_hex(16).upper()}", repr=False)
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Connection:
    """A client's connection: where it really comes from, and what it has come to."""

    peer: str
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    attempts: int = 0
    prepared: Session | None = None
    opened: threading.Event = field(default_factory=threading.Event)


class Sessions:
    """Connections by the address under which rclone sees them, and sessions by the access key that rclone was given."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: dict[str, Connection] = {}
        self._by_key: dict[str, Session] = {}

    def connected(self, address: str, connection: Connection) -> None:
        """Remember a connection."""
        with self._lock:
            self._connections[address] = connection

    def connection(self, address: str) -> Connection | None:
        """Find a connection."""
        return self._connections.get(address)

    def prepare(self, connection: Connection, session: Session) -> None:
        """Let a session's requests through from now on, until its connection ends."""
        with self._lock:
            self._drop(connection)
            connection.prepared = session
            self._by_key[session.access_key] = session

    def by_key(self, access_key: str) -> Session | None:
        """Find the session that a request to S3 belongs to."""
        return self._by_key.get(access_key)

    def disconnected(self, address: str) -> Connection | None:
        """Forget a connection and what it had opened."""
        with self._lock:
            connection = self._connections.pop(address, None)
            if connection:
                self._drop(connection)
            return connection

    def _drop(self, connection: Connection) -> None:
        if connection.prepared:
            self._by_key.pop(connection.prepared.access_key, None)
