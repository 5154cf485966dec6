"""`callseal dispose`: confirm a disposal that the brake has stopped."""

from __future__ import annotations

import typer

from callseal.retention.disposal_table import DisposalTable, brake_of
from callseal_cli.cards import existing_table
from callseal_cli.errors import CannotError
from callseal_cli.options import AsJson, Exit, StackName, TenantName, now, tenant_name
from callseal_cli.person import person
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack, find_stack

app = typer.Typer(help="The deletion of calls at the end of their class.", no_args_is_help=True)

TABLE = "retention"


@app.command("confirm")
def confirm(tenant: TenantName, stack: StackName = None, as_json: AsJson = False) -> int:
    """Let a stopped disposal delete what is due, once: exit code 1 if the tenant's disposal is not stopped.

    `callseal reports disposal TENANT --due 0` shows what is due.
    """
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    with existing_table(found, TABLE, "state of disposals") as name:
        table = DisposalTable(found.dynamodb, name)
        brake = brake_of(table.state(tenant))
        is_confirmed = brake is not None and table.confirm(tenant, now(), _person(found))
    document = {
        "tenant": tenant,
        "confirmed": is_confirmed,
        "calls": brake.calls if brake else None,
        "since": brake.since if brake else None,
    }
    if is_confirmed and brake:
        screen.show(document, f"Confirmed. The next run, within an hour, deletes what is due: {brake.calls} calls.")
        return Exit.DONE
    is_waiting = brake is not None and brake.confirmed is not None
    why = "was confirmed already, and waits for its run" if is_waiting else "is not stopped"
    screen.show(document, f"The disposal of {tenant} {why}. There is nothing to confirm.")
    return Exit.NO


def _person(stack: Stack) -> str | None:
    """Return who calls the command, or None on a local cloud that does not know it. One person is enough."""
    try:
        return person(stack)
    except CannotError:
        return None
