"""The facts of a call as its card holds them: in the clear, or with keyed hashes of the members that name people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from callseal.calls.facts import Facts, Flags
from callseal.core.audit import timestamp

# What a value is, so that a number and an agent's name with the same text have different hashes.
Kind = Literal["number", "agent", "queue"]
# The members that a blind card has only as hashes.
HASHED: Mapping[str, Kind] = {"caller": "number", "callee": "number", "agent": "agent", "queue": "queue"}


@dataclass(frozen=True, slots=True)
class CardFacts:
    """The facts on a card.

    On a blind card, the members in HASHED are None in `facts`, and `hashed` has the hashes of those that the metadata
    names. `party` is the value by which a search finds the outside party: a number, a hash, or None if the party is
    withheld or the tenant's own.
    """

    facts: Facts
    hashed: Mapping[str, str] = field(default_factory=dict)
    party: str | None = None
    is_blind: bool = False

    @property
    def agent(self) -> str | None:
        """The value by which a search finds the agent."""
        return self.facts.agent or self.hashed.get("agent")

    @property
    def queue(self) -> str | None:
        """The value by which a search finds the queue."""
        return self.facts.queue or self.hashed.get("queue")

    @property
    def with_hashes(self) -> Facts:
        """The facts for a policy: on a blind card, the members that name people are hashes."""
        hashes: Any = dict(self.hashed)
        return replace(self.facts, **hashes)

    def stored(self) -> dict[str, Any]:
        """Return the facts as a value for JSON."""
        times = {name: _text(getattr(self.facts, name)) for name in ("started", "ended")}
        return {**asdict(self), "facts": asdict(self.facts) | times}


def plain_facts(facts: Facts, is_own: Callable[[str], bool]) -> CardFacts:
    """Return the facts for a plain card. `is_own` returns whether a number is the tenant's, which is not indexed."""
    party = facts.outside_party
    return CardFacts(facts, party=party if party and not is_own(party) else None)


def blind_facts(facts: Facts, is_own: Callable[[str], bool], hashed: Callable[[Kind, str], str]) -> CardFacts:
    """Return the facts for a blind card. `hashed` returns the keyed hash of a value of a kind.

    The tenant's own numbers are neither stored nor hashed.
    """
    values = {name: getattr(facts, name) for name in HASHED}
    to_hash = {name: text for name, text in values.items() if text and not (HASHED[name] == "number" and is_own(text))}
    hashes = {name: hashed(HASHED[name], text) for name, text in to_hash.items()}
    party = hashes.get("callee" if facts.direction == "outgoing" else "caller")
    hidden = replace(facts, caller=None, callee=None, agent=None, queue=None)
    return CardFacts(hidden, hashes, party, is_blind=True)


def stored_facts(members: Mapping[str, Any]) -> CardFacts:
    """Return facts from the value that `CardFacts.stored` returned, after JSON."""
    facts: dict[str, Any] = members["facts"]
    times = {name: _moment(facts[name]) for name in ("started", "ended")}
    return CardFacts(**{**members, "facts": Facts(**facts | times | {"flags": Flags(**facts["flags"])})})


def _text(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
