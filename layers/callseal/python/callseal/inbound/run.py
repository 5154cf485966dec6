"""Scheduled runs with a time limit. A run that is cut short omits other items than the run before it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

from callseal.core.clock import Clock

Item = TypeVar("Item")


class Run:
    """The time of one run of a scheduled function. `limit` stays below the function's timeout in template.yaml."""

    def __init__(self, clock: Clock, limit: timedelta) -> None:
        """Start the run now."""
        self.started: datetime = clock()
        self._clock, self._limit = clock, limit

    @property
    def has_time(self) -> bool:
        """Whether the run may start further work."""
        return self._clock() - self.started <= self._limit

    def shuffled(self, items: Iterable[Item]) -> list[Item]:
        """Return the items in an order that differs from run to run, so that each comes early in some run."""
        order = list(items)
        Random(self.started.isoformat()).shuffle(order)  # noqa: S311  # not used for secrets
        return order
