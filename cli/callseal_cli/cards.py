"""The cards of calls: the stack's table, its key, and all cards of a tenant in a span of time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from botocore.exceptions import ClientError

from callseal.aws.mac_key import MacKey
from callseal.calls.blind_index import BlindIndex
from callseal.calls.call_query import FilterError
from callseal.calls.card import Card
from callseal.calls.card_table import CardTable
from callseal.calls.card_walk import walk_cards
from callseal.calls.numbers import Numbering
from callseal.core.errors import TransientError
from callseal.tenants.settings import TenantSettings
from callseal_cli.errors import CannotError
from callseal_cli.options import now
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

TABLE = "calls"


def mac_key(stack: Stack) -> MacKey:
    """Return the stack's HMAC key of the blind index."""
    return MacKey(stack.client("kms"), f"alias/{stack.name}-{TABLE}")


def blind_index(stack: Stack) -> BlindIndex:
    """Return the blind index, which requests a tenant's key when it first needs it."""
    return BlindIndex(stack.dynamodb, stack.table(TABLE), mac_key(stack), now)


def outside_number(text: str, settings: TenantSettings) -> str:
    """Return the normalised number of an outside party. Raise FilterError if it is none."""
    numbering = Numbering(settings.default_region, settings.own_numbers)
    number = numbering.normalise(text)
    if number is None or numbering.is_own(number):
        raise FilterError(
            "This is no number of an outside party. Withheld numbers and the tenant's own are not indexed."
        )
    return number


def cards_between(
    stack: Stack, screen: Screen, tenant: str, since: datetime | None, until: datetime | None
) -> Iterator[Card]:
    """Yield the cards of a tenant's calls from `since` to before `until`, newest first. Raise CannotError."""
    with calls_table(stack) as table, screen.progress("Calls read") as tick:
        for card in walk_cards(CardTable(stack.dynamodb, table, now), tenant, since, until):
            tick(1)
            yield card


@contextmanager
def calls_table(stack: Stack) -> Iterator[str]:
    """Yield the table's name. Raise CannotError if the table does not exist."""
    with existing_table(stack, TABLE, "index of calls") as table:
        yield table


@contextmanager
def existing_table(stack: Stack, name: str, what: str) -> Iterator[str]:
    """Yield the full name of a table of the stack. Raise CannotError if it does not exist; `what` describes it."""
    table = stack.table(name)
    try:
        yield table
    except TransientError as exc:
        cause = exc.__cause__
        if not isinstance(cause, ClientError) or cause.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise CannotError(f"The stack {stack.name} has no {what} yet (no table {table}). Deploy it again.") from exc
