"""Objects in the output buckets: their addresses, and the headers that Callseal writes and reads back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, Literal, cast

from callseal.core.audit import timestamp
from callseal.core.formats import ENVELOPES, Envelope
from callseal.core.recipient import Recipient

SOURCE_ETAG, SEALED = "callseal-source-etag", "callseal-sealed"
RECIPIENTS, SUBKEYS = "callseal-recipients", "callseal-subkeys"
LOCKED_UNTIL = "callseal-locked-until"
PLAIN = "none"
LockMode = Literal["GOVERNANCE", "COMPLIANCE"]
# The tag by which the lifecycle rules of the SFTP bucket decide how long an object stays. template.yaml has the rules.
EXPIRES = "callseal-expires"
Expiry = Literal["files", "proof", "requests"]


@dataclass(frozen=True, slots=True)
class Address:
    """An object's bucket and key."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """The retention of S3 Object Lock that an object is written with, and until when it protects the object."""

    mode: LockMode
    until: datetime


@dataclass(frozen=True, slots=True)
class OutputHeaders:
    """The headers of an output: its media type, and metadata that name its source and the recipients who can open it.

    `sealed` is the envelope, `cms` or `openpgp`, or `none` for a plaintext output. `lock` is None if the output is
    written without a retention, and `expires` if it is not for the SFTP bucket.
    """

    content_type: str
    source_etag: str
    sealed: str
    recipients: tuple[Recipient, ...] = ()
    lock: ObjectLock | None = None
    expires: Expiry | None = None

    @property
    def tagging(self) -> str | None:
        """The tags in the form of S3's header, or None for none."""
        return tagging(self.expires) if self.expires else None

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata: source, envelope, the end of the lock, and the recipients' fingerprints and OpenPGP subkeys.

        The lists of fingerprints and of subkeys have the same order.
        """
        names = {
            RECIPIENTS: [member.fingerprint for member in self.recipients],
            SUBKEYS: [member.subkey for member in self.recipients if member.subkey],
        }
        lists = {name: ",".join(values) for name, values in names.items() if values}
        locked = {LOCKED_UNTIL: timestamp(self.lock.until)} if self.lock else {}
        return {SOURCE_ETAG: self.source_etag, SEALED: self.sealed} | locked | lists


def tagging(expires: Expiry) -> str:
    """Return the tag of an object in the SFTP bucket, in the form of S3's header."""
    return f"{EXPIRES}={expires}"


def sealed_headers(envelope: Envelope, source_etag: str, recipients: tuple[Recipient, ...]) -> OutputHeaders:
    """Return the headers of a sealed output."""
    return OutputHeaders(ENVELOPES[envelope].media_type, source_etag, envelope, recipients)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in a bucket: size in bytes, etag without quotes, and its metadata.

    `modified`, to the second, is when it was written. It is None if this invocation has just written the object.
    `version` is the object's version, None if the bucket has no versions.
    """

    address: Address
    etag: str
    size: int
    metadata: Mapping[str, str]
    modified: datetime | None = None
    version: str | None = None

    @property
    def locked_until(self) -> str | None:
        """The end of the lock that the object was written with (RFC 3339, UTC), or None. It may be longer by now."""
        return self.metadata.get(LOCKED_UNTIL)

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


@dataclass(frozen=True, slots=True)
class Written:
    """An object that S3 has accepted: its etag without quotes, and its version, None if the bucket has no versions."""

    etag: str
    version: str | None


def written(etag: str, answer: Mapping[str, Any]) -> Written:
    """Return what S3 has accepted, by its answer. The version `null` is that of a bucket without versions."""
    version = answer.get("VersionId")
    return Written(etag.strip('"'), None if version == "null" else version)
