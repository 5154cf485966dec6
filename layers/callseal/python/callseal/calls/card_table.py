"""The cards in DynamoDB: one item a call, and the indexes that find calls, newest first.

The table's key is `tenant` and `id`. An id is a hash, so a tenant's calls spread over the table's partitions. Each
index has a sort key `place`, the start of the call and its id, and only keys: a change of a card that does not move it
writes to no index. The index `started` has all calls of a tenant in one collection. A collection of each day would not
spread the writes either, since all of them are of today, and would cost a request for each day without calls.

DynamoDB stores some sort keys in plaintext in a table's metadata
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html). These are times and ids.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.aws.item_batches import read_each, retry_changed, write_each
from callseal.aws.items import item, plain
from callseal.calls.call_file import stored_file
from callseal.calls.call_name import CALL_ID, CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import stored_facts
from callseal.core.audit import timestamp
from callseal.core.errors import CallsealError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from callseal.core.clock import Clock

# The indexes. The hash key of `started` is `tenant`, and that of each other index has its name.
STARTED = "started"
INDEXES = ("session", "party", "agent", "queue")
# The index of calls by the day on which they are to be deleted. Its hash key is `tenant`; other cards are not in it.
DUE = "due"
# The longest hash key is 2,048 bytes. A longer value is indexed by its hash.
MAX_VALUE_BYTES = 1024
READING, WRITING = "Reading the calls", "Writing a call"
CardChange = Callable[[Card], Card]


@dataclass(frozen=True, slots=True)
class StoredCard:
    """A card as it was read. `revision` counts its writes, and is None if the table does not have it.

    `keys` are its hash keys in the indexes. If the card has moved, `moved` is when it last did, and `moved_from` the
    newest place that it had before.
    """

    card: Card
    revision: int | None = None
    place: str | None = None
    moved: str | None = None
    moved_from: str | None = None
    keys: Mapping[str, str | None] = field(default_factory=dict)


class CardTable:
    """Reads and writes cards. Thread-safe."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock) -> None:
        """Take the client, the table's name and the clock."""
        self._client, self._table, self._clock = client, table, clock

    def find(self, tenant: str, call: str) -> Card | None:
        """Return a call's card by the call's id, or None if there is none that its readers may see."""
        found = self._get(tenant, call) if CALL_ID.fullmatch(call) else {}
        card = _stored(found).card if found else None
        return card if card and card.is_listed else None

    def get(self, call: CallName) -> Card | None:
        """Return a call's card, whether or not its readers may see it already, or None if there is none."""
        found = self._get(call.tenant, call.id)
        return _stored(found).card if found else None

    def outcome(self, tenant: str, call: str) -> dict[str, Any] | None:
        """Return the policy's outcome for a call, as it was stored, or None if the policy was not applied to it."""
        outcome = self._get(tenant, call).get("outcome")
        return json.loads(outcome) if outcome else None

    def apply(self, changes: Mapping[CallName, Sequence[CardChange]]) -> dict[CallName, CallsealError]:
        """Write changes of calls. Return the error of each call whose changes were not written.

        100 calls take one read and one write. If another writer changes a card meanwhile, the card is read again and
        the changes are repeated on it. A call with no effective change is not written.
        """
        return retry_changed(lambda calls: self._apply({call: changes[call] for call in calls}), changes)

    def places(self, index: str, key: str, low: str | None, high: str, limit: int) -> list[str]:
        """Return the newest places of an index's hash key, from `low` to `high`, both included.

        The index is eventually consistent. 100 places are far below the size at which DynamoDB cuts an answer.
        """
        hash_key = "tenant" if index == STARTED else index
        with calling("Searching the calls"):
            answer = self._client.query(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression="#key = :key AND #place BETWEEN :low AND :high",
                ExpressionAttributeNames={"#key": hash_key, "#place": "place"},
                # A space sorts before each place.
                ExpressionAttributeValues=item({":key": key, ":low": low or " ", ":high": high}),
                ScanIndexForward=False,
                Limit=limit,
            )
        return [found["place"]["S"] for found in answer["Items"]]

    def oldest(self, tenant: str) -> str | None:
        """Return the oldest place of a tenant's calls, or None if it has none."""
        with calling("Searching the calls"):
            answer = self._client.query(
                TableName=self._table,
                IndexName=STARTED,
                KeyConditionExpression="tenant = :tenant",
                ExpressionAttributeValues=item({":tenant": tenant}),
                Limit=1,
            )
        return next((found["place"]["S"] for found in answer["Items"]), None)

    def cards(self, tenant: str, calls: Iterable[str]) -> dict[str, StoredCard]:
        """Return cards by their calls' ids. Raise TransientError if one could not be read."""
        found = read_each(self._client, READING, self._table, {call: {"tenant": tenant, "id": call} for call in calls})
        for error in found.values():
            if isinstance(error, CallsealError):
                raise error
        return {call: _stored(members) for call, members in found.items() if isinstance(members, dict) and members}

    def _get(self, tenant: str, call: str) -> dict[str, Any]:
        with calling(READING):
            found = self._client.get_item(
                TableName=self._table, Key=item({"tenant": tenant, "id": call}), ConsistentRead=True
            )
        return plain(found.get("Item", {}))

    def _apply(self, changes: Mapping[CallName, Sequence[CardChange]]) -> dict[CallName, CallsealError]:
        keys = {call: {"tenant": call.tenant, "id": call.id} for call in changes}
        errors, updates = dict[CallName, CallsealError](), dict[CallName, Any]()
        for call, members in read_each(self._client, READING, self._table, keys).items():
            if isinstance(members, CallsealError):
                errors[call] = members
                continue
            before = _stored(members) if members else StoredCard(Card(call))
            after = _changed(before.card, changes[call])
            if after != before.card:
                updates[call] = {"Update": self._update(after, before)}
        return errors | write_each(self._client, WRITING, updates)

    def _update(self, card: Card, before: StoredCard) -> Any:
        """Return the update of a card's item. Attributes of other writers stay."""
        members = attributes(card) | self._moved(card, before) | {"revision": (before.revision or 0) + 1}
        given = {f":{name}": value for name, value in members.items() if value is not None}
        gone = ", ".join(f"#{name}" for name, value in members.items() if value is None)
        update = "SET " + ", ".join(f"#{name[1:]} = {name}" for name in given)
        was: dict[str, Any] = {} if before.revision is None else {":was": before.revision}
        return {
            "TableName": self._table,
            "Key": item({"tenant": card.call.tenant, "id": card.call.id}),
            "UpdateExpression": f"{update} REMOVE {gone}" if gone else update,
            "ConditionExpression": "#revision = :was" if was else "attribute_not_exists(#revision)",
            "ExpressionAttributeNames": {f"#{name}": name for name in members},
            "ExpressionAttributeValues": item(given | was),
        }

    def _moved(self, card: Card, before: StoredCard) -> dict[str, str | None]:
        if before.place in (None, place_of(card)):
            return {"moved": before.moved, "moved_from": before.moved_from}
        return {"moved": timestamp(self._clock()), "moved_from": max(before.place or "", before.moved_from or "")}


