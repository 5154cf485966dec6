"""`callseal calls`: find calls, and show what is known of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from callseal.aws.batching import BatchWindow
from callseal.aws.bus import AuditBus
from callseal.calls.call_query import parse_query
from callseal.calls.card_table import CardTable
from callseal.calls.cursor import Cursors
from callseal.calls.events import calls_searched
from callseal.calls.numbers import Numbering
from callseal.calls.search import MAX_PAGE, PAGE, CallSearch, Page
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
        card = CardTable(found.dynamodb, table, now).find(tenant_name(tenant), call)
    if card is None:
        Screen(as_json).show({"tenant": tenant, "id": call, "found": False}, "There is no such call.")
        return Exit.NO
    shown = card.public()
    flags = [name for name, value in shown["flags"].items() if value is True]
    lines = {**shown, "flags": flags, "consent": shown["flags"]["consent"], "policy": shown["policy"]["rule"]}
    files = lines.pop("files")
    table_of_files = Table(FILE, [[file[name] for name in FILE] for file in files], "No file was delivered yet.")
    Screen(as_json).show(shown, Facts(lines), table_of_files)
    return Exit.DONE


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
