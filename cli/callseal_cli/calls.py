"""`callseal calls`: find calls, and show what is known of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from callseal.aws.batching import BatchWindow
from callseal.aws.bus import AuditBus
from callseal.calls.call_name import CALL_ID
from callseal.calls.call_query import parse_query
from callseal.calls.card import Card
from callseal.calls.card_table import CardTable
from callseal.calls.cursor import Cursors
from callseal.calls.events import calls_searched
from callseal.calls.numbers import Numbering
from callseal.calls.policy import parse_policy
from callseal.calls.search import MAX_PAGE, PAGE, CallSearch, Page
from callseal.core.errors import HeldError
from callseal.tenants.settings import TenantSettings, parse_settings
from callseal_cli import store
from callseal_cli.cards import blind_index, calls_table, mac_key
from callseal_cli.options import AsJson, Exit, StackName, TenantName, now, tenant_name
from callseal_cli.screen import Facts, Part, Screen, Table
from callseal_cli.stack import Stack, find_stack

app = typer.Typer(help="The calls of a tenant: find, show.", no_args_is_help=True)

LISTED = ("started", "seconds", "direction", "caller", "callee", "agent", "queue", "name", "id")
FILE = ("n", "destination", "state", "sealed", "size", "key")
Text = str | None


@app.command("list")
def list_calls(
    tenant: TenantName,
    since: Annotated[Text, typer.Option("--from", help="A day in UTC, or a time with its offset.")] = None,
    until: Annotated[Text, typer.Option("--to", help="A day in UTC, which is included, or a time.")] = None,
    caller: Annotated[Text, typer.Option("--caller", help="The number of the outside party.")] = None,
    agent: Annotated[Text, typer.Option("--agent", help="The agent, as the metadata names it.")] = None,
    queue: Annotated[Text, typer.Option("--queue", help="The queue, as the metadata names it.")] = None,
    session: Annotated[Text, typer.Option("--session", help="The session id.")] = None,
    min_seconds: Annotated[Text, typer.Option("--min-seconds", help="The shortest length.")] = None,
    max_seconds: Annotated[Text, typer.Option("--max-seconds", help="The greatest length.")] = None,
    cursor: Annotated[Text, typer.Option("--cursor", help="Continue a search.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MAX_PAGE, help="How many calls to list.")] = PAGE,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """List a tenant's calls, newest first.

    Without --caller, --agent, --queue or --session, a search covers 31 days at most, and by default the last 31.
    """
    given = {
        "from": since, "to": until, "caller": caller, "agent": agent, "queue": queue, "session": session,
        "min_seconds": min_seconds, "max_seconds": max_seconds,
    }  # fmt: skip
    filters = {name: text for name, text in given.items() if text is not None}
    screen, found = Screen(as_json), find_stack(stack)
    page = _search(found, tenant_name(tenant), filters, cursor, limit)
    shown = page.public()
    rows = [[call[name] for name in LISTED] for call in shown["calls"]]
    screen.show(shown, Table(LISTED, rows, "There is no such call."), *_continued(page))
    return Exit.DONE


@app.command("show")
def show(
    tenant: TenantName,
    call: Annotated[str, typer.Argument(metavar="ID", help="The call's id.")],
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Show what is known of a call. Exit code 1 if there is no such call."""
    found = find_stack(stack)
    with calls_table(found) as table:
        cards = CardTable(found.dynamodb, table, now)
        card = cards.find(tenant_name(tenant), call)
        ended = None if card or not CALL_ID.fullmatch(call) else cards.cards(tenant, [call]).get(call)
    if card is None:
        return _show_end(Screen(as_json), tenant, call, ended.card if ended and ended.card.gone else None)
    shown = card.public()
    flags = [name for name, value in shown["flags"].items() if value is True]
    lines = {**shown, "flags": flags, "consent": shown["flags"]["consent"]}
    files, policy = lines.pop("files"), lines.pop("policy")
    lines |= {"rule": policy["rule"], "policy": policy["version"], **_class_of(found, tenant, shown)}
    table_of_files = Table(FILE, [[file[name] for name in FILE] for file in files], "No file was delivered yet.")
    Screen(as_json).show(shown, Facts(lines), table_of_files)
    return Exit.DONE


def _show_end(screen: Screen, tenant: str, call: str, card: Card | None) -> int:
    """Show that there is no such call, or how the call of a card has ended."""
    document = {"tenant": tenant, "id": call, "found": False}
    document |= {"gone": card.gone if card else None, "gone_at": card.gone_at if card else None}
    screen.show(document, _end_of(tenant, card) if card else "There is no such call.")
    return Exit.NO


def _end_of(tenant: str, card: Card) -> str:
    """Return how a call has ended, and what proves it."""
    if card.gone == "erased":
        return f"The call was erased on request at {card.gone_at}. Its certificate: callseal erase list {tenant}"
    return (
        f"The call was deleted at the end of its class at {card.gone_at}. The record: "
        f"callseal reports disposal {tenant} --call {card.call.id} --from {(card.gone_at or '')[:10]}"
    )


def _class_of(stack: Stack, tenant: str, card: Mapping[str, Any]) -> dict[str, str]:
    """Return lock and basis of a call's class, if the tenant's policy is still the version that decided."""
    if not card["policy"]["version"]:
        return {}
    try:
        policy = parse_policy(store.read_policy(stack, tenant) or "")
    except HeldError:
        policy = None
    if policy is None or policy.version != card["policy"]["version"]:
        return {"basis": "The policy has changed since."}
    class_ = policy.classes[card["class"]]
    return {"lock": class_.lock, "basis": class_.basis or "-"}


def _search(stack: Stack, tenant: str, filters: Mapping[str, str], cursor: str | None, limit: int) -> Page:
    """Return a page of calls. The audit event of the search comes before its answer."""
    settings = _settings(stack, tenant)
    numbering = Numbering(settings.default_region, settings.own_numbers)
    query = parse_query(tenant, filters, numbering.normalise, now())
    user = _user(stack)
    with calls_table(stack) as table:
        cards = CardTable(stack.dynamodb, table, now)
        search = CallSearch(cards, blind_index(stack), Cursors(mac_key(stack)), now)
        page = search.page(query, user, cursor, limit)
    bus = AuditBus(stack.client("events"), stack.output("AuditBusName"), BatchWindow())
    bus.put(calls_searched(tenant, user, [*filters], now()))
    return page


def _continued(page: Page) -> Iterator[Part]:
    if page.searched_until:
        yield f"The search has come back to {page.searched_until} so far."
    if page.cursor:
        yield f"There are more: repeat the command with --cursor {page.cursor}"


def _settings(stack: Stack, tenant: str) -> TenantSettings:
    text = store.read_settings(stack, tenant)
    return parse_settings(text) if text is not None else TenantSettings()


def _user(stack: Stack) -> str:
    """Return the ARN of the person who calls the command."""
    identity: Any = stack.client("sts").get_caller_identity()
    return str(identity["Arn"])
