"""The container of the functions that keep recordings as long as they must, and delete them when they may."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from callseal.wiring.container import Container

if TYPE_CHECKING:
    from callseal.retention.hold_table import HoldTable
    from callseal.retention.place_holds import HoldPlacing


class RetentionContainer(Container):
    """A container that also makes what holds, disposal and erasure work with."""

    @cached_property
    def holds(self) -> HoldTable:
        """The holds of tenants."""
        from callseal.retention.hold_table import HoldTable

        return HoldTable(self._client("dynamodb"), self._env.retention_table)

    @cached_property
    def hold_placing(self) -> HoldPlacing:
        """The work on holds."""
        from callseal.retention.hold_messages import HoldQueue
        from callseal.retention.legal_holds import LegalHolds
        from callseal.retention.place_holds import HoldPlacing

        return HoldPlacing(
            self.holds, self.cards, self.blind_index, LegalHolds(self._client("s3")),
            HoldQueue(self._client("sqs"), self._env.lock_queue_url), self.bus, self.clock,
        )  # fmt: skip
