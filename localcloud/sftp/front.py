"""The SFTP front as a whole: started with the local cloud where the template declares a server, gone with it."""

import contextlib
import json
import os
import re
import secrets
import shlex
import shutil
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from localcloud.errors import StartError
from localcloud.events import native_event
from localcloud.processes import ChildEndedError, ChildSilentError, JsonChild, LineSink
from localcloud.sftp.host_keys import host_keys
from localcloud.sftp.logins import Invoke, Logins
from localcloud.sftp.relay import Relay
from localcloud.sftp.s3_gate import S3Gate, Watcher
from localcloud.sftp.s3_requests import S3Request
from localcloud.sftp.server_log import Deliver, ServerLog
from localcloud.sftp.sessions import Connection, Session, Sessions
from localcloud.stack import SftpServer

HOST = "127.0.0.1"
Publish = Callable[[Mapping[str, Any]], None]
_HERE = Path(__file__).parent
_START_SECONDS = 30.0
_SIGNATURE_SECONDS = 2.0
_LOGGED_IN = re.compile(r"serve sftp ([0-9.]+):\d+->\S+: SSH login from ")
# Reads go through without a cache on disk; a listing is at most three seconds old, and costs no request for each file.
_FLAGS = (
    "--config", "", "-v", "--vfs-cache-mode", "off", "--dir-cache-time", "3s", "--poll-interval", "0",
    "--use-server-modtime", "--buffer-size", "0", "--vfs-read-chunk-size", "off", "--no-checksum", "--stats", "0",
    # Reads that arrive out of order wait for each other: a seek would ask for the rest of the file anew.
    "--vfs-read-wait", "1s",
)  # fmt: skip


def find_rclone() -> str | None:
    """Find rclone: where `make setup` puts it, or on the PATH."""
    beside = Path(sys.executable).with_name("rclone")
    return str(beside) if beside.exists() else shutil.which("rclone")


