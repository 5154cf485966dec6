"""`callseal holds`: keep calls from disposal, erasure and change, and release them with a second person."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from callseal.aws.batching import BatchWindow
from callseal.aws.bus import AuditBus
from callseal.calls.card import Card
from callseal.calls.card_table import CardTable
from callseal.calls.index_mode import index_mode
from callseal.retention.hold import PLACING, RELEASED, RELEASING, Hold, HoldRefusedError
from callseal.retention.hold_messages import HoldQueue
from callseal.retention.hold_scope import AskedScope, HoldScopes
from callseal.retention.hold_table import HeldCalls, HoldTable
from callseal.retention.manage_holds import Holds
from callseal.retention.scope import Scope
from callseal_cli import settings, store
from callseal_cli.cards import blind_index, calls_table, existing_table
from callseal_cli.errors import CannotError
from callseal_cli.options import AsJson, Exit, StackName, TenantName, now, tenant_name
from callseal_cli.person import person
from callseal_cli.screen import Facts, Screen, Table
from callseal_cli.stack import Stack, find_stack

app = typer.Typer(help="Holds: calls that are neither deleted nor changed.", no_args_is_help=True)

TABLE = "retention"
LISTED = ("name", "state", "calls", "placed_by", "placed_at", "reason")
# The command waits so long for lock_recordings. A hold of very many calls takes longer.
WAIT_SECONDS, PAUSE_SECONDS = 900.0, 0.5
HoldName = Annotated[str, typer.Argument(metavar="NAME", help="The hold's name.")]
Text = str | None


@app.command("create")
def create(
    tenant: TenantName,
    name: HoldName,
    reason: Annotated[str, typer.Option("--reason", help="Why the calls are held. Required.")],
    calls: Annotated[list[str] | None, typer.Option("--call", metavar="ID", help="A call; once for each.")] = None,
    caller: Annotated[Text, typer.Option("--caller", help="The number of the outside party.")] = None,
    queue: Annotated[Text, typer.Option("--queue", help="The queue; it may have * at either end.")] = None,
    agent: Annotated[Text, typer.Option("--agent", help="The agent; it may have * at either end.")] = None,
    since: Annotated[Text, typer.Option("--from", help="A day in UTC, or a time with its offset.")] = None,
    until: Annotated[Text, typer.Option("--to", help="A day in UTC, which is included, or a time.")] = None,
    future: Annotated[bool, typer.Option("--future", help="Hold calls that land later, too.")] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Hold the calls that --call names, or those that meet all other options: exit code 1 if the name is taken.

    The command waits until all calls are held. From its start, none of them is deleted.
    """
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    who = person(found)
    scope = _scope(found, tenant, AskedScope(tuple(calls or ()), caller, queue, agent, since, until, future))
    return _step(
        found, screen, tenant, name, lambda holds: holds.create(tenant, name, reason, scope, who), unlike=PLACING
    )


