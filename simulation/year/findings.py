"""What the judge finds wrong, counted by kind."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

EARLY, LATE, UNSAID = "gone too early", "there too long", "erased in part unsaid"
LOCK, HOLD, BRAKE, OTHER = "lock wrong", "hold ignored", "brake wrong", "other"
KINDS = (EARLY, LATE, UNSAID, LOCK, HOLD, BRAKE, OTHER)


class Findings:
    """Counts findings. The same sentence counts once."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.counts = Counter[str]()
        self._seen = set[tuple[str, str]]()

    def add(self, kind: str, at: datetime, sentence: str) -> None:
        """Add a finding."""
        if (kind, sentence) not in self._seen:
            self._seen.add((kind, sentence))
            self.counts[kind] += 1
            self.lines.append(f"{at:%Y-%m-%d %H:%M} {kind}: {sentence}")
