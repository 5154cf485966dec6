"""The report of a sweep: counts, ages and stuck tenants, and their metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from callseal.core.metrics import Metric

# The threshold of the alarm on OldestPendingAge in template.yaml.
STUCK = timedelta(minutes=30)
HELD = ("held", "overdue", "unreadable")
# Held until erase_recordings erases them, so their age is no cause to act.
DENIED = "denied"
PENDING = ("put_back", "pending", "waiting", "failed")


@dataclass(slots=True)
class Stuck:
    """A share's files that have been pending for over 30 minutes; `oldest` is the greatest age."""

    files: int = 0
    oldest: timedelta = timedelta()


@dataclass(slots=True)
class SweepReport:
    """What a run has seen: the number of files by state (`released`, `put_back`, `held` and so on), and their ages.

    A held file is `overdue` if its tenant's setting says that its metadata should have landed, and `denied` if its
    tenant's policy says that it must not be kept. Ages are since landing.
    `stuck` has the shares with files that have been pending for too long. `newly_stuck` has those of them that were not
    stuck in the last run. `seen` has all shares with a file.
    """

    counts: Counter[str] = field(default_factory=Counter)
    oldest: dict[str, timedelta] = field(default_factory=dict)
    stuck: dict[str, Stuck] = field(default_factory=dict)
    newly_stuck: frozenset[str] = frozenset()
    seen: set[str] = field(default_factory=set)

    def add(self, share: str, state: str, age: timedelta) -> None:
        """Count a file; `age` is since landing."""
        self.counts[state] += 1
        self.seen.add(share)
        self.oldest[state] = max(age, self.oldest.get(state, age))
        if state in PENDING and age > STUCK:
            stuck = self.stuck.setdefault(share, Stuck())
            stuck.files, stuck.oldest = stuck.files + 1, max(stuck.oldest, age)

    def samples(self) -> Iterator[Metric]:
        """Return the metrics of a run over the whole landing bucket."""
        for name, states in {"Held": HELD, "Pending": PENDING}.items():
            oldest = max((self.oldest[state] for state in states if state in self.oldest), default=timedelta())
            counted = (*states, DENIED) if states is HELD else states
            yield Metric(f"{name}Files", sum(self.counts[state] for state in counted))
            yield Metric(f"Oldest{name}Age", oldest.total_seconds())
        yield Metric("MetadataOverdue", self.counts["overdue"])
        yield Metric("TenantsStuck", len(self.stuck))
        yield Metric("TenantsNewlyStuck", len(self.newly_stuck))