class SftpFront:
    """Serve SFTP until closed."""

    def __init__(
        self, server: SftpServer, rclone: str, folder: Path, s3_url: str, region: str, invoke: Invoke, logs: Any,
        deliver: Deliver, publish: Publish, log: LineSink, port: int = 0,
    ) -> None:  # fmt: skip
        self._server, self._publish = server, publish
        self._exits = contextlib.ExitStack()
        self._folder, self._rclone_log = folder, log
        self._sessions = Sessions()
        self._server_log = ServerLog(server, logs, deliver)
        try:
            gate = S3Gate(s3_url, self._sessions, Watcher(self._refused, self._read))
            self._exits.callback(gate.close)
            logins = Logins(server, self._sessions, invoke, self._server_log, gate.url, region)
            self._start(logins, rclone, port)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End every session and process."""
        self._exits.close()

    def pids(self) -> list[int]:
        """List the processes: rclone and what watches over it."""
        return [self._child.pid, self._rclone_pid] if self._child.is_alive() else []

    def connected(self, address: str, peer: str) -> None:
        """Note a connection, from the relay."""
        self._sessions.connected(address, Connection(peer))

    def disconnected(self, address: str) -> None:
        """Note a connection's end; one that did not come to a session was an attempt to log in, too."""
        connection = self._sessions.connection(address)
        if connection is None:
            return
        if connection.prepared:
            connection.opened.wait(_SIGNATURE_SECONDS)
        self._sessions.disconnected(address)
        self._tell_end(connection)

    def _tell_end(self, connection: Connection) -> None:
        told = {"source_ip": connection.peer, "session_id": connection.id}
        user = connection.prepared.user if connection.prepared else None
        if connection.opened.is_set():
            self._server_log.write("DISCONNECTED", **told)
        elif connection.prepared:
            message = "The key is the user's, and was not used to sign"
            self._server_log.write("AUTH_FAILURE", method="publickey", user=user, message=message, **told)
        elif not connection.attempts:
            self._server_log.write("AUTH_FAILURE", method="none", message="No key was offered", **told)

    def _start(self, logins: Logins, rclone: str, port: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        keys = host_keys(self._folder)
        bridge = _Bridge(logins)
        self._exits.callback(bridge.close)
        self._write_ask(bridge)
        command = [rclone, "serve", "sftp", "--addr", f"{HOST}:0", "--auth-proxy", "./ask"]
        command += [word for name in keys for word in ("--key", name)]
        self._child = JsonChild(
            _HERE / "rclone_child.py", [*command, *_FLAGS], _environment(), self._folder, self._rclone_line
        )
        self._exits.callback(self._child.kill)
        announced = self._await_start()
        self._rclone_pid = int(announced["pid"])
        try:
            relay = Relay(port, int(announced["port"]), self)
        except OSError as exc:
            raise StartError(f"The SFTP front cannot listen on port {port} of {HOST}: {exc.strerror}.") from exc
        self._exits.callback(relay.close)
        self.port = relay.port
        known = "".join(f"[{HOST}]:{self.port} {public}\n" for public in keys.values())
        (self._folder / "known_hosts").write_text(known, encoding="utf-8")

    def _await_start(self) -> dict[str, Any]:
        try:
            return self._child.receive(_START_SECONDS)
        except (ChildEndedError, ChildSilentError) as exc:
            raise StartError(f"rclone did not start ({exc}); see SftpServer.log.") from exc

    def _write_ask(self, bridge: "_Bridge") -> None:
        """Write what rclone starts for each login: one word without spaces, wherever Python and this project are."""
        word = self._folder / "word"
        word.unlink(missing_ok=True)
        word.touch(mode=0o600)
        word.write_bytes(bridge.word)
        ask = self._folder / "ask"
        script = f"exec {shlex.quote(sys.executable)} -I -S {shlex.quote(str(_HERE / 'ask.py'))} {bridge.port} word\n"
        ask.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
        ask.chmod(0o700)

    def _rclone_line(self, line: str) -> None:
        self._rclone_log(line)
        found = _LOGGED_IN.search(line)
        connection = self._sessions.connection(found[1]) if found else None
        if connection and connection.prepared and not connection.opened.is_set():
            connection.opened.set()
            self._server_log.write(
                "CONNECTED", user=connection.prepared.user, source_ip=connection.peer, session_id=connection.id,
                home_dir="/", method="publickey",
            )  # fmt: skip

    def _refused(self, session: Session, request: S3Request) -> None:
        self._server_log.write(
            "ERROR", user=session.user, operation=request.method, path=f"/{request.bucket}/{request.key}",
            message="Access denied", session_id=session.id, source_ip=session.peer,
        )  # fmt: skip

    def _read(self, session: Session, request: S3Request, size: int, etag: str) -> None:
        """Announce, as Transfer does, that an object was sent to its last byte."""
        detail = {
            "status-code": "COMPLETED", "protocol": "SFTP", "bytes": size, "client-ip": session.peer, "etag": etag,
            "file-path": f"/{request.bucket}/{request.key}", "server-id": self._server.server_id,
            "username": session.user, "session-id": session.id,
        }  # fmt: skip
        account, region = self._server.arn.split(":")[4], self._server.arn.split(":")[3]
        kind = "SFTP Server File Download Completed"
        self._publish(native_event(account, region, "aws.transfer", kind, detail, [self._server.arn]))


class _Bridge:
    """Take the questions of `ask.py`, on a loopback port that a secret word opens."""

    def __init__(self, logins: Logins) -> None:
        self.word = secrets.token_hex(32).encode()
        word = self.word

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if not secrets.compare_digest(self.rfile.readline(200).rstrip(b"\n"), word):
                    return
                answer = logins.answer(json.loads(self.rfile.readline()))
                if answer:
                    self.wfile.write(json.dumps(answer).encode())

        self._server = socketserver.ThreadingTCPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _environment() -> Mapping[str, str]:
    """Give rclone an environment without anybody's own settings of it, or of AWS."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("RCLONE_", "AWS_", "PYTHON"))}
