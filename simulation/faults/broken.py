"""Variants that break each promise on purpose. The enumeration proves nothing unless it detects them.

Each function is called in the execution environment's process, before its first event.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any
from uuid import uuid4

from callseal.aws.bus import AuditBus
from callseal.calls.call_policy import CallPolicies
from callseal.core import audit
from callseal.core.audit import AuditEvent
from callseal.core.errors import HeldError, TransientError
from callseal.core.landing import LandedObject, parse_landing_key
from callseal.delivery.commit import Committer
from callseal.delivery.deliver import Delivery
from callseal.delivery.planning import Plan, Planner
from callseal.delivery.routing import find_routes
from callseal.tenants import directory

OTHER_KEY = "ANOTHER_TENANTS_KEY"


@dataclass(frozen=True)
class Variant:
    """One broken promise, and the scenarios that detect it."""

    what: str
    break_it: Callable[[], None]
    scenarios: tuple[str, ...]
    promise: int


def _purge_before_the_audit() -> None:
    tell = Delivery._report

    def purge(self: Any, landed: LandedObject, *rest: Any) -> str:
        self._landing.purge(landed)
        return tell(self, landed, *rest)

    Delivery._report = purge  # type: ignore[method-assign]


def _plain_where_there_is_no_key() -> None:
    planned = Planner.plan

    def plan(self: Any, landed: LandedObject, *rest: Any, **more: Any) -> Plan:
        try:
            return planned(self, landed, *rest, **more)
        except HeldError:
            file = parse_landing_key(landed.key)
            settings = self._tenants.settings(file.tenant)
            plain = tuple(replace(way, sealed=False) for way in find_routes(settings, file))
            return Plan(landed, file, settings, plain, None, self._buckets)

    Planner.plan = plan  # type: ignore[method-assign]


def _another_tenants_key() -> None:
    judged = directory.judge
    directory.judge = lambda _, *rest: judged(os.environ[OTHER_KEY], *rest)  # type: ignore[attr-defined]


def _what_arrived_is_good_enough() -> None:
    written = Committer._write_envelope

    def write(self: Any, plan: Plan, source: Any, size: int, sink: Any) -> None:
        arrived = bytearray()
        with suppress(TransientError):
            while data := source.read(1024):
                arrived += data
        written(self, plan, BytesIO(arrived), len(arrived), sink)

    Committer._write_envelope = write  # type: ignore[method-assign]


def _an_id_by_chance() -> None:
    made = audit.delivered

    def delivered(*arguments: Any) -> AuditEvent:
        event = made(*arguments)
        return replace(event, detail=event.detail | {"id": uuid4().hex})

    audit.delivered = delivered


def _held_in_silence() -> None:
    put = AuditBus.put

    def put_others(self: Any, event: AuditEvent) -> None:
        if event.detail_type != "RecordingHeld":
            put(self, event)

    AuditBus.put = put_others  # type: ignore[method-assign]


def _the_key_in_the_log() -> None:
    deliver = Delivery.deliver

    def tell(self: Any, landed: LandedObject, *rest: Any) -> Any:
        print(f"delivering {landed.key}")
        return deliver(self, landed, *rest)

    Delivery.deliver = tell  # type: ignore[method-assign]


def _the_policy_holds_nothing() -> None:
    of_call = CallPolicies._ruling_of_call

    def ruling(self: Any, *rest: Any) -> Any:
        found = of_call(self, *rest)
        return found and replace(found, outcome=replace(found.outcome, held=None))

    CallPolicies._ruling_of_call = ruling  # type: ignore[method-assign]


# The first seven are in the order of the promises in README.md, the last breaks the promise about policies.
VARIANTS = (
    Variant("purged before the audit", _purge_before_the_audit, ("cms to sftp",), 1),
    Variant("delivered plain where there is no key", _plain_where_there_is_no_key, ("held, released by the sweep",), 2),
    Variant("sealed to another tenant's key", _another_tenants_key, ("cms to sftp",), 3),
    Variant("what arrived before the read broke is delivered", _what_arrived_is_good_enough, ("cms to sftp",), 4),
    Variant("a repeated event has another id", _an_id_by_chance, ("purge failed",), 5),
    Variant("held without an event", _held_in_silence, ("unsupported",), 6),
    Variant("a landing key in the log", _the_key_in_the_log, ("cms to sftp",), 7),
    Variant(
        "a file that the policy holds is delivered", _the_policy_holds_nothing, ("call: denied, metadata first",), 8
    ),
)
