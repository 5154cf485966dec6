"""The relay: clients connect here, and rclone sees each connection under a loopback address of its own.

rclone remembers for five minutes that a user's key was good from an address, and asks nobody meanwhile: a key that was
taken away would go on opening sessions, and logins would be missing from the audit. An address for each connection
makes it ask each time, and lets the address that a login really comes from be found again.
"""

import contextlib
import errno
import itertools
import socket
import threading
from typing import Protocol

_BLOCK_BYTES = 256 * 1024
_OTHER_PLATFORM = (errno.EADDRNOTAVAIL, errno.EINVAL)


class Listener(Protocol):
    """Who is told of connections, by the address under which rclone sees them."""

    def connected(self, address: str, peer: str) -> None:
        """Note that a connection begins."""

    def disconnected(self, address: str) -> None:
        """Note that it has ended."""


class Relay:
    """Pass connections on until closed; port 0 takes a free one."""

    def __init__(self, port: int, target: int, listener: Listener) -> None:
        self._target, self._listener = target, listener
        self._server = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._server.getsockname()[1]
        self._numbers = itertools.count()
        self._open: set[socket.socket] = set()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End every connection, and take no more."""
        self._closed = True
        for one in (self._server, *list(self._open)):
            _shut(one)
        self._server.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, (peer, _) = self._server.accept()
            except OSError:
                continue
            threading.Thread(target=self._serve, args=(client, peer), daemon=True).start()

    def _serve(self, client: socket.socket, peer: str) -> None:
        with client:
            try:
                server, address = self._connect()
            except OSError:
                return
            with server:
                self._listener.connected(address, peer)
                for one in (client, server):
                    # SSH's small packets must not wait for each other's acknowledgement: 40 ms for each file.
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open |= {client, server}
                try:
                    back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                    back.start()
                    _pump(client, server)
                    back.join()
                finally:
                    self._open -= {client, server}
                    self._listener.disconnected(address)

    def _connect(self) -> tuple[socket.socket, str]:
        """Connect to rclone from an address that no other connection has had in the last hours."""
        number = next(self._numbers) % (1 << 22) + 1
        address = f"127.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        server = socket.socket()
        try:
            server.bind((address, 0))
        except OSError as exc:
            if exc.errno not in _OTHER_PLATFORM:
                raise
            # Other systems than Linux have one loopback address only: there rclone's memory has the last word.
            address = "127.0.0.1"
        try:
            server.connect(("127.0.0.1", self._target))
        except OSError:
            server.close()
            raise
        return server, address


def _pump(source: socket.socket, sink: socket.socket) -> None:
    block = memoryview(bytearray(_BLOCK_BYTES))
    with contextlib.suppress(OSError):
        while count := source.recv_into(block):
            sink.sendall(block[:count])
    # One direction has ended: SSH has no half-open connections, so the other one has nothing to say either.
    _shut(sink)
    _shut(source)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
