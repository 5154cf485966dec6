"""`callseal access`: store and show who may do what with a tenant's calls, and try it for one user and one call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from callseal.archive.access import ACTIONS, Access, AccessInvalidError, parse_access
from callseal.archive.may import Allowed, Refused, User, may
from callseal.calls.card_table import CardTable
from callseal.calls.index_mode import index_mode
from callseal_cli import settings, store
from callseal_cli.cards import blind_index, calls_table
from callseal_cli.errors import CannotError
from callseal_cli.options import AsJson, Exit, StackName, TenantName, now, tenant_name
from callseal_cli.policy_input import read_text
from callseal_cli.screen import Screen, Table
from callseal_cli.stack import Stack, find_stack

app = typer.Typer(help="Who may do what with a tenant's calls.", no_args_is_help=True)


@app.command("put")
def put(
    tenant: TenantName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The access in JSON; - is stdin.")],
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Check and store a tenant's access. It replaces the one before."""
    text, screen, found = read_text(file), Screen(as_json), find_stack(tenant_name(tenant) and stack)
    mode = index_mode(settings.of_tenant(found, tenant), store.read_policy(found, tenant) is not None)
    _checked(text, blind=mode == "blind")
    store.write_access(found, tenant, text)
    screen.show({"tenant": tenant, "stored": True}, "Stored. It takes effect within 60 seconds.")
    return Exit.DONE


@app.command("show")
def show(tenant: TenantName, stack: StackName = None, as_json: AsJson = False) -> int:
    """Show a tenant's access as it is stored: exit code 1 if it has none, and so no user has access."""
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    text = store.read_access(found, tenant)
    if text is None:
        screen.show({"tenant": tenant, "access": None}, f"{tenant} has no access: no user may see its calls.")
        return Exit.NO
    _checked(text)
    screen.show({"tenant": tenant, "access": json.loads(text)}, text.rstrip("\n"))
    return Exit.DONE


@app.command("test")
def try_access(
    tenant: TenantName,
    user: Annotated[str, typer.Argument(metavar="USER", help="The user's e-mail.")],
    call: Annotated[str, typer.Argument(metavar="CALL", help="The call's id.")],
    groups: Annotated[str, typer.Option("--groups", metavar="G,...", help="The user's groups.")],
    agent: Annotated[str | None, typer.Option("--agent", help="The agent that the issuer names for the user.")] = None,
    action: Annotated[str | None, typer.Option("--action", help=f"One action alone: {', '.join(ACTIONS)}.")] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Show what a user may do with a call, and by which grant: exit code 1 if something is refused."""
    if action is not None and action not in ACTIONS:
        raise CannotError(f"There is no action {action}. The actions are {', '.join(ACTIONS)}.")
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    text = store.read_access(found, tenant)
    access = _checked(text) if text is not None else Access()
    person = User(user.lower(), frozenset(filter(None, map(str.strip, groups.split(",")))), agent)
    decisions = _decisions(found, tenant, access, person, call, [action] if action else [*ACTIONS])
    document = {name: True if isinstance(each, Allowed) else each.code for name, each in decisions.items()}
    rows = [(name, *_explained(access, each)) for name, each in decisions.items()]
    screen.show({"allowed": document}, Table(("action", "allowed", "why"), rows))
    return Exit.NO if any(isinstance(each, Refused) for each in decisions.values()) else Exit.DONE


def _decisions(
    stack: Stack, tenant: str, access: Access, user: User, call: str, actions: list[str]
) -> dict[str, Allowed | Refused]:
    with calls_table(stack) as table:
        card = CardTable(stack.dynamodb, table, now).find(tenant, call)
    if card is None:
        raise CannotError(f"{tenant} has no call {call}. callseal calls list {tenant} lists the ids.")
    index, moment = blind_index(stack), now()

    def hashed(kind: Any, text: str) -> str:
        # Not `hashed`, which gives a salt to a tenant that has none.
        return index.find(tenant, {kind: text}).get(kind, "")

    return {action: may(access, user, action, card, moment, hashed) for action in actions}


def _explained(access: Access, decision: Allowed | Refused) -> tuple[str, str]:
    if isinstance(decision, Refused):
        return "no", decision.code
    number = next(number for number, grant in enumerate(access.grants, 1) if grant is decision.grant)
    return "yes", f"grant number {number}, of the group {decision.grant.group}"


def _checked(text: str, *, blind: bool = False) -> Access:
    """Return the access as the functions parse it. Raise CannotError if they refuse it, or if it has no use."""
    try:
        access = parse_access(text)
        if blind:
            access.check_blind()
    except AccessInvalidError as exc:
        raise CannotError(f"The access cannot be used: {exc}.") from exc
    return access