@app.command("list")
def list_holds(
    tenant: TenantName,
    show_all: Annotated[bool, typer.Option("--all", help="List released holds, too.")] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """List a tenant's holds that are not released."""
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    with hold_table(found) as table:
        holds, counts = table.all(tenant), table.counts(tenant)
    listed = [hold for hold in holds if show_all or hold.state != RELEASED]
    shown = [_public(hold, counts.get(hold.name, HeldCalls())) for hold in listed]
    rows = [[hold[member] for member in LISTED] for hold in shown]
    screen.show({"tenant": tenant, "holds": shown}, Table(LISTED, rows, "There is no hold."))
    return Exit.DONE


@app.command("show")
def show(tenant: TenantName, name: HoldName, stack: StackName = None, as_json: AsJson = False) -> int:
    """Show a hold: exit code 1 if there is none of this name."""
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    return _step(found, screen, tenant, name, lambda holds: holds.find(tenant, name))


@app.command("release")
def release(tenant: TenantName, name: HoldName, stack: StackName = None, as_json: AsJson = False) -> int:
    """Ask for the release of a hold, which another person must approve: exit code 1 if it is not held."""
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    who = person(found)
    return _step(found, screen, tenant, name, lambda holds: holds.ask_release(tenant, name, who))


@app.command("approve")
def approve(tenant: TenantName, name: HoldName, stack: StackName = None, as_json: AsJson = False) -> int:
    """Approve a release that another person asked for: exit code 1 if none did, or if that person is you.

    The command waits until all calls are free, except those under another hold.
    """
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    who = person(found)
    return _step(found, screen, tenant, name, lambda holds: holds.approve_release(tenant, name, who), unlike=RELEASING)


@contextmanager
def hold_table(stack: Stack) -> Iterator[HoldTable]:
    """Yield the stack's holds. Raise CannotError if their table does not exist."""
    with existing_table(stack, TABLE, "holds") as table:
        yield HoldTable(stack.dynamodb, table)


def held_cards(stack: Stack, screen: Screen, tenant: str) -> dict[Hold, list[Card]]:
    """Return the cards under each hold that is not released. Raise CannotError."""
    with hold_table(stack) as holds, calls_table(stack) as calls, screen.progress("Calls read") as tick:
        cards, found = CardTable(stack.dynamodb, calls, now), dict[Hold, list[Card]]()
        for hold in holds.active(tenant):
            under = cards.cards(tenant, holds.calls(hold))
            found[hold] = sorted((stored.card for stored in under.values()), key=lambda card: card.started or "")
            tick(len(under))
    return found


def _step(
    stack: Stack, screen: Screen, tenant: str, name: str, step: Callable[[Holds], Hold], unlike: str | None = None
) -> int:
    """Take a step of a hold, and show the hold or why the step is refused. Wait while it is in the state `unlike`."""
    with hold_table(stack) as table:
        queue = HoldQueue(stack.sqs, stack.sqs.get_queue_url(QueueName=f"{stack.name}-lock")["QueueUrl"])
        bus = AuditBus(stack.client("events"), stack.output("AuditBusName"), BatchWindow())
        try:
            hold = step(Holds(table, queue, bus, now))
        except HoldRefusedError as refused:
            why = str(refused)
            screen.show({"tenant": tenant, "name": name, "refused": refused.code, "message": why}, why)
            return Exit.NO
        with screen.progress("Waiting for lock_recordings, seconds") as tick:
            hold = _waited(table, hold, unlike, tick)
        found = table.count(hold)
    shown = _public(hold, found)
    screen.show({"tenant": tenant, **shown}, Facts({**shown, "scope": _described(shown["scope"])}))
    return Exit.DONE


def _waited(table: HoldTable, hold: Hold, unlike: str | None, tick: Callable[[int], None]) -> Hold:
    """Return a hold as soon as it has left a state. Raise CannotError if that takes too long."""
    waited = 0.0
    while hold.state == unlike:
        if waited >= WAIT_SECONDS:
            raise CannotError(
                f"The hold {hold.name} is still {unlike} after {WAIT_SECONDS / 60:.0f} minutes. Until it is released, "
                "its calls are neither disposed of nor erased. Look at it with callseal holds show. If the number of "
                "its calls does not change, repeat the command, and see docs/operations.md."
            )
        time.sleep(PAUSE_SECONDS)
        waited += PAUSE_SECONDS
        tick(int(waited % 1 == 0))
        hold = table.find(hold.tenant, hold.name) or hold
    return hold


def _scope(stack: Stack, tenant: str, asked: AskedScope) -> Scope:
    of_tenant = settings.of_tenant(stack, tenant)
    mode = index_mode(of_tenant, store.read_policy(stack, tenant) is not None)
    with calls_table(stack) as table:
        scopes = HoldScopes(CardTable(stack.dynamodb, table, now), blind_index(stack))
        return scopes.scope(tenant, asked, of_tenant, mode)


def _public(hold: Hold, found: HeldCalls) -> dict[str, Any]:
    return hold.public(found.calls, found.gone)


def _described(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a scope that limit it."""
    return {name: value for name, value in scope.items() if value}
