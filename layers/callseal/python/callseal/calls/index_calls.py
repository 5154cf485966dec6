"""Write delivered files to the cards of their calls, from audit events that arrive twice, late and in any order.

Only calls of tenants with an index get a card. A batch takes few requests: the events of a call are merged, and all
cards are read and written together. If a card fails, only the messages that name its call fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from callseal.calls.call_name import CallName
from callseal.calls.card_changes import card_changes
from callseal.calls.card_table import CardChange, CardTable
from callseal.calls.index_mode import index_mode
from callseal.core.errors import HeldError, Reason
from callseal.core.log import Log
from callseal.core.queue_message import Message
from callseal.inbound.partial_batch import answer, batch_messages, try_each
from callseal.tenants.directory import Tenants

# By call: each message that names it, in the batch's order, with the change of the card.
Changes = dict[CallName, list[tuple[Message, CardChange]]]


class CallIndexing:
    """Applies audit events to the cards of calls."""

    def __init__(self, cards: CardTable, tenants: Tenants, log: Log) -> None:
        """Take the collaborators."""
        self._cards, self._tenants, self._log = cards, tenants, log

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle a batch of audit events from a queue. Return the ids of failed messages in `batchItemFailures`."""
        messages, changes = batch_messages(event), Changes()
        errors = try_each(messages, partial(self._read, changes))
        of_calls = {call: [change for _, change in each] for call, each in changes.items()}
        for call, error in self._cards.apply(of_calls).items():
            errors |= {message.id: error for message, _ in changes[call]}
        return answer(messages, errors, self._log, "event not indexed")

    def _read(self, changes: Changes, message: Message) -> None:
        """Add a message's changes to `changes`, by call."""
        for call, change in card_changes(message.body):
            if self._has_index(call.tenant):
                changes.setdefault(call, []).append((message, change))

    def _has_index(self, tenant: str) -> bool:
        """Return whether a tenant's calls are indexed. Those of a tenant without settings, which is gone, are not."""
        try:
            settings = self._tenants.settings(tenant)
        except HeldError as held:
            if held.reason != Reason.SETTINGS_MISSING:
                raise
            return False
        return index_mode(settings, self._tenants.policy_text(tenant) is not None) != "off"