def place_of(card: Card) -> str | None:
    """Return a card's sort key in the indexes: when the call started, and its id. None if it is not listed."""
    return f"{card.started}#{card.call.id}" if card.is_listed else None


def index_key(tenant: str, value: str) -> str:
    """Return the hash key of a value in an index other than `started`. It has the tenant in it."""
    if len(value.encode()) > MAX_VALUE_BYTES:
        value = f"sha256:{sha256(value.encode()).hexdigest()}"
    return f"{tenant}#{value}"


def _changed(card: Card, changes: Sequence[CardChange]) -> Card:
    for change in changes:
        card = change(card)
    return card


def attributes(card: Card) -> dict[str, Any]:
    """Return the attributes of a card's item, but for its key. None for those that it does not have."""
    known = card.known
    values = {
        "session": card.facts.session_id,
        "party": known and known.party,
        "agent": known and known.agent,
        "queue": known and known.queue,
    }
    return {
        "name": card.call.name,
        "metadata": card.metadata,
        "source": card.source,
        "landed": card.landed,
        "facts": json.dumps(known.stored()) if known else None,
        "outcome": json.dumps(card.outcome) if card.outcome is not None else None,
        "files": json.dumps([file.stored() for file in card.files]) if card.files else None,
        "place": place_of(card),
        "holds": json.dumps(card.holds) if card.holds else None,
        "erasure_pending": 1 if card.erasure_pending else None,
        "gone": card.gone,
        "gone_at": card.gone_at,
        DUE: f"{card.dispose_on}#{card.call.id}" if card.dispose_on else None,
        **{name: index_key(card.call.tenant, value) if value else None for name, value in values.items()},
    }


def _stored(found: Mapping[str, Any]) -> StoredCard:
    card = Card(
        CallName(found["tenant"], found["name"]),
        metadata=found.get("metadata"),
        source=found.get("source"),
        known=stored_facts(json.loads(found["facts"])) if "facts" in found else None,
        outcome=json.loads(found["outcome"]) if "outcome" in found else None,
        landed=found.get("landed"),
        files=tuple(stored_file(each) for each in json.loads(found.get("files", "[]"))),
        holds=tuple(json.loads(found.get("holds", "[]"))),
        erasure_pending=bool(found.get("erasure_pending")),
        gone=found.get("gone"),
        gone_at=found.get("gone_at"),
    )
    keys = {name: found.get(name) for name in INDEXES} | {STARTED: card.call.tenant}
    return StoredCard(card, found["revision"], found.get("place"), found.get("moved"), found.get("moved_from"), keys)
