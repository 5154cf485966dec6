"""Commit: write what a plan says, once. The first commit of an output wins; everybody else finds it and goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from callseal.aws.upload import PART_BYTES
from callseal.core.errors import HeldError, OutputExistsError, Reason, SourceGoneError, TransientError
from callseal.core.landing import LandedObject
from callseal.core.recipient import CmsRecipients
from callseal.core.stored import Address, StoredObject
from callseal.crypto.envelopes import Sink, Source, cms
from callseal.crypto.recipients import GpgFactory
from callseal.delivery.landing_bucket import LandingBucket
from callseal.delivery.output_buckets import OutputBuckets
from callseal.delivery.planning import Place, Plan, is_made_of
from callseal.delivery.routing import Destination, Route

# Large files go through a narrow gate, so that a batch of them takes no more memory than two.
LARGE_AT_ONCE = 2


@dataclass(slots=True)
class Progress:
    """What stands at the destinations and is ours: found there, or committed by us, then with its hash."""

    stored: dict[Route, StoredObject] = field(default_factory=dict)
    # What an earlier try left that stands for no route of now; the audit names it all the same.
    others: list[tuple[Destination, StoredObject]] = field(default_factory=list)
    hashes: dict[Address, str] = field(default_factory=dict)

    @property
    def outputs(self) -> list[tuple[Destination, StoredObject]]:
        """Everything that is ours: the archive's first, and what stands for a route before what does not."""
        routed = [(route.destination, stored) for route, stored in self.stored.items()]
        return sorted([*routed, *self.others], key=lambda output: output[0])

    @property
    def sealed(self) -> StoredObject | None:
        """A sealed output, where there is one yet; one that stands for a route, if there is."""
        everything = [*self.stored.values(), *(stored for _, stored in self.others)]
        return next((stored for stored in everything if stored.is_sealed), None)

    def lacks(self, routes: Iterable[Route]) -> list[Route]:
        """List the routes whose outputs are not there yet."""
        return [route for route in routes if route not in self.stored]


class OutputConflictError(HeldError):
    """Something that is not ours stands under an output's key; `progress` is what is ours all the same."""

    def __init__(self, destination: Destination, progress: Progress) -> None:
        """Name the destination."""
        super().__init__(
            Reason.OUTPUT_CONFLICT,
            f"Another file stands under this name in the {destination} bucket, and nothing is ever overwritten. Move "
            "that one away, or land this one under another name and remove it here.",
        )
        self.progress = progress


