"""`callseal reports`: consent, denials, classes, holds and disposals of a tenant's calls, for a compliance officer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from callseal.calls import reports
from callseal.calls.call_query import parse_span
from callseal.calls.card import Card
from callseal.core.audit import timestamp
from callseal.retention.anonymous_calls import COLUMNS
from callseal.retention.disposal_reports import disposed_call_report, disposed_report, due_report
from callseal.retention.erasure_table import ErasureTable
from callseal.retention.hold_report import holds_report
from callseal_cli import settings
from callseal_cli.cards import cards_between, existing_table
from callseal_cli.disposals import due_within, records_between
from callseal_cli.errors import CannotError
from callseal_cli.holds import held_cards
from callseal_cli.options import AsJson, Exit, StackName, TenantName, now, tenant_name
from callseal_cli.screen import Facts, Part, Screen, Table, csv_text
from callseal_cli.stack import find_stack

app = typer.Typer(help="Reports about a tenant's calls. None has a telephone number.", no_args_is_help=True)

DAYS = 31
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ("=", "+", "-", "@", "\t", "\r")
EMPTY = "There is no such call."
Since = Annotated[str | None, typer.Option("--from", help="A day in UTC, or a time. Default: 31 days before --to.")]
Until = Annotated[str | None, typer.Option("--to", help="A day in UTC, which is included, or a time. Default: now.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
Make = Callable[[Iterable[Card], str | None], reports.Report]


@app.command("consent")
def consent(
    tenant: TenantName, since: Since = None, until: Until = None, stack: StackName = None, as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> int:  # fmt: skip
    """Count calls by their consent, and list each call without given consent."""
    return _report(reports.consent_report, tenant, (since, until), stack, as_csv, as_json)


@app.command("denied")
def denied(
    tenant: TenantName, since: Since = None, until: Until = None, stack: StackName = None, as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> int:  # fmt: skip
    """List each call whose recording was denied or is held RecordingDenied, and whether a rule kept it."""
    return _report(reports.denied_report, tenant, (since, until), stack, as_csv, as_json)


@app.command("classes")
def classes(
    tenant: TenantName, since: Since = None, until: Until = None, stack: StackName = None, as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> int:  # fmt: skip
    """Count calls by class, with the first and last dates until which they must and may be kept."""
    return _report(lambda cards, _: reports.classes_report(cards), tenant, (since, until), stack, as_csv, as_json)


@app.command("anonymised")
def anonymised(tenant: TenantName, stack: StackName = None, as_csv: AsCsv = False, as_json: AsJson = False) -> int:
    """List what stays of calls that were erased and anonymised: no person, no name and no id."""
    screen, found = _screen(as_csv, as_json), find_stack(tenant_name(tenant) and stack)
    with existing_table(found, "retention", "ledger of erasures") as table:
        report = reports.Report(COLUMNS, ErasureTable(found.dynamodb, table).anonymised(tenant))
    screen.show({"tenant": tenant, "rows": report.rows}, *_shown(report, as_csv))
    return Exit.DONE


@app.command("holds")
def holds(tenant: TenantName, stack: StackName = None, as_csv: AsCsv = False, as_json: AsJson = False) -> int:
    """List each call under a hold that is not released, and count the calls of each hold."""
    screen, found = _screen(as_csv, as_json), find_stack(tenant_name(tenant) and stack)
    report = holds_report(held_cards(found, screen, tenant), settings.of_tenant(found, tenant).default_region)
    parts = _shown(report, as_csv, empty="No call is under a hold.")
    screen.show({"tenant": tenant, "rows": report.rows, "counts": report.counts}, *parts)
    return Exit.DONE


@app.command("disposal")
def disposal(
    tenant: TenantName,
    since: Since = None,
    until: Until = None,
    call: Annotated[str | None, typer.Option("--call", metavar="ID", help="List when this call was deleted.")] = None,
    due: Annotated[
        int | None,
        typer.Option("--due", metavar="DAYS", min=0, max=3650, help="Count what is due within these days."),
    ] = None,
    stack: StackName = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> int:
    """List what was deleted at the end of its class, by day and class, from the records in the audit bucket."""
    if due is not None and (since or until or call):
        raise CannotError("Choose --due, or --from, --to and --call.")
    screen, (begin, end) = _screen(as_csv, as_json), _span(since, until)
    found = find_stack(tenant_name(tenant) and stack)
    if due is not None:
        report = due_report(due_within(found, screen, tenant, due))
        parts = [*_shown(report, as_csv, empty="No call is due."), *([] if as_csv else [_due_text(report.rows)])]
        screen.show({"tenant": tenant, "due": due, "rows": report.rows}, *parts)
        return Exit.DONE
    records = records_between(found, screen, tenant, begin, end)
    report = disposed_call_report(records, call) if call else disposed_report(records)
    document = {"tenant": tenant, "from": timestamp(begin), "to": timestamp(end), "rows": report.rows}
    empty = (
        f"There is no record of a disposal {'with this call ' if call else ''}from {begin:%Y-%m-%d} to {end:%Y-%m-%d}."
    )
    parts = (
        [Facts(row) for row in report.rows] if call and report.rows and not as_csv else _shown(report, as_csv, empty)
    )
    screen.show(document, *parts)
    return Exit.DONE


def _due_text(rows: Iterable[reports.Row]) -> str:
    """Return how many calls are due, and how many of them a hold keeps."""
    calls, held = (sum(row[name] for row in rows) for name in ("calls", "held"))
    return f"{calls} calls are due. Of these, {held} are under a hold and stay until its release."


def _report(
    make: Make, tenant: str, span: tuple[str | None, str | None], stack: str | None, as_csv: bool, as_json: bool
) -> int:
    screen = _screen(as_csv, as_json)
    since, until = _span(*span)
    found = find_stack(tenant_name(tenant) and stack)
    region = settings.of_tenant(found, tenant).default_region
    report = make(cards_between(found, screen, tenant, since, until), region)
    document: dict[str, Any] = {
        "tenant": tenant, "from": timestamp(since), "to": timestamp(until), "rows": report.rows,
        **({"counts": report.counts} if report.counts is not None else {}),
    }  # fmt: skip
    screen.show(document, *_shown(report, as_csv))
    return Exit.DONE


def _screen(as_csv: bool, as_json: bool) -> Screen:
    if as_csv and as_json:
        raise CannotError("Choose --csv or --json.")
    return Screen(as_json, quiet=as_json)


def _shown(report: reports.Report, as_csv: bool, empty: str = EMPTY) -> list[Part]:
    if as_csv:
        return [_csv(report)]
    table = Table(report.columns, [[row[name] for name in report.columns] for row in report.rows], empty)
    return [Facts(report.counts), table] if report.counts is not None else [table]


def _csv(report: reports.Report) -> str:
    """Return the report as CSV. A name that a spreadsheet program would read as a formula begins with an apostrophe."""
    return csv_text(report.columns, map(_guarded, report.rows))


def _guarded(row: reports.Row) -> reports.Row:
    name = row.get("name") or ""
    return {**row, "name": f"'{name}"} if name.startswith(FORMULA) else row


def _span(since: str | None, until: str | None) -> tuple[datetime, datetime]:
    begin, end = parse_span(since, until)
    last = end or now()
    return begin or last - timedelta(days=DAYS), last
