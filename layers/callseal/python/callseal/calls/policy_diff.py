"""What a new policy would change for the calls that are there: class, hold, disposal and lock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from callseal.calls.classes import Class, dispose_on, keep_until
from callseal.calls.conditions import CountryOf, Hashed
from callseal.calls.decisions import Outcome
from callseal.calls.facts import Facts
from callseal.calls.policy import Policy, judge
from callseal.core.errors import NotJudgedError

_DAY = timedelta(days=1)
COUNTS = ("calls", "class_changes", "would_be_held", "deletable_tonight", "locked_longer", "not_judged")


@dataclass(frozen=True, slots=True)
class DecidedCall:
    """A card: its facts, when the call ended (when it landed, if that is not known), and its outcome.

    `outcome` is None if there was no policy. `hashed` is given if the card is blind.
    """

    facts: Facts
    ended: datetime
    outcome: Outcome | None
    hashed: Hashed | None = None


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
            outcome = judge(new, card.facts, country_of, card.hashed)
        except NotJudgedError:
            counts["not_judged"] += 1
            continue
        for name, is_changed in _changes(card, _class(old, card.outcome), outcome, new, tonight).items():
            counts[name] += is_changed
    return counts


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
