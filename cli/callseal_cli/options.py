"""Options and arguments of several sub-commands, and the exit codes of all."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated

import typer

from callseal.core.landing import TENANT
from callseal.crypto.recipients import GpgFactory, gpg_factory
from callseal_cli.errors import CannotError

StackName = Annotated[
    str | None,
    typer.Option(
        "--stack",
        envvar="CALLSEAL_STACK",
        help="The stack's name. Default: the running local cloud's if AWS_ENDPOINT_URL points to it, else callseal.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's name.")]


class Exit(IntEnum):
    """The exit codes of all sub-commands."""

    DONE = 0
    NO = 1
    CANNOT = 2


def tenant_name(name: str) -> str:
    """Return the name if it can be a tenant's. Raise CannotError if not."""
    if not TENANT.fullmatch(name):
        raise CannotError(f"{name!r} is no tenant's name: 2 to 63 characters of a-z, 0-9 and '-', the first not '-'.")
    return name


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def gpg() -> GpgFactory:
    """Return a factory for this machine's gpg, which is started only for an OpenPGP key."""
    return gpg_factory(os.environ.get("GPG_BINARY") or "gpg")
