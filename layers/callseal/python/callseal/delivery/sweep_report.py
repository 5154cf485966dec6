"""What a sweep has seen: counts, ages and the tenants that are stuck, and the metrics of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from callseal.core.metrics import Metric

# As the alarm on OldestPendingAge has it in template.yaml.
STUCK = timedelta(minutes=30)
PENDING = ("put_back", "pending", "waiting", "failed")


@dataclass(slots=True)
class Stuck:
    """A share's files that have been pending for over 30 minutes."""

    files: int = 0
    oldest: timedelta = timedelta()


@dataclass(slots=True)
class SweepReport:
    """What a run has seen: how many files were `released`, `put_back`, `held` still, and so on; ages from landing.

    `stuck` has the shares with such files, `newly_stuck` those of them that the last run had not.
    """

    counts: Counter[str] = field(default_factory=Counter)
    oldest: dict[str, timedelta] = field(default_factory=dict)
    stuck: dict[str, Stuck] = field(default_factory=dict)
    newly_stuck: frozenset[str] = frozenset()
    seen: set[str] = field(default_factory=set)

    def add(self, share: str, state: str, age: timedelta) -> None:
        """Count a file."""
        self.counts[state] += 1
        self.seen.add(share)
        self.oldest[state] = max(age, self.oldest.get(state, age))
        if state in PENDING and age > STUCK:
            one = self.stuck.setdefault(share, Stuck())
            one.files, one.oldest = one.files + 1, max(one.oldest, age)

    def samples(self) -> Iterator[Metric]:
        """Return the metrics of a run over all of landing."""
        for name, states in {"Held": ("held", "unreadable"), "Pending": PENDING}.items():
            oldest = max((self.oldest[state] for state in states if state in self.oldest), default=timedelta())
            yield Metric(f"{name}Files", sum(self.counts[state] for state in states))
            yield Metric(f"Oldest{name}Age", oldest.total_seconds())
        yield Metric("TenantsStuck", len(self.stuck))
        yield Metric("TenantsNewlyStuck", len(self.newly_stuck))
