"""The region of a new tenant's telephone numbers: without it, numbers in national form are not normalised."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import typer

QUESTION = (
    "The country of the tenant's telephone numbers in national form, as two letters (NO). Press Enter if all numbers "
    "are in international form"
)


def with_region(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a new tenant, with the region that the operator names if metadata is read.

    The question is asked on a terminal only.
    """
    if not lacks_region(members) or not on_terminal():
        return dict(members)
    answer = str(typer.prompt(QUESTION, default="", show_default=False, err=True)).strip().upper()
    return {**members, "default_region": answer} if answer else dict(members)


def lacks_region(members: Mapping[str, Any]) -> bool:
    """Return whether metadata is read, and the settings name no region."""
    reads = members.get("metadata_profile") or members.get("metadata_paths")
    return bool(reads) and "default_region" not in members


def on_terminal() -> bool:
    """Return whether the operator can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
