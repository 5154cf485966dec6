"""When a tenant's calls follow a new version of its policy.

Calls that landed before a version was first seen follow it 3 days later, so that a mistake can be corrected before it
deletes anything. A call that lands later is judged by the version at once, as it is delivered. A tenant's first version
is followed at once by the calls that no version has judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from callseal.core.audit import timestamp

DELAY = timedelta(days=3)
# Which calls are judged again: those that no version has judged, or all. `none` is between and after the two.
Walk = Literal["unjudged", "all", "none"]


@dataclass(frozen=True, slots=True)
class PolicyVersions:
    """The version that is in force, since when it has been seen, and how far the calls follow it.

    `walk` is which calls are judged now, and `position` where that continues. `done` means that all calls follow.
    """

    version: str
    since: str
    walk: Walk
    position: str | None = None
    done: int = 0

    def follows(self, now: datetime) -> PolicyVersions:
        """Return which calls are judged now."""
        is_over = now - datetime.fromisoformat(self.since) >= DELAY
        if self.done or not is_over or self.walk == "all":
            return self
        return replace(self, walk="all", position=None)

    def walked(self) -> PolicyVersions:
        """Return the state after all calls of the walk were judged."""
        return replace(self, walk="none", position=None, done=1 if self.walk == "all" else 0)

    def stored(self) -> dict[str, Any]:
        """Return the members as the item stores them."""
        return asdict(self)


def seen(before: PolicyVersions | None, version: str, now: datetime) -> PolicyVersions:
    """Return the state of a tenant whose policy has this version. `before` is None if no version was seen before.

    A version that comes back is a new one: what it makes deletable waits again.
    """
    if before and before.version == version:
        return before.follows(now)
    return PolicyVersions(version, timestamp(now), "none" if before else "unjudged")


def stored_versions(members: Mapping[str, Any]) -> PolicyVersions | None:
    """Return the state from an item's members, or None if there is no item."""
    if not members:
        return None
    return PolicyVersions(
        **{field.name: members[field.name] for field in fields(PolicyVersions) if field.name in members}
    )
