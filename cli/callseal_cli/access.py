"""`callseal access`: store and show who may do what with a tenant's calls, try it, and show who accepted the terms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from callseal.archive.access import ACTIONS, Access, AccessInvalidError, parse_access
from callseal.archive.may import Allowed, Refused, User, may
from callseal.archive.user_table import UserTable
from callseal.calls.card_table import CardTable
from callseal.calls.index_mode import index_mode
from callseal_cli import settings, store
from callseal_cli.cards import blind_index, calls_table, existing_table
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


@app.command("terms")
def terms(tenant: TenantName, stack: StackName = None, as_json: AsJson = False) -> int:
    """Show which users have accepted a tenant's present terms, and which have not. Users are those who signed in."""
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    text = store.read_access(found, tenant)
    present = _checked(text).terms if text is not None else None
    version = present.version if present else None
    with existing_table(found, "archive-users", "archive for people") as table:
        known = [*UserTable(found.dynamodb, table, now).all(tenant)]
    users = [
        {
            "user": user.email,
            "accepted": version is not None and user.terms == version,
            "version": user.terms,
            "time": user.accepted,
            "signed_in": user.signed_in,
        }
        for user in known
    ]
    rows = [[user["user"], "yes" if user["accepted"] else "no", user["version"], user["time"]] for user in users]
    shown = Table(("user", "accepted", "version", "time"), rows, "No user has signed in yet.")
    sentence = (
        f"The present terms are {version}." if version else f"{tenant} has no terms, so nothing is to be accepted."
    )
    screen.show({"tenant": tenant, "version": version, "users": users}, sentence, shown)
    return Exit.DONE


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
