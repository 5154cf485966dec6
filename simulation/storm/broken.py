"""Promises broken on purpose, in the workers' own processes. The storm proves nothing unless it detects them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from zlib import crc32

from callseal.archive import open_recording
from callseal.archive.access import Grant
from callseal.archive.access_trail import AccessTrail
from callseal.archive.archive_bucket import ArchiveBucket
from callseal.archive.byte_range import ByteRange
from callseal.archive.may import Allowed
from callseal.archive.share import Share
from callseal.archive.share_table import ShareTable
from callseal.archive.visit import CallAccess, Visit
from callseal.calls.card import Card
from callseal.core.landing import LandedObject
from callseal.delivery import sweep_landing
from callseal.delivery.deliver import Delivery, Outcome
from callseal.delivery.sweep_shares import State, Turns
from simulation.faults.broken import VARIANTS as FAULTS
from simulation.faults.broken_law import copies_stay, holds_keep_nothing, the_ledger_is_not_written


def _purge_without_output() -> None:
    delivered = Delivery._deliver

    def purge(self: Any, landed: LandedObject) -> Outcome:
        if crc32(landed.key.encode()) % 5:
            return delivered(self, landed)
        self._landing.purge(landed)
        return Outcome("delivered")

    Delivery._deliver = purge  # type: ignore[method-assign]


def unfair() -> None:
    """Sweep all tenants as one share, in the order of their keys."""

    def one_share(names: Any, state: State, started: Any) -> list[Turns]:
        return [Turns("all", sorted(names), state.progress("all"), started)]

    sweep_landing.turns_of = one_share


def _find_in_any_tenant(self: Any, visit: Visit, call: str) -> Card:
    items = self._cards._client.scan(TableName=self._cards._table)["Items"]
    tenant = next((item["tenant"]["S"] for item in items if item["id"]["S"] == call), visit.tenant)
    return _card(self, replace(visit, session=replace(visit.session, tenant=tenant)), call)


def _read_from_the_start(self: Any, key: str, part: ByteRange, sealed: str) -> tuple[bytes, str]:
    data, etag = _read(self, key, part, sealed)
    first, _ = _read(self, key, replace(part, first=0, last=part.length - 1), sealed)
    return first, etag if data else ""


_card, _read = CallAccess.card, ArchiveBucket.read
# What breaks the promises to people, by name: the owner of an attribute, the attribute, and what takes its place.
OF_PEOPLE: Mapping[str, tuple[Any, str, Any]] = {
    "unaudited": (AccessTrail, "record", lambda *_: None),
    "foreign": (CallAccess, "card", _find_in_any_tenant),
    "refused": (CallAccess, "decide", lambda *_: Allowed(Grant("everyone", ()))),
    "unsealed": (open_recording, "is_sealed", lambda _: False),
    "altered": (ArchiveBucket, "read", _read_from_the_start),
    "cancelled": (ShareTable, "cancel", lambda *_: None),
    "expired": (Share, "state", lambda share, _: "active" if share.cancelled is None else "cancelled"),
}
# Each of the first makes the figure of its name in the last line grow. `silent` and `against` show in the lines above
# it, and what people must not get in the line about them.
VARIANTS: Mapping[str | None, Callable[[], None]] = {
    "lost": _purge_without_output,
    "leaked": FAULTS[1].break_it,
    "swapped": FAULTS[2].break_it,
    "doubled": FAULTS[4].break_it,
    "silent": FAULTS[5].break_it,
    "against": FAULTS[7].break_it,
    **{name: partial(setattr, *attribute) for name, attribute in OF_PEOPLE.items()},
}
# What breaks the promises of the law, by the figure that grows in the last line of its storm.
OF_LAW: Mapping[str, Callable[[], None]] = {
    "early": holds_keep_nothing,
    "late": copies_stay,
    "unsaid": the_ledger_is_not_written,
}
