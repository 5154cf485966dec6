"""Options and arguments that several sub-commands take, and the exit codes of all."""

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
        help="The stack's name. Default: the running local cloud's where AWS_ENDPOINT_URL points to it, else callseal.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's name.")]


class Exit(IntEnum):
    """What a command ends with."""

    DONE = 0
    NO = 1
    CANNOT = 2


def tenant_name(name: str) -> str:
    """Check a tenant's name."""
    if not TENANT.fullmatch(name):
        raise CannotError(f"{name!r} is no tenant's name: a-z, 0-9 and '-', 2 to 63 characters, the first no '-'.")
    return name


def now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


def gpg() -> GpgFactory:
    """Give this machine's gpg; it is started only where an OpenPGP key comes along."""
    return gpg_factory(os.environ.get("GPG_BINARY") or "gpg")
