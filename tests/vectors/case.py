"""A key file as somebody may send it, with the verdict that we expect on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from callseal.core.errors import Reason


@dataclass(frozen=True)
class Case:
    """A key file; `difference` explains why the family's own tool says otherwise, and is empty where the two agree."""

    name: str
    make: Callable[[], str | bytes]
    reason: Reason | None = None
    difference: str = ""

    @property
    def data(self) -> bytes:
        """The file."""
        made = self.make()
        return made.encode() if isinstance(made, str) else made
