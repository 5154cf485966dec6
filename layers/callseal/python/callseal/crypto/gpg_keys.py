"""Keys in GnuPG: imported, listed, exported.

A tenant's text is never used as a keyring, because gpg believes a keyring file's notes about signatures. The text is
imported into an empty home, where gpg checks every signature itself. Sealing uses an export of that home.
"""

from __future__ import annotations

import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from callseal.core.errors import TransientError
from callseal.crypto.gpg_listing import ListedKey, parse_listing

# No locks, because no other process writes here. Every key is trusted, because the tenant's secret decides whose key it
# is. gpg ignores a keyring's notes about signatures and checks each signature, each time.
OPTIONS = [
    "--no-options", "--lock-never", "--no-auto-check-trustdb", "--trust-model", "always", "--no-autostart",
    "--no-sig-cache",
]  # fmt: skip
_KEY_OPTIONS = ["--batch", "--no-tty", "--quiet", "--no-default-keyring"]
# Keys that are not valid yet are imported too. The verdict still depends on the time.
_IMPORT_OPTIONS = ["--ignore-time-conflict"]
# Only what sealing needs, without photos and without the certifications of others.
_EXPORT_OPTIONS = ["--export-options", "export-minimal,no-export-attributes"]
# gpg's time limit for the keys of one text. A secret holds at most 64 KiB.
KEY_SECONDS = 20


class KeysTooSlowError(TransientError):
    """gpg exceeded its time limit for the keys of one text."""


class GpgKeys:
    """Runs gpg on keys, in a private folder. Thread-safe."""

    def __init__(self, binary: str, home: Path) -> None:
        """`home` is a folder of mode 0700 with a short path."""
        self._binary, self._home = binary, home

    def imported(self, keys: bytes, revocations: bytes = b"") -> Path:
        """Return the path of a keyring file with the keys and revocation certificates that gpg accepts.

        gpg drops what the keys' owners did not sign, merges several exports of a key, puts packets in order and
        applies revocations. The same bytes are imported only once.
        """
        ring = self._home / f"{sha256(sha256(keys).digest() + revocations).hexdigest()[:32]}.ring"
        if not ring.exists():
            with tempfile.TemporaryDirectory(dir=self._home) as home:
                self._import(Path(home), keys, revocations).rename(ring)
        return ring

    def list(self, ring: Path) -> list[ListedKey]:
        """Return the keys of a keyring file, with their validity by gpg's clock."""
        return parse_listing(self._run(ring, "--with-colons", "--with-subkey-fingerprint", "--list-keys"))

    def export(self, ring: Path) -> bytes:
        """Return a keyring for sealing: the keys, and the signatures that bind their parts."""
        return self._run(ring, *_EXPORT_OPTIONS, "--export")

    def _import(self, home: Path, keys: bytes, revocations: bytes) -> Path:
        ring, files = home / "ring", [home / "keys", home / "revocations"]
        for file, data in zip(files, (keys, revocations), strict=True):
            file.write_bytes(data)
        wanted = [str(file) for file in files if file.stat().st_size]
        self._run(ring, *_IMPORT_OPTIONS, "--import", *wanted, home=home)
        ring.touch()  # gpg creates no file if it accepts nothing
        return ring

    def _run(self, ring: Path, *arguments: str, home: Path | None = None) -> bytes:
        """Run gpg on a keyring file and return its output.

        A positive exit code is no error: what gpg rejects is missing from its output.
        """
        options = ["--homedir", str(home or self._home), *OPTIONS, *_KEY_OPTIONS, "--keyring", str(ring)]
        try:
            done = subprocess.run(
                [self._binary, *options, *arguments], capture_output=True, timeout=KEY_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as exc:
            raise KeysTooSlowError(f"gpg did not finish reading a key within {KEY_SECONDS} seconds.") from exc
        if done.returncode < 0:
            raise TransientError("gpg was killed while it read a key.")
        return done.stdout
