"""Extend the locks of delivered recordings to the end of their class, and put their calls under holds.

A delivery writes its archive output with the lock of the class that it knew. Metadata that lands later, another policy
or a hold may ask for more. The messages are audit events of deliveries, calls whose cards another function changed, and
holds that are to be placed or released.

Each event is applied to its call's card here as well. So of two events of one call, the one that is processed last sees
both, in whatever order index_calls takes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from callseal.calls.call_file import CallFile
from callseal.calls.call_name import CALL_ID, CallName
from callseal.calls.call_policy import TenantPolicy, tenant_policy
from callseal.calls.card import Card
from callseal.calls.card_changes import card_changes
from callseal.calls.card_table import CardChange, CardTable
from callseal.calls.outcome_member import lock_of
from callseal.core.clock import Clock
from callseal.core.errors import HeldError, Reason, SourceGoneError, UnreadableNotificationError
from callseal.core.landing import TENANT
from callseal.core.log import Log
from callseal.core.queue_message import Message
from callseal.core.stored import ObjectLock
from callseal.inbound.partial_batch import answer, batch_messages, try_each
from callseal.inbound.run import Run
from callseal.retention.archive_versions import FIRST_VERSION, ArchiveVersions, extended
from callseal.retention.hold_messages import hold_message
from callseal.retention.place_holds import RUN_TIME, HoldPlacing
from callseal.tenants.directory import Tenants

ARCHIVE = "archive"
# By call: each message that names it, with the change of the card.
Changes = dict[CallName, list[tuple[Message, CardChange]]]


class RecordingLocks:
    """Handles the messages of the lock queue."""

    def __init__(
        self,
        cards: CardTable,
        tenants: Tenants,
        versions: ArchiveVersions,
        compliance_years: int,
        holds: HoldPlacing,
        clock: Clock,
        log: Log,
    ) -> None:
        """Take the collaborators. `compliance_years` is the stack's maximum of the lock `compliance`."""
        self._cards, self._tenants, self._versions = cards, tenants, versions
        self._years, self._holds, self._clock, self._log = compliance_years, holds, clock, log

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle a batch from the queue. Return the ids of failed messages in `batchItemFailures`."""
        messages, changes, seen = batch_messages(event), Changes(), dict[CallName, Card]()
        errors = try_each(messages, partial(self._read, changes, Run(self._clock, RUN_TIME)))
        finish: CardChange = partial(self._finish, seen)
        of_calls = {call: [*(change for _, change in of_call), finish] for call, of_call in changes.items()}
        failed = self._cards.apply(of_calls)
        again = any(message.receives > 1 for of_call in changes.values() for message, _ in of_call)
        failed |= self._holds.settle([call for call in changes if call not in failed], again=again)
        for call, of_call in changes.items():
            if error := failed.get(call) or self._try_to_lock(seen[call]):
                errors |= {message.id: error for message, _ in of_call}
        return answer(messages, errors, self._log, "recording not locked")

    def _read(self, changes: Changes, run: Run, message: Message) -> None:
        """Add the changes of a message to `changes`, by call. A message that names a call changes no card by itself.

        The work that the message of a hold asks for is done at once.
        """
        if of_hold := hold_message(message.body):
            self._holds.work(of_hold, run)
            return
        if named := parse_call(message.body):
            if card := self._cards.find(*named):
                changes.setdefault(card.call, []).append((message, lambda card: card))
            return
        for call, change in card_changes(message.body):
            if self._policy(call.tenant):
                changes.setdefault(call, []).append((message, change))

    def _finish(self, seen: dict[CallName, Card], card: Card) -> Card:
        """Return a card after all changes of its call, and remember it. The changes are repeated if a write fails."""
        seen[card.call] = self._with_outcome(card)
        return seen[card.call]

    def _policy(self, tenant: str) -> TenantPolicy | None:
        """Return a tenant with its policy, or None if its calls are not indexed, or it is gone."""
        try:
            found = tenant_policy(self._tenants, tenant, self._years)
        except HeldError as held:
            if held.reason != Reason.SETTINGS_MISSING:
                raise
            return None
        return None if found.mode == "off" else found

    def _with_outcome(self, card: Card) -> Card:
        """Return a listed card with the outcome of the default class, if no metadata has decided another one yet."""
        tenant = self._policy(card.call.tenant)
        if not tenant or not card.landed or card.known or card.outcome is not None:
            return card
        outcome = tenant.default_outcome(datetime.fromisoformat(card.landed))
        return card.with_outcome(outcome) if outcome else card

    def _try_to_lock(self, card: Card) -> Exception | None:
        try:
            self._lock(card)
        except Exception as exc:  # noqa: BLE001  # a call that fails does not fail the others
            return exc
        return None

    def _lock(self, card: Card) -> None:
        tenant = self._policy(card.call.tenant)
        classes = tenant.policy.classes if tenant and tenant.policy else {}
        wanted = lock_of(card.outcome, classes) if card.outcome else None
        if wanted is None:
            return
        for file in card.files:
            if file.destination == ARCHIVE:
                self._extend(file, wanted)

    def _extend(self, file: CallFile, wanted: ObjectLock) -> None:
        for delivery in file.deliveries:
            # The end of the lock that the version was written with. By now it can only be later.
            first = datetime.fromisoformat(delivery.until) if delivery.until else None
            if first and first >= wanted.until:
                continue
            version = delivery.version or FIRST_VERSION
            try:
                lock = extended(self._versions.lock_of(file.key, version), wanted, self._clock())
                if lock:
                    self._versions.lock(file.key, version, lock)
            except SourceGoneError:
                continue  # disposed of or erased


def parse_call(body: str) -> tuple[str, str] | None:
    """Return the tenant and the call's id of a message {"tenant", "call"}, or None for a message of another kind.

    Raise UnreadableNotificationError if their values are malformed.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or set(message) != {"tenant", "call"}:
        return None
    tenant, call = message["tenant"], message["call"]
    texts = isinstance(tenant, str) and isinstance(call, str)
    if not texts or not TENANT.fullmatch(tenant) or not CALL_ID.fullmatch(call):
        raise UnreadableNotificationError("The message names no call. Look at it in the dead-letter queue.")
    return tenant, call
