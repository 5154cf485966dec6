"""The SFTP front as a whole: started with the local cloud if the template declares a server, and closed with it."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import asyncssh

from localcloud.errors import StartError
from localcloud.processes import LineSink
from localcloud.sftp import lines
from localcloud.sftp.bucket import Bucket
from localcloud.sftp.connection import Connection
from localcloud.sftp.files import Download, Files
from localcloud.sftp.host_keys import host_keys
from localcloud.sftp.logins import Invoke
from localcloud.sftp.s3_requests import S3Request
from localcloud.sftp.server_log import Deliver, ServerLog
from localcloud.stack import SftpServer

HOST = "127.0.0.1"
Publish = Callable[[Mapping[str, Any]], None]
_TIMEOUT_SECONDS = 30.0
_THREADS = 32
# What Transfer Family's security policies since 2023 have of asyncssh's: AES by OpenSSL, and no RSA with SHA-1.
# https://docs.aws.amazon.com/transfer/latest/userguide/security-policies.html
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr")
_MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
_SIGNATURES = (
    "rsa-sha2-256", "rsa-sha2-512", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
)  # fmt: skip


class SftpFront:
    """Serve SFTP on an event loop in a thread of its own until closed; port 0 takes a free one."""

    def __init__(
        self, server: SftpServer, folder: Path, s3_url: str, region: str, invoke: Invoke, logs: Any, deliver: Deliver,
        publish: Publish, log: LineSink, port: int = 0,
    ) -> None:  # fmt: skip
        self._server, self._s3_url, self._region = server, s3_url, region
        self._invoke, self._publish = invoke, publish
        self._connections: set[asyncssh.SSHServerConnection] = set()
        with contextlib.ExitStack() as exits:
            self._log = ServerLog(server, logs, deliver, log)
            exits.callback(self._log.close)
            self._loop = _start_loop(exits)
            acceptor = self._run(self._listen(folder, port))
            exits.callback(lambda: self._run(self._stop(acceptor)))
            self._exits = exits.pop_all()

    def close(self) -> None:
        """End every session."""
        self._exits.close()

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_TIMEOUT_SECONDS)

    async def _listen(self, folder: Path, port: int) -> asyncssh.SSHAcceptor:
        folder.mkdir(parents=True, exist_ok=True)
        keys = host_keys(folder)
        try:
            acceptor = await asyncssh.listen(
                HOST, port, server_factory=self._connection, sftp_factory=self._files,
                server_host_keys=[asyncssh.read_private_key(folder / name) for name in keys],
                encryption_algs=_CIPHERS, mac_algs=_MACS, signature_algs=_SIGNATURES, compression_algs=None,
                gss_host=None, agent_forwarding=False, allow_pty=False, line_editor=False,
            )  # fmt: skip
        except OSError as exc:
            raise StartError(f"The SFTP front cannot listen on port {port} of {HOST}: {exc.strerror}.") from exc
        self.port = acceptor.get_port()
        known = "".join(f"[{HOST}]:{self.port} {public}\n" for public in keys.values())
        (folder / "known_hosts").write_text(known, encoding="utf-8")
        return acceptor

    def _connection(self) -> Connection:
        return Connection(self._server.server_id, self._invoke, self._log, self._connections)

    async def _files(self, channel: "asyncssh.SSHServerChannel[bytes]") -> Files:
        session = await cast("Connection", channel.get_connection().get_owner()).session()

        async def refused(request: S3Request) -> None:
            await self._log.write(lines.refused(session, request))

        def downloaded(file: Download) -> None:
            reader = file.reader
            self._publish(lines.download_completed(self._server, session, file.key, reader.sent, reader.etag))

        bucket = await asyncio.to_thread(Bucket, session, self._s3_url, self._region, refused)
        return Files(channel, session.home, bucket, downloaded)

    async def _stop(self, acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        for connection in list(self._connections):
            connection.abort()
            await connection.wait_closed()


def _start_loop(exits: contextlib.ExitStack) -> asyncio.AbstractEventLoop:
    """Start an event loop in a thread, which ends with `exits`."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, "sftp"))
    thread = threading.Thread(target=loop.run_forever, name="sftp", daemon=True)
    thread.start()

    def stop() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_TIMEOUT_SECONDS)
        loop.close()

    exits.callback(stop)
    return loop
