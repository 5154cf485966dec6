"""Objects in the output buckets: their addresses, and the headers that Callseal writes and reads back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import cast

from callseal.core.formats import ENVELOPES, Envelope
from callseal.core.recipient import Recipient

SOURCE_ETAG, SEALED = "callseal-source-etag", "callseal-sealed"
RECIPIENTS, SUBKEYS = "callseal-recipients", "callseal-subkeys"
PLAIN = "none"


@dataclass(frozen=True, slots=True)
class Address:
    """An object's bucket and key."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class OutputHeaders:
    """The headers of an output: its media type, and metadata that name its source and the recipients who can open it.

    `sealed` is the envelope, `cms` or `openpgp`, or `none` for a plaintext output.
    """

    content_type: str
    source_etag: str
    sealed: str
    recipients: tuple[Recipient, ...] = ()

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata: source, envelope, and the recipients' fingerprints and OpenPGP subkeys in the same order."""
        names = {
            RECIPIENTS: [member.fingerprint for member in self.recipients],
            SUBKEYS: [member.subkey for member in self.recipients if member.subkey],
        }
        lists = {name: ",".join(values) for name, values in names.items() if values}
        return {SOURCE_ETAG: self.source_etag, SEALED: self.sealed} | lists


def sealed_headers(envelope: Envelope, source_etag: str, recipients: tuple[Recipient, ...]) -> OutputHeaders:
    """Return the headers of a sealed output."""
    return OutputHeaders(ENVELOPES[envelope].media_type, source_etag, envelope, recipients)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in a bucket: size in bytes, etag without quotes, and its metadata.

    `modified`, to the second, is when it was written. It is None if this invocation has just written the object.
    """

    address: Address
    etag: str
    size: int
    metadata: Mapping[str, str]
    modified: datetime | None = None

    @property
    def source_etag(self) -> str | None:
        """The etag of the landed object that this output was made from, or None if Callseal did not write it."""
        return self.metadata.get(SOURCE_ETAG)

    @property
    def sealed(self) -> str:
        """The envelope, `openpgp` or `cms`, or `none` for plaintext."""
        return self.metadata.get(SEALED, PLAIN)

    @property
    def is_sealed(self) -> bool:
        """Whether the object is in an envelope."""
        return self.sealed != PLAIN

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """The recipients who can open the object, with fingerprint and subkey only. Empty for plaintext."""
        envelope = ENVELOPES.get(cast("Envelope", self.sealed))
        if envelope is None:
            return ()
        kind = envelope.recipients
        names, subkeys = (filter(None, self.metadata.get(header, "").split(",")) for header in (RECIPIENTS, SUBKEYS))
        return tuple(Recipient(name, kind, None, subkey=subkey) for name, subkey in zip_longest(names, subkeys))

    @property
    def headers(self) -> OutputHeaders:
        """The headers of a copy of this sealed object. The recipients may be those from before a rotation."""
        return sealed_headers(cast("Envelope", self.sealed), self.source_etag or "", self.recipients)
