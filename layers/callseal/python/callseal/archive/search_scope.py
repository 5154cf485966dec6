"""A user's grants as a narrower search: what an index can leave out before `may` decides about each card."""

from __future__ import annotations

from datetime import timedelta

from callseal.archive.access import Grant
from callseal.archive.visit import Visit
from callseal.calls.search import Scope


def search_grants(visit: Visit) -> list[Grant]:
    """Return the grants that let the user search."""
    return [grant for grant in visit.access.grants if grant.group in visit.user.groups and "search" in grant.may]


def scope_of(visit: Visit) -> Scope:
    """Return what every call that the user may find has in common. It never leaves out a call that `may` allows."""
    grants = search_grants(visit)
    ages = [grant.days for grant in grants]
    days = None if None in ages else max((age for age in ages if age is not None), default=None)
    names = frozenset(name for name in (visit.user.email, visit.user.agent) if name)
    queues = frozenset(queue for grant in grants for queue in grant.queues)
    return Scope(
        since=visit.now - timedelta(days=days) if days is not None else None,
        agents=names if grants and all(grant.scope == "own" for grant in grants) else None,
        queues=queues if queues and not any("*" in queue for queue in queues) else None,
    )
