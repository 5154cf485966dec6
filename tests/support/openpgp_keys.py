"""OpenPGP keys made step by step with the real gpg: dated in the past or future, revoked, or taken apart."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path

from tests.support.keys import gpg, gpg_home, run, tool

numbers = count()


@cache
def home() -> Path:
    return gpg_home("corpus")


def at(days: float) -> list[str]:
    """Return the options that make gpg use another date."""
    return ["--faked-system-time", f"{datetime.now(UTC) + timedelta(days=days):%Y%m%dT%H%M%S}!"]


class Key:
    """A key that is built step by step, in the tenant's own GnuPG home."""

    def __init__(
        self,
        algorithm: str = "ed25519",
        usage: str = "sign",
        expires: str = "60d",
        days: float = 0,
        *,
        suffix: str = "",
    ) -> None:
        name = f"key{next(numbers)}{suffix}@example.invalid"
        gpg(home(), *at(days), "--quick-generate-key", name, algorithm, usage, expires)
        listing = gpg(home(), "--with-colons", "--list-keys", name).decode()
        self.fingerprint = re.findall(r"^fpr:+([0-9A-F]+):", listing, re.MULTILINE)[0]

    def add(self, algorithm: str = "cv25519", usage: str = "encr", expires: str = "30d", days: float = 0) -> Key:
        gpg(home(), *at(days), "--quick-add-key", self.fingerprint, algorithm, usage, expires)
        return self

    def revoke(self) -> Key:
        ready = (home() / "openpgp-revocs.d" / f"{self.fingerprint}.rev").read_text()
        gpg(home(), "--import", data=ready.replace(":-----BEGIN", "-----BEGIN").encode())
        return self

    def revoke_subkey(self, number: int) -> Key:
        run(tool("gpg"), "--homedir", home(), "--no-tty", "--yes", "--pinentry-mode", "loopback", "--passphrase", "",
            "--command-fd", "0", "--status-fd", "2", "--edit-key", self.fingerprint,
            data=f"key {number}\nrevkey\ny\n0\n\ny\nsave\n".encode())  # fmt: skip
        return self

    @property
    def data(self) -> bytes:
        return gpg(home(), "--export", self.fingerprint)

    @property
    def text(self) -> str:
        return gpg(home(), "--armor", "--export", self.fingerprint).decode()


def packets_of(data: bytes) -> list[tuple[int, bytes]]:
    """Split a key by gpg's own listing into each packet's type and bytes."""
    listing = gpg(home(), "--list-packets", data=data).decode(errors="replace")
    found = [(int(tag), int(at)) for at, tag in re.findall(r"^# off=(\d+) ctb=\w+ tag=(\d+)", listing, re.MULTILINE)]
    ends = [place for _, place in found[1:]] + [len(data)]
    return [(tag, data[place:end]) for (tag, place), end in zip(found, ends, strict=True)]
