"""Keys in GnuPG: imported, listed, exported.

What a tenant sent is never a keyring: in a keyring file gpg believes what is noted there about signatures. It is
imported into an empty home, where gpg checks every signature itself, and sealing uses the export of that.
"""

from __future__ import annotations

import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from callseal.core.errors import TransientError
from callseal.crypto.gpg_listing import ListedKey, parse_listing

# Nothing here is ever written but by us, so no locks; trust is decided by whose secret the key came from. What a
# keyring says about signatures counts for nothing: gpg checks each of them, each time.
OPTIONS = [
    "--no-options", "--lock-never", "--no-auto-check-trustdb", "--trust-model", "always", "--no-autostart",
    "--no-sig-cache",
]  # fmt: skip
_KEY_OPTIONS = ["--batch", "--no-tty", "--quiet", "--no-default-keyring"]
# A key that is valid only from tomorrow is imported today; how it is judged depends on the moment all the same.
_IMPORT_OPTIONS = ["--ignore-time-conflict"]
# All that sealing needs; photos, and what others certified, stay out.
_EXPORT_OPTIONS = ["--export-options", "export-minimal,no-export-attributes"]
# How long gpg may take over the keys of one text, which a secret bounds to 64 KiB.
KEY_SECONDS = 20


class KeysTooSlowError(TransientError):
    """gpg does not get through a key's text in time."""


class GpgKeys:
    """Runs gpg on keys, in a private folder; safe to use from several threads."""

    def __init__(self, binary: str, home: Path) -> None:
        """Take the program, and a folder of mode 0700 with a short path."""
        self._binary, self._home = binary, home

    def imported(self, keys: bytes, revocations: bytes = b"") -> Path:
        """Return the keyring file with what gpg accepts of some keys, and of revocation certificates for them.

        gpg drops what the owners did not sign, merges, orders and revokes. The same bytes are imported once.
        """
        ring = self._home / f"{sha256(sha256(keys).digest() + revocations).hexdigest()[:32]}.ring"
        if not ring.exists():
            with tempfile.TemporaryDirectory(dir=self._home) as home:
                self._import(Path(home), keys, revocations).rename(ring)
        return ring

    def list(self, ring: Path) -> list[ListedKey]:
        """Return the keys of a keyring file as gpg sees them now."""
        return parse_listing(self._run(ring, "--with-colons", "--with-subkey-fingerprint", "--list-keys"))

    def export(self, ring: Path) -> bytes:
        """Return the keyring that sealing needs: the keys alone, with what binds their parts."""
        return self._run(ring, *_EXPORT_OPTIONS, "--export")

    def _import(self, home: Path, keys: bytes, revocations: bytes) -> Path:
        ring, files = home / "ring", [home / "keys", home / "revocations"]
        for file, data in zip(files, (keys, revocations), strict=True):
            file.write_bytes(data)
        wanted = [str(file) for file in files if file.stat().st_size]
        self._run(ring, *_IMPORT_OPTIONS, "--import", *wanted, home=home)
        ring.touch()  # gpg makes none where it accepts nothing
        return ring

    def _run(self, ring: Path, *arguments: str, home: Path | None = None) -> bytes:
        """Run gpg on a keyring file; return what it writes. Its exit code says no more: what it refuses is missing."""
        options = ["--homedir", str(home or self._home), *OPTIONS, *_KEY_OPTIONS, "--keyring", str(ring)]
        try:
            done = subprocess.run(
                [self._binary, *options, *arguments], capture_output=True, timeout=KEY_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as exc:
            raise KeysTooSlowError(f"gpg was at work on a key for more than {KEY_SECONDS} seconds.") from exc
        if done.returncode < 0:
            raise TransientError("gpg was killed while it read a key.")
        return done.stdout
