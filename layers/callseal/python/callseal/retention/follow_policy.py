"""Judge calls again after a tenant's policy has changed, as `policy_versions` says when.

An outcome that locks longer is handed to lock_recordings, which extends the locks. A shorter one shortens no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.aws.items import item, plain
from callseal.calls.call_name import CallName
from callseal.calls.call_policy import TenantPolicy
from callseal.calls.card import Card
from callseal.calls.card_table import CardChange, CardTable
from callseal.calls.card_walk import next_cards
from callseal.core.audit import timestamp
from callseal.core.clock import Clock
from callseal.inbound.run import Run
from callseal.retention.judge_again import HashOf, judged_again, with_judgement
from callseal.retention.policy_versions import PolicyVersions, Walk, seen, stored_versions
from callseal.retention.verdict import ARCHIVE, files_at

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from callseal.retention.present_policy import PresentPolicy

POLICY = "policy"


class VersionTable:
    """Reads and writes the item `policy` of a tenant in the retention table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def read(self, tenant: str) -> PolicyVersions | None:
        """Return the versions that were seen."""
        with calling("Reading the versions of a policy"):
            found = self._client.get_item(
                TableName=self._table, Key=item({"tenant": tenant, "id": POLICY}), ConsistentRead=True
            )
        return stored_versions(plain(found.get("Item", {})))

    def write(self, tenant: str, versions: PolicyVersions) -> None:
        """Write the versions that were seen."""
        with calling("Writing the versions of a policy"):
            self._client.put_item(
                TableName=self._table, Item=item({"tenant": tenant, "id": POLICY, **versions.stored()})
            )


class PolicyFollowing:
    """Judges the calls of tenants again."""

    def __init__(
        self,
        policy: PresentPolicy,
        versions: VersionTable,
        cards: CardTable,
        hash_of: HashOf,
        lock: Callable[[Sequence[CallName]], None],
        clock: Clock,
    ) -> None:
        """Take the collaborators. `lock` asks for the locks of calls."""
        self._policy, self._versions, self._cards, self._hash_of = policy, versions, cards, hash_of
        self._lock, self._clock = lock, clock

    def follow(self, tenant: str, run: Run) -> int:
        """Note the version of a tenant's policy, and judge calls by it while the run has time.

        Return how many calls were judged. The position is written after each batch, so the next run continues there.
        Raise HeldError if the settings or the policy cannot be read.
        """
        policy = self._policy.of(tenant)
        if policy is None or policy.policy is None:
            return 0
        before = self._versions.read(tenant)
        state, judged = seen(before, policy.policy.version, self._clock()), 0
        if state != before:
            self._versions.write(tenant, state)
        while state.walk != "none" and run.has_time:
            cards, position = next_cards(self._cards, tenant, state.position)
            judged += self._judge(cards, policy, state.walk)
            state = replace(state, position=position) if position else state.walked()
            self._versions.write(tenant, state)
        return judged

    def _judge(self, cards: Sequence[Card], policy: TenantPolicy, walk: Walk) -> int:
        changes, judged = dict[CallName, Sequence[CardChange]](), list[Card]()
        for card in cards:
            outcome = judged_again(card, policy, self._hash_of) if walk == "all" or card.outcome is None else None
            if outcome:
                changes[card.call] = [with_judgement(outcome, card)]
            judged.append(card.with_outcome(outcome) if outcome else card)
        for error in self._cards.apply(changes).values():
            raise error
        # Those that were judged before are among them: the run that judged them may have ended before it came here.
        if to_lock := [card.call for card in judged if self._locks_longer(card, policy)]:
            self._lock(to_lock)
        return len(changes)

    def _locks_longer(self, card: Card, policy: TenantPolicy) -> bool:
        """Return whether the policy's class locks a file of a call longer than it was locked at its delivery."""
        outcome, present = card.outcome or {}, policy.policy
        if present is None or outcome.get("version") != present.version:
            return False
        if present.classes[outcome["class"]].lock == "none":
            return False
        until = outcome["keep_until"] or ""
        files = (delivery for file in files_at(card, ARCHIVE) for delivery in file.deliveries)
        return until > timestamp(self._clock()) and any((delivery.until or "") < until for delivery in files)
