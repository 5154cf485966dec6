"""A small client of WebSocket (RFC 6455), for the messages of one browser on this machine."""

from __future__ import annotations

import os
import socket
import struct
from base64 import b64encode

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class WebSocket:
    """An open connection. `send` and `receive` exchange whole text messages."""

    def __init__(self, host: str, port: int, path: str, timeout: float) -> None:
        self._socket = socket.create_connection((host, port), timeout)
        self._stream = self._socket.makefile("rb")
        key = b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        status = self._stream.readline()
        assert b" 101 " in status, status
        while self._stream.readline().strip():
            pass

    def send(self, text: str) -> None:
        self._send(TEXT, text.encode())

    def receive(self) -> str:
        message = b""
        while True:
            final, code, data = self._frame()
            if code == PING:
                self._send(PONG, data)
            elif code == CLOSE:
                raise ConnectionError("the browser closed the connection")
            elif code != PONG:
                message += data
                if final:
                    return message.decode()

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def _send(self, code: int, data: bytes) -> None:
        """Send a masked frame. Firefox closes the connection if the mask is all zeros."""
        mask = b"mask"
        repeated = (mask * (len(data) // 4 + 1))[: len(data)]
        masked = (int.from_bytes(data) ^ int.from_bytes(repeated)).to_bytes(len(data))
        size = len(data)
        length = bytes((0x80 | size,)) if size < 126 else struct.pack(">BQ", 0xFF, size)
        if 126 <= size < 1 << 16:
            length = struct.pack(">BH", 0xFE, size)
        self._socket.sendall(bytes((0x80 | code,)) + length + mask + masked)

    def _frame(self) -> tuple[bool, int, bytes]:
        first, second = self._read(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self._read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._read(8))
        return bool(first & 0x80), first & 0x0F, self._read(size)

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise ConnectionError("the browser closed the connection")
        return data
