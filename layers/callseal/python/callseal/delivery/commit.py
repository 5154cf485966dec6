"""Commit: write each output of a plan once.

The first commit of an output wins. Every other worker finds that output and continues with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from callseal.aws.upload import PART_BYTES
from callseal.core.errors import HeldError, OutputExistsError, Reason, SourceGoneError, TransientError
from callseal.core.landing import LandedObject
from callseal.core.recipient import CmsRecipients
from callseal.core.stored import Address, OutputHeaders, StoredObject
from callseal.crypto.envelopes import Sink, Source, cms
from callseal.crypto.recipients import GpgFactory
from callseal.delivery.landing_bucket import LandingBucket
from callseal.delivery.output_buckets import OutputBuckets
from callseal.delivery.planning import Place, Plan, is_made_of
from callseal.delivery.routing import Destination, Route

# Only this many large files are sealed at once, which limits the memory of a batch.
LARGE_AT_ONCE = 2
BUCKET_NAMES: Mapping[Destination, str] = {"archive": "archive", "sftp": "SFTP"}


@dataclass(slots=True)
class Progress:
    """The outputs of one landed file so far: those found at the destinations, and those committed here.

    `hashes` has the SHA-256 of sealed outputs in hex, as far as this worker knows it.
    """

    stored: dict[Route, StoredObject] = field(default_factory=dict)
    # Outputs of earlier attempts that satisfy no route of the plan. The audit event lists them too.
    others: list[tuple[Destination, StoredObject]] = field(default_factory=list)
    hashes: dict[Address, str] = field(default_factory=dict)

    @property
    def outputs(self) -> list[tuple[Destination, StoredObject]]:
        """All outputs with their destinations: the archive's first, and those that satisfy a route before others."""
        routed = [(route.destination, stored) for route, stored in self.stored.items()]
        return sorted([*routed, *self.others], key=lambda output: output[0])

    @property
    def sealed(self) -> StoredObject | None:
        """A sealed output if there is one, preferably one that satisfies a route."""
        candidates = [*self.stored.values(), *(stored for _, stored in self.others)]
        return next((stored for stored in candidates if stored.is_sealed), None)

    def lacks(self, routes: Iterable[Route]) -> list[Route]:
        """Return the routes whose outputs do not exist yet."""
        return [route for route in routes if route not in self.stored]


class OutputConflictError(HeldError):
    """An output's key belongs to an object that was not made of the landed file.

    `progress` has the file's own outputs, which the audit event lists.
    """

    def __init__(self, destination: Destination, progress: Progress) -> None:
        """Take the destination with the conflict, and the outputs that exist."""
        super().__init__(
            Reason.OUTPUT_CONFLICT,
            f"The {BUCKET_NAMES[destination]} bucket already has a different object with this key, and Callseal never "
            "overwrites. Move it, or upload this recording under another key and delete it from landing.",
        )
        self.progress = progress


