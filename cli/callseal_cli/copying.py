"""Copies of calls on request, in the tenant's SFTP area: what is sealed stays sealed, and what must be sealed is.

    <tenant>/requests/<id>/<path in the area>    removed after 7 days, by its tag
    <tenant>/requests/<id>/manifest.sha256       for sha256sum -c, written last

A copy becomes a file of its call's card, so that an erasure finds it, and names it in its notice.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.calls.call_file import CallFile, Delivery
from callseal.calls.call_name import REQUESTS, extension_of
from callseal.calls.card import Card
from callseal.calls.card_table import CardTable
from callseal.core.audit import timestamp
from callseal.core.errors import OutputExistsError, SourceGoneError
from callseal.core.formats import ENVELOPES, MEDIA_TYPES
from callseal.core.stored import PLAIN, Address, OutputHeaders, StoredObject, sealed_headers, tagging
from callseal.crypto.recipients import GpgFactory
from callseal.crypto.seal_bytes import seal_stream
from callseal.delivery.landing_bucket import LandedBody
from callseal.delivery.output_buckets import OutputBuckets
from callseal.retention.erasure_places import MANIFEST
from callseal.retention.verdict import ARCHIVE, SFTP, files_at
from callseal.tenants.directory import KeyVersion
from callseal.tenants.settings import TenantSettings
from callseal_cli.options import now

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The days of the bucket's lifecycle rule for the tag, in template.yaml.
DAYS = 7
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Left:
    """A file that is not copied or shared, and why. `file` is its number within the call, None for the whole call."""

    call: str
    file: int | None
    code: str

    def public(self) -> dict[str, Any]:
        """Return the members that the command shows."""
        return {"call": self.call, "file": self.file, "code": self.code}


@dataclass(frozen=True, slots=True)
class Original:
    """A file of a call as it is in the archive. `seals` means that its copy is sealed."""

    card: Card
    file: CallFile
    delivery: Delivery
    stored: StoredObject
    seals: bool


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy: its name within the folder of the request."""

    call: str
    name: str
    size: int
    sha256: str
    sealed: str

    def public(self) -> dict[str, Any]:
        """Return the members that the command shows."""
        return {name: getattr(self, name) for name in self.__slots__}