class Committer:
    """Looks for outputs and commits those that are missing; safe to use from several threads."""

    def __init__(self, landing: LandingBucket, outputs: OutputBuckets, gpg: GpgFactory) -> None:
        """Take the buckets, and the gpg for OpenPGP tenants."""
        self._landing, self._outputs, self._gpg = landing, outputs, gpg
        self._large_gate = BoundedSemaphore(LARGE_AT_ONCE)

    def find_existing(self, plan: Plan) -> Progress:
        """See what is there already; raises OutputConflictError where it is not ours."""
        progress = Progress()
        for route in plan.routes:
            if stored := self._outputs.find_existing(plan.address(route)):
                self._accept(plan, route, stored, progress)
        if plan.config_changed:
            self.look_for_earlier(plan, progress)
        return progress

    def look_for_earlier(self, plan: Plan, progress: Progress) -> None:
        """Find what other tries of a file committed by other settings, or another key: the first commit counts."""
        self._add(plan.landed, plan.routes, plan.other_addresses(), progress)

    def find(self, landed: LandedObject, routes: Sequence[Route], addresses: Iterable[Place]) -> Progress:
        """Find all that was made of a landed file, whatever the settings and the key were, and whatever they are."""
        progress = Progress()
        self._add(landed, routes, addresses, progress)
        return progress

    def commit(self, plan: Plan, route: Route, progress: Progress) -> None:
        """Write one output, or find that another worker did; raises OutputConflictError where it is not ours."""
        address = self._address(plan, route, progress)
        try:
            progress.stored[route] = self._write(plan, route, address, progress)
        except OutputExistsError:
            self._settle(plan, route, address, progress)

    def sha256(self, stored: StoredObject, progress: Progress) -> str:
        """Give an output's hash; one that another worker wrote is read back for it."""
        if stored.address not in progress.hashes:
            progress.hashes[stored.address] = self._outputs.sha256(stored)
        return progress.hashes[stored.address]

    def _add(
        self, landed: LandedObject, routes: Sequence[Route], addresses: Iterable[Place], progress: Progress
    ) -> None:
        """Add what tries of a file left. It stands for its destination's output, a plain one never for a sealed one."""
        for destination, stored in self._standing(
            landed, addresses, {stored.address for _, stored in progress.outputs}
        ):
            if not is_made_of(landed, stored):
                continue
            open_routes = [route for route in progress.lacks(routes) if route.destination == destination]
            asked = [route for route in open_routes if stored.is_sealed or not route.sealed]
            if asked:
                progress.stored[asked[0]] = stored
            else:
                progress.others.append((destination, stored))

    def _standing(
        self, landed: LandedObject, addresses: Iterable[Place], known: Set[Address]
    ) -> Iterator[tuple[Destination, StoredObject]]:
        """Find what stands at addresses of a file. A listing and a look must agree, lest one is overlooked."""
        places = [place for place in addresses if place[1] not in known]
        buckets = dict.fromkeys(address.bucket for _, address in places)
        there = {Address(bucket, key) for bucket in buckets for key in self._outputs.keys(bucket, landed.key)}
        for destination, address in places:
            if address in there:
                if (stored := self._outputs.find_existing(address)) is None:
                    raise TransientError("An output that was listed a moment ago is not there.")
                yield destination, stored

    @staticmethod
    def _address(plan: Plan, route: Route, progress: Progress) -> Address:
        """Name an output; a copy of a sealed one that is there is named by that one's envelope."""
        address, first = plan.address(route), progress.sealed
        if not route.sealed or first is None or not plan.may_copy(first):
            return address
        return Address(address.bucket, first.address.key)

    def _write(self, plan: Plan, route: Route, address: Address, progress: Progress) -> StoredObject:
        if not route.sealed:
            return self._copy_plain(plan, route, address)
        if progress.sealed and plan.may_copy(progress.sealed):
            return self._copy_sealed(progress.sealed, address, progress)
        return self._seal(plan, route, address, progress)

    def _seal(self, plan: Plan, route: Route, address: Address, progress: Progress) -> StoredObject:
        large = (plan.landed.size or 0) > PART_BYTES
        with self._large_gate if large else nullcontext(), self._landing.open(plan.landed) as body:
            with self._outputs.upload(address, plan.headers(route), body.size) as upload:
                self._write_envelope(plan, body, body.size, upload.write)
                etag = upload.commit()
            progress.hashes[address] = upload.sha256
        return StoredObject(address, etag.strip('"'), upload.size, plan.headers(route).metadata)

    def _write_envelope(self, plan: Plan, source: Source, size: int, sink: Sink) -> None:
        if plan.key is None:
            raise AssertionError("a sealed route is planned with a key")
        recipients = plan.key.recipients
        if isinstance(recipients, CmsRecipients):
            cms.seal(source, size, recipients.members, plan.settings.cms_profile, sink)
        else:
            from callseal.crypto.envelopes import (
                openpgp,  # python-gnupg costs a cold start, and X.509 tenants need none
            )

            openpgp.seal(source, size, recipients, self._gpg(), sink)

    def _copy_plain(self, plan: Plan, route: Route, address: Address) -> StoredObject:
        self._refuse_occupied(address)
        landed = self._landing.find(plan.landed)
        source = StoredObject(Address(landed.bucket, landed.key), landed.etag or "", landed.size or 0, {})
        with self._landing.reading(landed):
            return self._outputs.copy(source, address, plan.headers(route))

    def _copy_sealed(self, first: StoredObject, address: Address, progress: Progress) -> StoredObject:
        """Copy the sealed output that is there, with its own recipients: it may be of before a rotation."""
        self._refuse_occupied(address)
        try:
            stored = self._outputs.copy(first, address, first.headers)
        except SourceGoneError as exc:  # not the landed file: that one is still owed
            raise TransientError("A sealed output is gone before its second copy was made.") from exc
        if first.address in progress.hashes:
            progress.hashes[address] = progress.hashes[first.address]
        return stored

    def _refuse_occupied(self, address: Address) -> None:
        """Look right before a copy: S3 refuses to copy onto something, the emulator does not."""
        if self._outputs.find_existing(address):
            raise OutputExistsError("Something stands there already.")

    def _settle(self, plan: Plan, route: Route, address: Address, progress: Progress) -> None:
        stored = self._outputs.find_existing(address)
        if stored is None:
            self._landing.find(plan.landed)  # a copy's 412 may also mean that its source has changed
            raise TransientError("An output was there and is gone again.")
        self._accept(plan, route, stored, progress)

    @staticmethod
    def _accept(plan: Plan, route: Route, stored: StoredObject, progress: Progress) -> None:
        """Take what stands at a destination for ours if it was made of the same landed bytes."""
        if stored.source_etag != plan.landed.etag:
            raise OutputConflictError(route.destination, progress)
        progress.stored[route] = stored
