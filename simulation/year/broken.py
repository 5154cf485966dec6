"""The product, broken on purpose. The judge proves nothing unless it finds each of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from callseal.calls.classes import Class, dispose_on, keep_until
from callseal.retention.erasure_places import CallPlaces
from simulation.year.findings import BRAKE, EARLY, HOLD, LATE, LOCK, UNSAID


def _a_day_short(of: Callable[[Class, datetime], datetime | None]) -> Any:
    def short(class_: Class, ended: datetime) -> datetime | None:
        until = of(class_, ended)
        return until - timedelta(days=1) if until else None

    return short


def _nothing(*_: Any) -> Iterator[Any]:
    return iter(())


_delivered = CallPlaces.delivered


def _all_but_the_area(self: CallPlaces, call: Any) -> list[Any]:
    return [stored for stored in _delivered(self, call) if stored.place != "sftp"]


# What each breaks: the attributes with what takes their place, and the kinds of findings of which there must be one.
VARIANTS: Mapping[str, tuple[Mapping[str, Any], set[str]]] = {
    "holds": ({
               "callseal.retention.active_holds.ActiveHolds.covers": lambda *_: lambda _card: False,
               "callseal.retention.place_holds.HoldPlacing._settle": lambda *_, **__: []}, {HOLD}),
    "keep": ({"callseal.calls.outcome_member.keep_until": _a_day_short(keep_until),
              "callseal.calls.call_policy.keep_until": _a_day_short(keep_until)}, {LOCK}),
    "dates": ({"callseal.calls.outcome_member.dispose_on": _a_day_short(dispose_on)}, {EARLY}),
    "grace": ({"callseal.retention.policy_versions.DELAY": timedelta()}, {EARLY, LOCK}),
    "brake": ({"callseal.retention.due_calls.is_unusual": lambda *_: False}, {BRAKE}),
    "area": ({"callseal.retention.erasure_places.CallPlaces.delivered": _all_but_the_area}, {UNSAID, LATE}),
    "landing": ({"callseal.retention.erasure_places.CallPlaces._objects": _nothing}, {UNSAID, LATE}),
    "disposal": ({"callseal.retention.dispose_calls.verdict": lambda *_: "later"}, {LATE}),
}  # fmt: skip


@contextmanager
def broken(name: str | None) -> Iterator[None]:
    """Break the product in one way, or in none."""
    attributes = VARIANTS[name][0] if name else {}
    patches = [patch(attribute, value) for attribute, value in attributes.items()]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()
