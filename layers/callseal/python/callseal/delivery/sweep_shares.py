"""Shares of a sweep: each tenant has turns, a position where the next run continues, and a part of the queue.

This module makes no requests. Times are the starts of runs, in UTC.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

from callseal.core.landing import tenant_of
from callseal.delivery.sweep_retries import retries

# With this many messages in the queue, a run adds only what `GUARANTEED` allows: the other files have their own events.
ENOUGH_WAITING = 20_000
# The most that a share adds in one run, so that the failures of one tenant leave most of the queue to the others.
OF_ONE_SHARE = ENOUGH_WAITING // 4
# What a share may add however long the queue is, so that its lost events recover during another tenant's backlog.
GUARANTEED = 10
# The share of all files that are in no tenant's folder. No tenant has this name.
NO_TENANT = "/"
# The most files of a share that a run records as failed. They are due in the next run.
MAX_FAILED = 100
NEVER = datetime.min.replace(tzinfo=UTC)
UNSERVED = ("waiting", "left")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the passes over a share's files have come.

    `previous` is when the pass before began, and `visited` when a run last looked at the share. `began` is None between
    two passes. A pass that has begun continues after the key `after`. `failed` are keys that are due whatever their
    age.
    """

    previous: datetime
    visited: datetime
    began: datetime | None = None
    after: str = ""
    failed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class State:
    """What a run leaves for the next one. The last run has seen all files of the shares without a progress."""

    last_run: datetime = NEVER
    shares: Mapping[str, Progress] = field(default_factory=dict)
    stuck: frozenset[str] = frozenset()

    def progress(self, share: str) -> Progress:
        """Return a share's progress, by default that of a complete pass in the last run."""
        return self.shares.get(share) or Progress(self.last_run, self.last_run)

    def changed_since(self, before: State) -> dict[str, Progress]:
        """Return the progress of the shares that another run has written since `before` was read."""
        return {name: progress for name, progress in self.shares.items() if before.shares.get(name) != progress}


class Turns:
    """The turns of one share in one run. Call `note` with the state of every file, in the order of their keys."""

    def __init__(self, share: str, prefixes: Iterable[str], progress: Progress, started: datetime) -> None:
        """Continue a share's pass, or begin one."""
        self.share, self._progress, self._started = share, progress, started
        self.after = self._served = progress.after
        self._prefixes = deque(prefix for prefix in prefixes if prefix > self.after or self.after.startswith(prefix))
        self._unserved = self._was_visited = False
        self._failed: set[str] = set()

    @property
    def prefix(self) -> str:
        """The prefix to list next, after the key `after`: a folder, or one key at the top of the bucket."""
        return self._prefixes[0]

    @property
    def ended(self) -> bool:
        """Whether everything has been listed."""
        return not self._prefixes

    def listed(self, last_key: str, more: bool) -> None:
        """Continue after a key, or with the next prefix if the first one has no `more`."""
        self._was_visited = True
        self.after = last_key or self.after
        if not more:
            self._prefixes.popleft()

    def is_due(self, key: str, landed_at: datetime) -> bool:
        """Return whether a requeue has become due since the last pass looked at a file, or whether that look failed.

        The exact time of that look is unknown, so the start of its pass counts. A long pass may requeue a file once
        more.
        """
        due = retries(self._started - landed_at) > retries(self._progress.previous - landed_at)
        return due or key in self._progress.failed

    def note(self, key: str, state: str) -> None:
        """Record a file's state: where the next run continues is before the first file that got no room or no time."""
        if state == "failed" and len(self._failed) < MAX_FAILED:
            self._failed.add(key)
        self._unserved = self._unserved or state in UNSERVED
        if not self._unserved:
            self._served = key

    def progress(self) -> Progress | None:
        """Return the progress to write, None after a complete pass within this run that had no failure."""
        if not self._was_visited:
            return self._progress
        began, failed = self._progress.began or self._started, frozenset(self._failed)
        if not self.ended or self._unserved:
            failed |= self._progress.failed if len(failed) < MAX_FAILED else frozenset()
            return Progress(self._progress.previous, self._started, began, self._served, failed)
        return Progress(began, self._started, failed=failed) if failed or began != self._started else None


class Room:
    """The number of messages that shares may still send in this run. Safe to use from several threads."""

    def __init__(self, backlog: int) -> None:
        """Take the number of messages in the queue."""
        self._left, self._taken, self._lock = ENOUGH_WAITING - backlog, Counter[str](), Lock()

    def take(self, share: str) -> bool:
        """Return whether the share may send one more message, and count it."""
        with self._lock:
            most = OF_ONE_SHARE if self._left > 0 else GUARANTEED
            if self._taken[share] >= most:
                return False
            self._taken[share] += 1
            self._left -= 1
            return True


def turns_of(names: Iterable[str], state: State, started: datetime) -> list[Turns]:
    """Return the shares' turns, first those that no run has looked at for longest.

    `names` are the first folders of landing, each with its `/`, and the keys without one.
    """
    folders: dict[str, list[str]] = {}
    for name in names:
        folders.setdefault(tenant_of(name) or NO_TENANT, []).append(name)
    ordered = sorted(folders, key=lambda share: (state.progress(share).visited, share))
    return [Turns(share, sorted(folders[share]), state.progress(share), started) for share in ordered]
