"""GnuPG through python-gnupg: seals streams, without an agent or a trust database.

When a source fails, python-gnupg closes gpg's standard input, and gpg then ends the message properly. The result would
be a valid but shorter recording. So a failing source or sink kills gpg before python-gnupg notices the failure.
"""

from __future__ import annotations

import copy
import fcntl
import logging
import os
import shutil
import sys
import tempfile
import termios
import threading
import time
import weakref
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from subprocess import Popen
from typing import IO, cast

import gnupg

from callseal.core.errors import TransientError
from callseal.crypto.envelopes import Sink, Source
from callseal.crypto.gpg_keys import OPTIONS, GpgKeys

# Its DEBUG log prints key material. What it logs as errors is raised here as errors of Callseal.
logging.getLogger("gnupg").setLevel(logging.CRITICAL)

CHUNK_BYTES = 256 * 1024
PIPE_BYTES = 1024 * 1024
# F_SETPIPE_SZ of fcntl(2). Python's module has it only if Python was compiled on Linux.
_F_SETPIPE_SZ = 1031
# How long gpg may fill its pipe before the next read. A read for each of its 8 KiB costs gpg 15 % of its speed.
_READ_DELAY_SECONDS = 0.0003
# SEIPDv1 with uncompressed literal data, which every OpenPGP reader can read.
_SEAL_OPTIONS = ["--cipher-algo", "AES256", "--compress-algo", "none", "--no-encrypt-to", "--set-filename", ""]
# The time limit of a message is a constant plus its size at this speed. gpg seals about 400 MB/s. A source or sink
# slower than 4 MB/s would not finish within the function's timeout either.
MESSAGE_SECONDS, BYTES_PER_SECOND = 60, 4_000_000


class Gpg:
    """A gpg program with a private folder for its keyrings. Thread-safe."""

    def __init__(self, binary: str) -> None:
        """Run gpg once to read its version. Raises RuntimeError if gpg cannot be started."""
        # The path must be short: gpg's sockets fail above 108 characters. mkdtemp sets mode 0700.
        self._home = Path(tempfile.mkdtemp(prefix="callseal-"))
        weakref.finalize(self, shutil.rmtree, self._home, ignore_errors=True)
        try:
            self._template = _Process(gpgbinary=binary, gnupghome=str(self._home), options=OPTIONS)
        except (OSError, ValueError) as exc:
            raise RuntimeError(f"gpg cannot be started as {binary!r}: set GPG_BINARY to a GnuPG 2.2 or newer.") from exc
        self.keys = GpgKeys(binary, self._home)

    @property
    def version(self) -> tuple[int, ...]:
        """The version of the gpg program, such as (2, 2, 40)."""
        return tuple(self._template.version or ())

    def seal(self, source: Source, size: int, keyring: bytes, fingerprints: Sequence[str], sink: Sink) -> None:
        """Seal exactly `size` bytes of the source to all of the keys, as one binary OpenPGP message.

        `fingerprints` name the parts that encrypt, usually subkeys. gpg does not choose any part itself. Raises
        TransientError if the source ends early or grows, or if gpg fails or exceeds its time limit. Errors of the
        source and of the sink are raised unchanged. After any error the caller must discard what was written.
        """
        process = self._process(keyring)
        process.wide = size > CHUNK_BYTES
        feed = _Feed(source, size, process)
        process.on_data = drain = _Drain(sink, process)
        error: Exception | None = None
        limit = threading.Timer(MESSAGE_SECONDS + size / BYTES_PER_SECOND, process.time_out)
        limit.start()
        try:
            exactly = [f"{fingerprint}!" for fingerprint in fingerprints]
            result = process.encrypt_file(feed, exactly, armor=False, extra_args=_SEAL_OPTIONS)
        except Exception as exc:  # noqa: BLE001  # the feed's, or a broken pipe if gpg died
            error = exc
        finally:
            limit.cancel()
        # The first error is the cause. The others follow from the kill.
        if cause := drain.error or feed.error:
            raise cause
        if error or not result.ok or result.returncode or not feed.complete:
            status = "its process ended early" if error else result.status
            if process.timed_out:
                status = f"it was still running after {limit.interval:.0f} seconds"
            raise TransientError(f"gpg did not finish sealing: {status}.") from error

    def _process(self, keyring: bytes) -> _Process:
        process = copy.copy(self._template)  # a new GPG() would run gpg again to read its version
        process.keyring = [str(self._keyring_file(keyring))]
        return process

    def _keyring_file(self, keyring: bytes) -> Path:
        """Return the path of a keyring file, written once. Its name is its hash, so no running gpg sees it change."""
        path = self._home / sha256(keyring).hexdigest()[:32]
        if not path.exists():
            partial = path.with_suffix(f".{threading.get_ident()}")
            partial.write_bytes(keyring)
            partial.rename(path)
        return path


