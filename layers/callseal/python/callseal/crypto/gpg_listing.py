"""gpg's listing of a keyring: its `--with-colons` records (GnuPG, doc/DETAILS), one in each line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(slots=True)
class ListedPart:
    """A primary key or a subkey. `validity` is gpg's letter, and `usage` its letters for what the part may do.

    `length` is in bits, `algorithm` is a number (RFC 9580, 9.1), and `expires` is None for never.
    """

    validity: str
    length: int
    algorithm: int
    created: datetime
    expires: datetime | None
    usage: str
    curve: str
    fingerprint: str = ""

    @property
    def may_encrypt(self) -> bool:
        """Whether the part itself may encrypt. Capital letters in `usage` describe the whole key."""
        return "e" in self.usage

    @property
    def is_revoked(self) -> bool:
        """Whether the key's owner revoked the part."""
        return self.validity == "r"

    def is_over(self, now: datetime) -> bool:
        """Return whether the part has expired, by gpg's listing or at `now`."""
        return self.validity == "e" or (self.expires is not None and self.expires <= now)

    def is_early(self, now: datetime) -> bool:
        """Return whether the part was created after `now`."""
        return self.created > now


@dataclass(slots=True)
class ListedKey:
    """A key: its primary and its subkeys, in gpg's order."""

    primary: ListedPart
    subkeys: list[ListedPart] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """The primary's fingerprint."""
        return self.primary.fingerprint

    @property
    def parts(self) -> list[ListedPart]:
        """The primary, then the subkeys."""
        return [self.primary, *self.subkeys]


def parse_listing(listing: bytes) -> list[ListedKey]:
    """Return the keys of a listing that was made with `--with-subkey-fingerprint`.

    Only a line feed ends a record. gpg escapes line feeds in user ids, but not the other line ends of Unicode, such as
    U+0085.
    """
    keys: list[ListedKey] = []
    part: ListedPart | None = None
    for fields in _records(listing):
        if fields[0] == "pub":
            part = _part(fields)
            keys.append(ListedKey(part))
        elif fields[0] == "sub" and keys:
            part = _part(fields)
            keys[-1].subkeys.append(part)
        elif fields[0] == "fpr" and part and not part.fingerprint:
            part.fingerprint = fields[9]
    return keys


def _records(listing: bytes) -> Iterator[list[str]]:
    for line in listing.split(b"\n"):
        fields = line.decode("latin-1").split(":")
        yield fields + [""] * (17 - len(fields))


def _part(fields: list[str]) -> ListedPart:
    return ListedPart(
        validity=fields[1],
        length=int(fields[2]),
        algorithm=int(fields[3]),
        created=_time(fields[5]),
        expires=_time(fields[6]) if fields[6] else None,
        usage=fields[11],
        curve=fields[16],
    )


def _time(text: str) -> datetime:
    return datetime.fromtimestamp(int(text), UTC)
