"""Promises broken on purpose, in the workers' own processes. The storm proves nothing unless it detects them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

from callseal.core.landing import LandedObject
from callseal.delivery import sweep_landing
from callseal.delivery.deliver import Delivery, Outcome
from callseal.delivery.sweep_shares import State, Turns
from simulation.faults.broken import VARIANTS as FAULTS


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


# Each makes the figure of its name in the last line grow. `silent` and `against` show in the lines above it.
VARIANTS: Mapping[str | None, Callable[[], None]] = {
    "lost": _purge_without_output,
    "leaked": FAULTS[1].break_it,
    "swapped": FAULTS[2].break_it,
    "doubled": FAULTS[4].break_it,
    "silent": FAULTS[5].break_it,
    "against": FAULTS[7].break_it,
}
