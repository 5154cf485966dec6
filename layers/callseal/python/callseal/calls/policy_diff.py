"""What a new policy would change for the calls that are there: class, hold, disposal and lock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from callseal.calls.card import Card
from callseal.calls.classes import Class, dispose_on, keep_until
from callseal.calls.conditions import CountryOf, Hashed
from callseal.calls.decisions import Outcome
from callseal.calls.facts import Facts
from callseal.calls.outcome_member import outcome_of
from callseal.calls.policy import Policy, default_outcome, judge
from callseal.core.errors import NotJudgedError

_DAY = timedelta(days=1)
COUNTS = ("calls", "class_changes", "would_be_held", "deletable_tonight", "locked_longer", "not_judged")


@dataclass(frozen=True, slots=True)
class DecidedCall:
    """A card: its facts, when the call ended (when it landed, if that is not known), and its outcome.

    `facts` is None if no metadata was read, and `outcome` is None if there was no policy. `hashed` is given if the card
    is blind.
    """

    facts: Facts | None
    ended: datetime
    outcome: Outcome | None
    hashed: Hashed | None = None


def decided_call(card: Card, old: Policy | None, country_of: CountryOf, hashed: Hashed) -> DecidedCall:
    """Return a card's call with its outcome by the old policy.

    An outcome of that version on the card is taken from there. It was judged before the facts were hashed.
    """
    facts, known = card.known.with_hashes if card.known else None, card.known
    call = DecidedCall(facts, _ended(card), None, hashed if known and known.is_blind else None)
    if old is None:
        return call
    if card.outcome and card.outcome["version"] == old.version:
        return replace(call, outcome=outcome_of(card.outcome))
    try:
        return replace(call, outcome=_judged(old, call, country_of))
    except NotJudgedError:
        return replace(call, outcome=outcome_of(card.outcome) if card.outcome else default_outcome(old))


def compare(
    old: Policy | None, new: Policy, cards: Iterable[DecidedCall], country_of: CountryOf, now: datetime
) -> dict[str, int]:
    """Return how many calls there are, and how many of them the new policy changes in which way.

    - `class_changes`: the name of the class changes;
    - `would_be_held`: held by the new policy, and not before;
    - `deletable_tonight`: to be disposed of by the next midnight in UTC, and not before;
    - `locked_longer`: locked until a later date than before;
    - `not_judged`: a blind card cannot be judged by the new policy, so the call keeps its outcome and is counted
      nowhere else.
    """
    counts = dict.fromkeys(COUNTS, 0)
    tonight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
    for card in cards:
        counts["calls"] += 1
        try:
            outcome = _judged(new, card, country_of)
        except NotJudgedError:
            counts["not_judged"] += 1
            continue
        for name, is_changed in _changes(card, _class(old, card.outcome), outcome, new, tonight).items():
            counts[name] += is_changed
    return counts


def _ended(card: Card) -> datetime:
    """Return when a call ended, or else when it landed. Raise ValueError for a card that is not listed."""
    if card.facts.ended is None and card.landed is None:
        raise ValueError("no file of the call has landed")
    return card.facts.ended or datetime.fromisoformat(str(card.landed))


def _judged(policy: Policy, call: DecidedCall, country_of: CountryOf) -> Outcome:
    """Return a policy's outcome for a call, as read_metadata and encrypt_recording judge it. Raise NotJudgedError."""
    return judge(policy, call.facts, country_of, call.hashed) if call.facts else default_outcome(policy)


def _changes(card: DecidedCall, before: Class, outcome: Outcome, new: Policy, tonight: datetime) -> dict[str, bool]:
    after, was = new.classes[outcome.class_], card.outcome
    return {
        "class_changes": was is None or was.class_ != outcome.class_,
        "would_be_held": outcome.held is not None and (was is None or was.held is None),
        "deletable_tonight": _is_due(after, card.ended, tonight) and not _is_due(before, card.ended, tonight),
        "locked_longer": _locked_until(after, card.ended, tonight) > _locked_until(before, card.ended, tonight),
    }


def _class(policy: Policy | None, outcome: Outcome | None) -> Class:
    """Return the class of an earlier outcome; a class that its policy no longer has keeps and disposes of nothing."""
    return policy.classes.get(outcome.class_, Class()) if policy and outcome else Class()


def _is_due(class_: Class, ended: datetime, tonight: datetime) -> bool:
    end = dispose_on(class_, ended)
    return end is not None and end <= tonight


def _locked_until(class_: Class, ended: datetime, tonight: datetime) -> datetime:
    """Return the end of the lock; without a lock, or if it ends tonight or before, that is tonight."""
    return max(tonight, (keep_until(class_, ended) if class_.lock != "none" else None) or tonight)
