"""Copies of calls on request, in the tenant's SFTP area: what is sealed stays sealed, and what must be sealed is.

    <tenant>/requests/<id>/<path in the area>    removed after 7 days, by its tag
    <tenant>/requests/<id>/manifest.sha256       for sha256sum -c, written last

A copy becomes a file of its call's card, so that an erasure finds it, and names it in its notice. A call that ends or
is to be erased meanwhile keeps no copy: its card is read again after each file, and after the manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
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
from callseal_cli.copied import MISSING, PENDING, Copied, Left, manifest
from callseal_cli.options import now

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The days of the bucket's lifecycle rule for the tag, in template.yaml.
DAYS = 7
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Original:
    """A file of a call as it is in the archive. `seals` means that its copy is sealed."""

    card: Card
    file: CallFile
    delivery: Delivery
    stored: StoredObject
    seals: bool


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
            archived = files_at(card, ARCHIVE)
            if all(file.is_metadata for file in archived):
                yield Left(card.call.id, None, MISSING)
            for file in archived:
                delivery = file.deliveries[-1]
                stored = self._outputs.find_existing(Address(archive, file.key))
                if stored is None or not _is_of(delivery, stored):
                    yield Left(card.call.id, file.n, MISSING)
                else:
                    seals = self._is_sealed_for_sftp(file) and not stored.is_sealed
                    yield Original(card, file, delivery, stored, seals)

    def copy(
        self, originals: Sequence[Original], key: KeyVersion | None, event: str, tick: Callable[[int], None]
    ) -> list[Copied | Left]:
        """Copy files, write the manifest, and return what became of each file.

        `event` is the id of the audit event of the request. `tick` is called after each file.
        """
        made, names = list[Copied | Left](), set[str]()
        for original in originals:
            made.append(self._copy(original, key if original.seals else None, event, names))
            if isinstance(made[-1], Copied):
                names.add(made[-1].name)
            tick(1)
        return self._with_manifest(made)

    def _copy(self, original: Original, key: KeyVersion | None, event: str, before: Container[str]) -> Copied | Left:
        suffix = ENVELOPES[key.recipients.envelope].suffix if key else ""
        name = original.file.key.partition("/")[2] + suffix
        call, address = original.card.call, self._address(name)
        if len(address.key.encode()) > MAX_KEY_BYTES:
            return Left(call.id, original.file.n, "NameTooLong")
        if name in before:  # the call has a plain file and a sealed one of the same name
            return Left(call.id, original.file.n, "NameTaken")
        try:
            write = partial(self._seal, key=key) if key else self._copy_as_it_is
            made = write(original, address)
        except (OutputExistsError, SourceGoneError):
            return Left(call.id, original.file.n, MISSING)  # it was replaced or deleted meanwhile
        if code := self._add_to_card(original, address, made, event):
            self._delete(name)
            return Left(call.id, original.file.n, code)
        return Copied(call.id, name, made.size, made.sha256, made.headers.sealed)

    def _add_to_card(self, original: Original, address: Address, made: _Made, event: str) -> str | None:
        """Add a copy to its call's card. Return why the call may not be copied any more, or None.

        No card has the hash of plain metadata, from which a number could be guessed.
        """
        headers, call = made.headers, original.card.call
        is_guessable = original.file.is_metadata and headers.sealed == PLAIN
        delivery = Delivery(
            event, timestamp(now()), made.size, None if is_guessable else made.sha256, headers.sealed,
            tuple(each.fingerprint for each in headers.recipients),
        )  # fmt: skip

        def change(card: Card) -> Card:
            return card if _ending(card) else card.with_delivery((SFTP, self._sftp, address.key), delivery)

        for error in self._cards.apply({call: [change]}).values():
            raise error
        return _ending(self._cards.get(call))

    def _with_manifest(self, made: Sequence[Copied | Left]) -> list[Copied | Left]:
        """Write the manifest. A call that may not be copied any more is left out of it, and its copies are deleted."""
        while copied := [each for each in made if isinstance(each, Copied)]:
            self._put_manifest(copied)
            found = self._cards.cards(self._tenant, {each.call for each in copied})
            codes = {call: _ending(found[call].card if call in found else None) for call in {c.call for c in copied}}
            ended = {call: code for call, code in codes.items() if code}
            if not ended:
                break
            for name in (MANIFEST, *(each.name for each in copied if each.call in ended)):
                self._delete(name)
            left = [Left(call, None, code) for call, code in ended.items()]
            made = [*(each for each in made if each.call not in ended), *left]
        return list(made)

    def _is_sealed_for_sftp(self, file: CallFile) -> bool:
        return self._settings.encrypt and (self._settings.encrypt_metadata or not file.is_metadata)

    def _address(self, name: str) -> Address:
        return Address(self._sftp, f"{self._tenant}/{REQUESTS}/{self._request}/{name}")

    def _delete(self, name: str) -> None:
        with calling("Deleting a copy"):
            self._s3.delete_object(Bucket=self._sftp, Key=self._address(name).key)

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
                Bucket=self._sftp, Key=self._address(MANIFEST).key, Body=manifest(copied), IfNoneMatch="*",
                ContentType="text/plain; charset=utf-8", Tagging=tagging("requests"),
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Made:
    """What was written: its size, the hash of its bytes, and its headers."""

    size: int
    sha256: str
    headers: OutputHeaders


def _ending(card: Card | None) -> str | None:
    """Return why a call may not be copied: it has ended, or waits for its erasure. None if it may be."""
    if card is None or card.gone:
        return MISSING
    return PENDING if card.erasure_pending else None


def _is_of(delivery: Delivery, stored: StoredObject) -> bool:
    """Return whether an object is the one that a call's card describes."""
    is_its_version = delivery.version is None or delivery.version == stored.version
    return is_its_version and (delivery.size, delivery.sealed) == (stored.size, stored.sealed)


def _expiring(headers: OutputHeaders) -> OutputHeaders:
    return replace(headers, expires="requests")
