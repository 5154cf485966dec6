"""The tenants of the year, their policies, and the calls of each day, drawn from the seed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

# It has a February of 29 days soon, and the keys of the tests outlive it.
START = datetime(2032, 1, 25, tzinfo=UTC)
# Durations of classes, in a run of some weeks and in one of a year.
WEEKS = ("2d", "4d", "7d", "10d", "15d", "1m")
YEAR = ("5d", "12d", "1m", "45d", "2m", "90d", "4m", "6m")
SHORT_RUN = 100
CALLERS = 12
# A day of unusual volume: how many calls of the tenant `delta` land beside the others, in a run of some weeks and in
# one of a year. The brake acts above so many calls: in some weeks above 12, because 100 calls take long.
VOLUME, BRAKE_CALLS = ((14, 18), (105, 130)), (12, 100)
VOLUME_TENANT = "delta"
PUZZEL = {"metadata_profile": "puzzel", "default_region": "NO"}
ARCHIVED = {"deliver_to_archive": True, "archive_formats": ["wav"]} | PUZZEL


@dataclass(frozen=True)
class Tenant:
    """A tenant: what its files are sealed with, its settings, and the lock of the class of each of its queues.

    The queue None is for calls without metadata, which belong to the default class.
    """

    name: str
    envelope: str | None
    settings: Mapping[str, Any]
    locks: Mapping[str, str] = field(default_factory=dict)
    default_lock: str = "none"

    @property
    def is_blind(self) -> bool:
        """Whether its calls are indexed by hashes."""
        return self.settings["call_index"] == "blind"

    @property
    def queues(self) -> tuple[str | None, ...]:
        """The queues of its calls."""
        return (*self.locks, "other") if self.locks else (None,)


TENANTS = (
    Tenant("alfa", "x509", ARCHIVED | {"call_index": "plain"}, {"orders": "compliance", "sales": "governance"}),
    Tenant("beta", "openpgp", ARCHIVED | {"call_index": "blind"}, {"claims": "governance", "service": "none"}),
    Tenant("gamma", "x509", ARCHIVED | {"call_index": "blind", "only_encrypt_sftp": True},
           {"trade": "compliance", "desk": "governance"}, "governance"),
    Tenant("delta", None, ARCHIVED | {"call_index": "plain", "encrypt": False, "deliver_to_sftp": False}),
    Tenant("echo", None, ARCHIVED | {"call_index": "plain", "encrypt": False}, {"front": "none", "back": "governance"}),
)  # fmt: skip
BY_NAME = {tenant.name: tenant for tenant in TENANTS}


@dataclass(frozen=True)
class PlannedCall:
    """A call that will land. `has_stray` means that one more of its files stays in landing."""

    tenant: str
    name: str
    queue: str | None
    caller: str
    started: datetime
    ended: datetime
    landed: datetime
    is_metadata_first: bool
    is_fetched: bool
    has_stray: bool


def durations(days: int) -> tuple[str, ...]:
    """Return the durations for a run of so many days."""
    return WEEKS if days < SHORT_RUN else YEAR


def first_policy(tenant: Tenant, random: Random, days: int) -> dict[str, Any]:
    """Return a tenant's first policy: a class for each queue, and the default class."""
    classes = {f"of {queue}": _class(lock, random, days) for queue, lock in tenant.locks.items()}
    classes["default"] = _class(tenant.default_lock, random, days)
    rules = [{"rule": f"for {queue}", "when": {"queue": [queue]}, "class": f"of {queue}"} for queue in tenant.locks]
    return {"schema": 1, "classes": classes, "rules": rules, "default": {"class": "default"}}


def changed_policy(policy: Mapping[str, Any], random: Random, days: int) -> dict[str, Any]:
    """Return a policy with one class that is shorter or longer than before."""
    changed = copy.deepcopy(dict(policy))
    name = random.choice(sorted(changed["classes"]))
    before = changed["classes"][name]
    while changed["classes"][name] == before:
        changed["classes"][name] = _class(before["lock"], random, days)
    return changed


def calls_of(day: datetime, random: Random, a_day: float, volume: tuple[int, int] | None) -> list[PlannedCall]:
    """Return the calls of a day in the order of their landing. `volume` is set on a day of unusual volume."""
    count = int(a_day) + (random.random() < a_day % 1)
    planned = [_call(random.choice(TENANTS), day, number, random) for number in range(count)]
    if volume:
        more = range(count, count + random.randint(*volume))
        planned += [_call(BY_NAME[VOLUME_TENANT], day, number, random) for number in more]
    return sorted(planned, key=lambda call: call.landed)


def metadata_of(call: PlannedCall) -> bytes:
    """Return the metadata in Puzzel's layout."""
    return (
        f'<recording><session id="{call.name.rpartition("/")[2]}" start="{call.started.isoformat()}" '
        f'end="{call.ended.isoformat()}"/><request remoteAddress="{call.caller}" queueKey="{call.queue}"/>'
        f'<agent id="1042"/></recording>'
    ).encode()


def _class(lock: str, random: Random, days: int) -> dict[str, Any]:
    keep = random.choice(durations(days)) if lock != "none" or random.random() < 0.3 else None
    delete_after = random.choice(durations(days)) if random.random() < 0.95 else None
    return {"keep": keep, "delete_after": delete_after, "lock": lock, "basis": "the year"}


def _call(tenant: Tenant, day: datetime, number: int, random: Random) -> PlannedCall:
    started = day + timedelta(hours=8, minutes=random.randrange(540), seconds=random.randrange(60))
    ended = started + timedelta(seconds=random.randrange(20, 900))
    return PlannedCall(
        tenant.name, f"{day:%Y/%m/%d}/{number}_1", random.choice(tenant.queues),
        f"+47900000{random.randrange(CALLERS):02}", started, ended, ended + timedelta(minutes=random.randrange(1, 60)),
        random.random() < 0.5, random.random() < 0.5, random.random() < 0.1,
    )  # fmt: skip
