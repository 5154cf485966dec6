"""A key file that a tenant may send, with the expected verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from callseal.core.errors import Reason


@dataclass(frozen=True)
class Case:
    """A key file.

    `difference` explains why the family's own tool disagrees, and is empty if the two agree.
    """

    name: str
    make: Callable[[], str | bytes]
    reason: Reason | None = None
    difference: str = ""

    @property
    def data(self) -> bytes:
        """Return the file's bytes."""
        made = self.make()
        return made.encode() if isinstance(made, str) else made