class Copies:
    """Copies files of one tenant's calls into the folder of one request."""

    def __init__(
        self, s3: S3Client, outputs: OutputBuckets, cards: CardTable, gpg: GpgFactory, sftp: str, tenant: str,
        request: str, settings: TenantSettings,
    ) -> None:  # fmt: skip
        """Take the collaborators, the SFTP bucket's name, the tenant, the request's id and the tenant's settings."""
        self._s3, self._outputs, self._cards, self._gpg, self._sftp = s3, outputs, cards, gpg, sftp
        self._tenant, self._request, self._settings = tenant, request, settings

    def originals(self, cards: Sequence[Card], archive: str) -> Iterator[Original | Left]:
        """Yield the files of calls in the archive bucket, and those that are not there as their cards describe them."""
        for card in cards:
            for file in files_at(card, ARCHIVE):
                delivery = file.deliveries[-1]
                stored = self._outputs.find_existing(Address(archive, file.key))
                if stored is None or not _is_of(delivery, stored):
                    yield Left(card.call.id, file.n, "FileMissing")
                else:
                    is_for_sealing = self._settings.encrypt and (
                        self._settings.encrypt_metadata or not file.is_metadata
                    )
                    yield Original(card, file, delivery, stored, is_for_sealing and not stored.is_sealed)

    def copy(self, originals: Sequence[Original], key: KeyVersion | None, event: str) -> Iterator[Copied | Left]:
        """Copy files, and then write the manifest. `event` is the id of the audit event of the request."""
        copied = dict[str, Copied]()
        for original in originals:
            made = self._copy(original, key if original.seals else None, event, copied)
            if isinstance(made, Copied):
                copied[made.name] = made
            yield made
        if copied:
            self._put_manifest(list(copied.values()))

    def _copy(self, original: Original, key: KeyVersion | None, event: str, before: Container[str]) -> Copied | Left:
        suffix = ENVELOPES[key.recipients.envelope].suffix if key else ""
        name = original.file.key.partition("/")[2] + suffix
        call, address = original.card.call, Address(self._sftp, f"{self._folder}{name}")
        if len(address.key.encode()) > MAX_KEY_BYTES:
            return Left(call.id, original.file.n, "NameTooLong")
        if name in before:  # the call has a plain file and a sealed one of the same name
            return Left(call.id, original.file.n, "NameTaken")
        try:
            write = partial(self._seal, key=key) if key else self._copy_as_it_is
            made = write(original, address)
        except (OutputExistsError, SourceGoneError):
            return Left(call.id, original.file.n, "FileMissing")  # it was replaced or deleted meanwhile
        recipients = tuple(each.fingerprint for each in made.headers.recipients)
        delivery = Delivery(event, timestamp(now()), made.size, made.sha256, made.headers.sealed, recipients)
        change = partial(Card.with_delivery, place=(SFTP, self._sftp, address.key), delivery=delivery)
        for error in self._cards.apply({call: [change]}).values():
            raise error
        return Copied(call.id, name, made.size, made.sha256, made.headers.sealed)

    def _is_sealed_by_sftp(self, file: CallFile) -> bool:
        return self._settings.encrypt and (self._settings.encrypt_metadata or not file.is_metadata)

    @property
    def _folder(self) -> str:
        return f"{self._tenant}/{REQUESTS}/{self._request}/"

    def _copy_as_it_is(self, original: Original, address: Address) -> _Made:
        stored = original.stored
        plain = OutputHeaders(MEDIA_TYPES[extension_of(stored.address.key)], stored.source_etag or "", PLAIN)
        headers = _expiring(stored.headers if stored.is_sealed else plain)
        made = self._outputs.copy(stored, address, headers)
        return _Made(made.size, original.delivery.sha256 or self._outputs.sha256(made), headers)

    def _seal(self, original: Original, address: Address, key: KeyVersion) -> _Made:
        stored, recipients = original.stored, key.recipients
        headers = _expiring(sealed_headers(recipients.envelope, stored.source_etag or "", tuple(recipients.members)))
        changed: Any = {"on_404": SourceGoneError, "on_412": SourceGoneError}
        with calling("Reading a recording in the archive", **changed):
            body = self._s3.get_object(
                Bucket=stored.address.bucket, Key=stored.address.key, IfMatch=f'"{stored.etag}"'
            )["Body"]
        source = LandedBody(body, stored.size)
        try:
            with self._outputs.upload(address, headers, stored.size) as upload:
                profile = self._settings.cms_profile
                seal_stream(source, stored.size, recipients, profile, self._gpg, upload.write)
                upload.commit()
        finally:
            body.close()
        return _Made(upload.size, upload.sha256, headers)

    def _put_manifest(self, copied: Sequence[Copied]) -> None:
        with calling("Writing the manifest"):
            self._s3.put_object(
                Bucket=self._sftp, Key=f"{self._folder}{MANIFEST}", Body=manifest(copied), IfNoneMatch="*",
                ContentType="text/plain; charset=utf-8", Tagging=tagging("requests"),
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Made:
    """What was written: its size, the hash of its bytes, and its headers."""

    size: int
    sha256: str
    headers: OutputHeaders


def manifest(copied: Sequence[Copied]) -> bytes:
    """Return the manifest's bytes, in the form of sha256sum."""
    return "".join(_line(each) for each in sorted(copied, key=lambda each: each.name)).encode()


def _line(copied: Copied) -> str:
    """Return the line of a file. A name with a backslash is escaped, and its line begins with one."""
    escaped = copied.name.replace("\\", "\\\\")
    mark = "\\" if escaped != copied.name else ""
    return f"{mark}{copied.sha256}  {escaped}\n"


def _is_of(delivery: Delivery, stored: StoredObject) -> bool:
    """Return whether an object is the one that a call's card describes."""
    is_its_version = delivery.version is None or delivery.version == stored.version
    return is_its_version and (delivery.size, delivery.sealed) == (stored.size, stored.sealed)


def _expiring(headers: OutputHeaders) -> OutputHeaders:
    return replace(headers, expires="requests")
