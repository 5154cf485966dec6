"""The reasons for holding a file, from `Reason`: the table in docs/operations.md, in the order of precedence."""

from __future__ import annotations

from callseal.core.errors import Reason

from .markers import replace_part, table


def operations(page: str) -> str:
    """Return docs/operations.md with its table of reasons."""
    rows = ((f"`{reason}`", reason.meaning, reason.action) for reason in Reason)
    return replace_part(page, "reasons", table(("reason", "what it means", "what to do"), rows))