class Committer:
    """Finds existing outputs and commits the missing ones. Safe to use from several threads."""

    def __init__(self, landing: LandingBucket, outputs: OutputBuckets, gpg: GpgFactory) -> None:
        """Take the buckets, and the factory for GnuPG, which only OpenPGP tenants need."""
        self._landing, self._outputs, self._gpg = landing, outputs, gpg
        self._large_gate = BoundedSemaphore(LARGE_AT_ONCE)

    def find_existing(self, plan: Plan) -> Progress:
        """Return the outputs of a plan that already exist.

        Raise OutputConflictError if an output's key belongs to an object that was not made of the landed file.
        """
        progress = Progress()
        for route in plan.routes:
            if stored := self._outputs.find_existing(plan.address(route)):
                self._accept(plan, route, stored, progress)
        if plan.config_changed:
            self.find_earlier(plan, progress)
        return progress

    def find_earlier(self, plan: Plan, progress: Progress) -> None:
        """Add the outputs that other attempts at this file committed with other settings or another key.

        Such an output satisfies its route, because the first commit counts.
        """
        self._record_existing(plan.landed, plan.routes, plan.other_addresses(), progress)

    def find_all(self, landed: LandedObject, routes: Sequence[Route], addresses: Iterable[Place]) -> Progress:
        """Return every output that was made of a landed file with any earlier or current settings and keys."""
        progress = Progress()
        self._record_existing(landed, routes, addresses, progress)
        return progress

    def commit(self, plan: Plan, route: Route, progress: Progress) -> None:
        """Write one output, or accept the one that another worker wrote. Raise OutputConflictError if it conflicts."""
        address = self._address(plan, route, progress)
        try:
            progress.stored[route] = self._write(plan, route, address, progress)
        except OutputExistsError:
            self._settle(plan, route, address, progress)

    def sha256(self, stored: StoredObject, progress: Progress) -> str:
        """Return an output's SHA-256 in hex. An output that another worker wrote is read back from its bucket."""
        if stored.address not in progress.hashes:
            progress.hashes[stored.address] = self._outputs.sha256(stored)
        return progress.hashes[stored.address]

    def _record_existing(
        self, landed: LandedObject, routes: Sequence[Route], addresses: Iterable[Place], progress: Progress
    ) -> None:
        """Record outputs of earlier attempts.

        An existing output satisfies its route, but a plaintext output never satisfies an encrypted route.
        """
        for destination, stored in self._find_at(landed, addresses, {stored.address for _, stored in progress.outputs}):
            if not is_made_of(landed, stored):
                continue
            open_routes = [route for route in progress.lacks(routes) if route.destination == destination]
            asked = [route for route in open_routes if stored.is_sealed or not route.sealed]
            if asked:
                progress.stored[asked[0]] = stored
            else:
                progress.others.append((destination, stored))

    def _find_at(
        self, landed: LandedObject, addresses: Iterable[Place], seen: Set[Address]
    ) -> Iterator[tuple[Destination, StoredObject]]:
        """Return the outputs that exist at addresses of a file, apart from those in `seen`.

        Raise TransientError if a listed output cannot be found, because no output may be overlooked.
        """
        places = [place for place in addresses if place[1] not in seen]
        buckets = dict.fromkeys(address.bucket for _, address in places)
        there = {Address(bucket, key) for bucket in buckets for key in self._outputs.keys(bucket, landed.key)}
        for destination, address in places:
            if address in there:
                if (stored := self._outputs.find_existing(address)) is None:
                    raise TransientError("An output was deleted right after it was listed. The file is tried again.")
                yield destination, stored

    @staticmethod
    def _address(plan: Plan, route: Route, progress: Progress) -> Address:
        """Return an output's address. A copy of a sealed output keeps the suffix of that output's envelope."""
        address, first = plan.address(route), progress.sealed
        if not route.sealed or first is None or not plan.may_copy(first):
            return address
        return Address(address.bucket, first.address.key)

    def _write(self, plan: Plan, route: Route, address: Address, progress: Progress) -> StoredObject:
        if not route.sealed:
            return self._copy_plain(plan, route, address)
        if progress.sealed and plan.may_copy(progress.sealed):
            headers = plan.placed(progress.sealed.headers, route)
            return self._copy_sealed(progress.sealed, address, headers, progress)
        return self._seal(plan, route, address, progress)

    def _seal(self, plan: Plan, route: Route, address: Address, progress: Progress) -> StoredObject:
        large = (plan.landed.size or 0) > PART_BYTES
        with self._large_gate if large else nullcontext(), self._landing.open(plan.landed) as body:
            with self._outputs.upload(address, plan.headers(route), body.size) as upload:
                self._write_envelope(plan, body, body.size, upload.write)
                made = upload.commit()
            progress.hashes[address] = upload.sha256
        return StoredObject(address, made.etag, upload.size, plan.headers(route).metadata, version=made.version)

    def _write_envelope(self, plan: Plan, source: Source, size: int, sink: Sink) -> None:
        if plan.key is None:
            raise AssertionError("a sealed route is planned with a key")
        recipients = plan.key.recipients
        if isinstance(recipients, CmsRecipients):
            cms.seal(source, size, recipients.members, plan.settings.cms_profile, sink)
        else:
            from callseal.crypto.envelopes import (
                openpgp,  # importing python-gnupg lengthens a cold start, and X.509 tenants do not need it
            )

            openpgp.seal(source, size, recipients, self._gpg(), sink)

    def _copy_plain(self, plan: Plan, route: Route, address: Address) -> StoredObject:
        self._refuse_occupied(address)
        landed = self._landing.refresh(plan.landed)
        source = StoredObject(Address(landed.bucket, landed.key), landed.etag or "", landed.size or 0, {})
        with self._landing.reading(landed):
            return self._outputs.copy(source, address, plan.headers(route))

    def _copy_sealed(
        self, first: StoredObject, address: Address, headers: OutputHeaders, progress: Progress
    ) -> StoredObject:
        """Copy an existing sealed output with its recipients, which may be those of before a rotation."""
        self._refuse_occupied(address)
        try:
            stored = self._outputs.copy(first, address, headers)
        except SourceGoneError as exc:  # not about the landed file, which is still pending
            raise TransientError(
                "A sealed output was deleted before it was copied to the second bucket. The file is tried again."
            ) from exc
        if first.address in progress.hashes:
            progress.hashes[address] = progress.hashes[first.address]
        return stored

    def _refuse_occupied(self, address: Address) -> None:
        """Raise OutputExistsError if an object is at the address, right before a copy.

        S3 itself refuses to copy onto an existing object, but the emulator does not.
        """
        if self._outputs.find_existing(address):
            raise OutputExistsError("An object with the output's key already exists.")

    def _settle(self, plan: Plan, route: Route, address: Address, progress: Progress) -> None:
        stored = self._outputs.find_existing(address)
        if stored is None:
            self._landing.refresh(plan.landed)  # a copy's 412 may also mean that its source has changed
            raise TransientError("An output was deleted during the delivery. The file is tried again.")
        self._accept(plan, route, stored, progress)

    @staticmethod
    def _accept(plan: Plan, route: Route, stored: StoredObject, progress: Progress) -> None:
        """Accept an object as a route's output if it was made of the same bytes; else raise OutputConflictError."""
        if stored.source_etag != plan.landed.etag:
            raise OutputConflictError(route.destination, progress)
        progress.stored[route] = stored