class _Process(gnupg.GPG):
    """A GPG whose running process can be killed. Each stream has its own object."""

    buffer_size = CHUNK_BYTES
    running: Popen[bytes] | None = None
    timed_out = False
    wide = False  # True if the message is large enough for wide pipes, which take time to set up

    def _open_subprocess(self, args: list[str], passphrase: bool = False) -> Popen[bytes]:
        process: Popen[bytes] = super()._open_subprocess(args, passphrase)
        self.running = process
        if self.wide and process.stdin and process.stdout and _widen(process.stdin) and _widen(process.stdout):
            process.stdout = cast("IO[bytes]", _Output(process.stdout))
        return process

    def time_out(self) -> None:
        """Kill the process because its time is over."""
        self.timed_out = True
        self.kill()

    def kill(self) -> None:
        if self.running:
            self.running.kill()


def _widen(pipe: IO[bytes]) -> bool:
    """Enlarge a pipe to 1 MiB. Return False if the system refuses, which only makes the stream slower."""
    try:
        return bool(fcntl.fcntl(pipe, _F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES)
    except OSError:
        return False


class _Output:
    """gpg's standard output through a wide pipe, read in few large pieces."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe

    def read(self, size: int) -> bytes:
        if self._waiting() < size // 2:
            time.sleep(_READ_DELAY_SECONDS)
        return os.read(self._pipe.fileno(), size)

    def _waiting(self) -> int:
        """Return the number of bytes in the pipe."""
        count = fcntl.ioctl(self._pipe, termios.FIONREAD, bytes(4))
        return int.from_bytes(count, sys.byteorder)

    def close(self) -> None:
        self._pipe.close()


class _Feed:
    """The source as python-gnupg reads it. Any error kills gpg before python-gnupg closes gpg's input."""

    def __init__(self, source: Source, size: int, process: _Process) -> None:
        self._source, self._process = source, process
        self._missing = size
        self.error: Exception | None = None
        self.complete = False

    def read(self, size: int) -> bytes:
        try:
            return self._read(size)
        except Exception as exc:
            self.error = exc  # set before the kill, because Gpg.seal may continue at once
            self._process.kill()
            raise

    def _read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._missing -= len(data)
        if self._missing < 0 or (self._missing and not data):
            raise TransientError(
                f"The landed file ended early or grew while it was read (bytes left: {self._missing})."
            )
        self.complete = not data
        return data


class _Drain:
    """The sink as python-gnupg calls it. It must return False, or python-gnupg keeps all output in memory."""

    def __init__(self, sink: Sink, process: _Process) -> None:
        self._sink, self._process = sink, process
        self.error: Exception | None = None

    def __call__(self, data: bytes) -> bool:
        try:
            if data and not self.error:
                self._sink(data)
        except Exception as exc:  # noqa: BLE001  # raised again by Gpg.seal
            self.error = exc
            self._process.kill()
        return False
