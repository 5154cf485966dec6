"""The container of the functions that keep recordings as long as they must, and delete them when they may."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from callseal.wiring.container import Container

if TYPE_CHECKING:
    from callseal.retention.hold_table import HoldTable


class RetentionContainer(Container):
    """A container that also makes what holds, disposal and erasure work with."""

    @cached_property
    def holds(self) -> HoldTable:
        """The holds of tenants."""
        from callseal.retention.hold_table import HoldTable

        return HoldTable(self._client("dynamodb"), self._env.retention_table)
