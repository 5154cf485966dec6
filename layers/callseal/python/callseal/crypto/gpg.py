"""GnuPG through python-gnupg: sealing streams, without agent or trust database.

python-gnupg closes gpg's standard input when a source fails, and gpg then ends the message properly: a valid, shorter
recording. So a failing source or sink kills gpg here before python-gnupg learns of it.
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

# Its DEBUG log prints key material, and what it logs as errors is raised here in our own words.
logging.getLogger("gnupg").setLevel(logging.CRITICAL)

CHUNK_BYTES = 256 * 1024
PIPE_BYTES = 1024 * 1024
# fcntl(2), Linux; Python names it only where it was compiled on one.
_F_SETPIPE_SZ = 1031
# How long gpg may fill its pipe before it is read: waking up for each of its 8 KiB costs it 15 % of its speed.
_NAP_SECONDS = 0.0003
# SEIPDv1 around uncompressed literal data: what every OpenPGP reader reads.
_SEAL_OPTIONS = ["--cipher-algo", "AES256", "--compress-algo", "none", "--no-encrypt-to", "--set-filename", ""]


# How long gpg may take over a message. It seals some 400 MB/s; a source or sink that is slower than 4 MB/s would not
# end within the function's time either.
MESSAGE_SECONDS, BYTES_PER_SECOND = 60, 4_000_000


class Gpg:
    """One gpg program and one private folder for its keyrings; safe to use from several threads."""

    def __init__(self, binary: str) -> None:
        """Start gpg once, to learn its version; raises RuntimeError where it cannot be started."""
        # A short path: gpg's sockets break over 108 characters. mkdtemp makes it 0700.
        self._home = Path(tempfile.mkdtemp(prefix="callseal-"))
        weakref.finalize(self, shutil.rmtree, self._home, ignore_errors=True)
        try:
            self._template = _Process(gpgbinary=binary, gnupghome=str(self._home), options=OPTIONS)
        except (OSError, ValueError) as exc:
            raise RuntimeError(f"gpg cannot be started as {binary!r}: set GPG_BINARY to a GnuPG 2.2 or newer.") from exc
        self.keys = GpgKeys(binary, self._home)

    @property
    def version(self) -> tuple[int, ...]:
        """The version of the gpg program."""
        return tuple(self._template.version or ())

    def seal(self, source: Source, size: int, keyring: bytes, fingerprints: Sequence[str], sink: Sink) -> None:
        """Seal exactly `size` bytes of the source as one binary OpenPGP message to every one of the keys.

        `fingerprints` are of the parts that encrypt, subkeys as a rule; gpg chooses none itself. Raises TransientError
        if the source breaks off or grows, or if gpg fails or takes too long, and what the sink raises; nothing that was
        written so far may be kept then.
        """
        process = self._process(keyring)
        process.wide = size > CHUNK_BYTES
        feed = _Feed(source, size, process)
        process.on_data = drain = _Drain(sink, process)
        error: Exception | None = None
        limit = threading.Timer(MESSAGE_SECONDS + size / BYTES_PER_SECOND, process.kill)
        limit.start()
        try:
            exactly = [f"{fingerprint}!" for fingerprint in fingerprints]
            result = process.encrypt_file(feed, exactly, armor=False, extra_args=_SEAL_OPTIONS)
        except Exception as exc:  # noqa: BLE001  # the feed's, or a broken pipe where gpg died
            error = exc
        finally:
            limit.cancel()
        # The first cause counts: the others follow from the kill.
        if cause := drain.error or feed.error:
            raise cause
        if error or not result.ok or result.returncode or not feed.complete:
            status = "" if error else f": {result.status}"
            raise TransientError(f"gpg did not finish sealing{status or '; it was ended from outside'}.") from error

    def _process(self, keyring: bytes) -> _Process:
        process = copy.copy(self._template)  # a new GPG() would start gpg once more, to ask its version
        process.keyring = [str(self._keyring_file(keyring))]
        return process

    def _keyring_file(self, keyring: bytes) -> Path:
        """Write a keyring once; the name is its hash, so it never changes under a running gpg."""
        path = self._home / sha256(keyring).hexdigest()[:32]
        if not path.exists():
            partial = path.with_suffix(f".{threading.get_ident()}")
            partial.write_bytes(keyring)
            partial.rename(path)
        return path


class _Process(gnupg.GPG):
    """A GPG whose running process can be killed; one object per running stream."""

    buffer_size = CHUNK_BYTES
    running: Popen[bytes] | None = None
    wide = False  # whether the message is worth wide pipes, which take a moment to make

    def _open_subprocess(self, args: list[str], passphrase: bool = False) -> Popen[bytes]:
        process: Popen[bytes] = super()._open_subprocess(args, passphrase)
        self.running = process
        if self.wide and process.stdin and process.stdout and _widen(process.stdin) and _widen(process.stdout):
            process.stdout = cast("IO[bytes]", _Output(process.stdout))
        return process

    def kill(self) -> None:
        if self.running:
            self.running.kill()


def _widen(pipe: IO[bytes]) -> bool:
    """Give a pipe room for 1 MiB; where the system grants none, it is slower and nothing else."""
    try:
        return bool(fcntl.fcntl(pipe, _F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES)
    except OSError:
        return False


class _Output:
    """gpg's standard output through a wide pipe, read in few large pieces once it flows."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe

    def read(self, size: int) -> bytes:
        if self._waiting() < size // 2:
            time.sleep(_NAP_SECONDS)
        return os.read(self._pipe.fileno(), size)

    def _waiting(self) -> int:
        """Tell how many bytes are in the pipe."""
        count = fcntl.ioctl(self._pipe, termios.FIONREAD, bytes(4))
        return int.from_bytes(count, sys.byteorder)

    def close(self) -> None:
        self._pipe.close()


class _Feed:
    """The source as python-gnupg reads it: whatever goes wrong kills gpg before python-gnupg closes its input."""

    def __init__(self, source: Source, size: int, process: _Process) -> None:
        self._source, self._process = source, process
        self._missing = size
        self.error: Exception | None = None
        self.complete = False

    def read(self, size: int) -> bytes:
        try:
            return self._read(size)
        except Exception as exc:
            self.error = exc  # before the kill: Gpg.seal may return from it at once
            self._process.kill()
            raise

    def _read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._missing -= len(data)
        if self._missing < 0 or (self._missing and not data):
            raise TransientError(f"The landed file broke off or grew while it was read ({self._missing} bytes amiss).")
        self.complete = not data
        return data


class _Drain:
    """The sink as python-gnupg feeds it: must return False, or all output is kept in memory."""

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
