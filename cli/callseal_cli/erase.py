"""`callseal erase`: erase what is stored of a person's calls, on request and by two people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from callseal.aws.batching import BatchWindow
from callseal.aws.bus import AuditBus
from callseal.calls.card import Card
from callseal.calls.card_facts import Kind
from callseal.calls.card_table import CardTable
from callseal.core.errors import CallsealError
from callseal.retention.erasure import (
    ErasureRefusedError,
    LedgerFile,
    NoSuchRequestError,
    NothingFoundError,
    SecondPersonNeededError,
    counts_of,
    latest,
)
from callseal.retention.erasure_calls import ErasureCalls
from callseal.retention.erasure_certificates import read_certificate
from callseal.retention.erasure_files import CallFiles
from callseal.retention.erasure_messages import ErasureQueue
from callseal.retention.erasure_places import CallPlaces
from callseal.retention.erasure_table import ErasureTable
from callseal.retention.hold_table import HoldTable
from callseal.retention.request_erasure import ErasureRequests, Report
from callseal.retention.scope import matches
from callseal.sftp.file_table import FileRegister
from callseal_cli import settings
from callseal_cli.cards import blind_index, calls_table, existing_table, outside_number
from callseal_cli.errors import CannotError
from callseal_cli.options import AsJson, Exit, StackName, TenantName, now, tenant_name
from callseal_cli.person import person
from callseal_cli.screen import Facts, Screen, Table
from callseal_cli.stack import Stack, find_stack

app = typer.Typer(help="Erase calls on request: start, approve, status, certificate, list.", no_args_is_help=True)

RETENTION = "retention"
FILES = ("call", "place", "files", "state", "until")
LISTED = ("request", "state", "calls", "created", "due", "by", "approved_by")
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="The request's id, as start prints it.")]


@app.command("start")
def start(
    tenant: TenantName,
    basis: Annotated[str, typer.Option("--basis", help="The law or the reason, without a number.")],
    caller: Annotated[str | None, typer.Option("--caller", help="The number of the outside party.")] = None,
    call: Annotated[str | None, typer.Option("--call", help="A call's id, or its session's id.")] = None,
    anonymise: Annotated[bool, typer.Option("--anonymise", help="Keep a row without a person.")] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Show what an erasure would delete, and keep the request. Nothing is deleted before another person approves it.

    The same again shows the open request. Exit code 1 if there is nothing to erase.
    """
    if (caller is None) == (call is None):
        raise CannotError("Name either --caller or --call.")
    found = find_stack(stack)
    of_tenant = settings.of_tenant(found, tenant_name(tenant))
    number = outside_number(caller, of_tenant) if caller is not None else None
    who = person(found)
    with _requests(found) as requests:
        try:
            report = requests.start(
                tenant, who, basis, caller=number, call=call, anonymise=anonymise, region=of_tenant.default_region
            )
        except NothingFoundError as exc:
            coverage = requests.coverage_from(tenant)
            covered = f"Calls are indexed from {coverage} on." if coverage else "No call of the tenant is indexed."
            Screen(as_json).show({"tenant": tenant, "found": False, "coverage_from": coverage}, str(exc), covered)
            return Exit.NO
    _show(Screen(as_json), report)
    return Exit.DONE


@app.command("approve")
def approve(tenant: TenantName, request: RequestId, stack: StackName = None, as_json: AsJson = False) -> int:
    """Approve a request that another person has started. Its calls are hidden at once, and erased within minutes."""
    found = find_stack(tenant_name(tenant) and stack)
    who, screen = person(found), Screen(as_json)
    with _requests(found) as requests:
        try:
            report = requests.approve(tenant, request, who)
        except (NoSuchRequestError, SecondPersonNeededError) as exc:
            return _refuse(screen, tenant, request, exc)
    ErasureQueue(found.sqs, _queue_url(found)).put(tenant, request)
    _show(screen, report)
    return Exit.DONE


@app.command("status")
def status(tenant: TenantName, request: RequestId, stack: StackName = None, as_json: AsJson = False) -> int:
    """Show a request, and what became of each file. Exit code 1 if there is no such request."""
    found, screen = find_stack(tenant_name(tenant) and stack), Screen(as_json)
    with _requests(found) as requests:
        try:
            report = requests.status(tenant, request)
        except NoSuchRequestError as exc:
            return _refuse(screen, tenant, request, exc)
    _show(screen, report, *what_stays(report.files))
    return Exit.DONE


@app.command("list")
def list_requests(tenant: TenantName, stack: StackName = None, as_json: AsJson = False) -> int:
    """List a tenant's requests, newest first."""
    found = find_stack(tenant_name(tenant) and stack)
    with _requests(found) as requests:
        listed = [Report(request, ()).public() for request in requests.listed(tenant)]
    documents = [{name: each[name] for name in LISTED} for each in listed]
    rows = [[each[name] for name in LISTED] for each in documents]
    Screen(as_json).show({"erasures": documents}, Table(LISTED, rows, "There is no request for erasure."))
    return Exit.DONE


@app.command("certificate")
def certificate(
    tenant: TenantName,
    request: RequestId,
    folder: Annotated[Path, typer.Option("--to", help="The folder for the two files.")] = Path(),
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Save a request's last certificate and its signature. Exit code 1 if there is none yet.

    `openssl dgst -sha256 -verify KEY.pem -signature erasure-ID.json.sig erasure-ID.json` verifies it.
    """
    found, screen = find_stack(tenant_name(tenant) and stack), Screen(as_json)
    with existing_table(found, RETENTION, "ledger of erasures") as table:
        known = ErasureTable(found.dynamodb, table).find(tenant, request)
    if known is None:
        return _refuse(screen, tenant, request, NoSuchRequestError("The tenant has no request of this id."))
    files = read_certificate(found.s3, found.output("AuditBucketName"), known)
    if files is None:
        return _refuse(screen, tenant, request, ErasureRefusedError("The request has no certificate yet."))
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"erasure-{request}.json{suffix}" for suffix in ("", ".sig")]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    names = {"certificate": str(paths[0]), "signature": str(paths[1])}
    screen.show({"request": request, "number": known.certificates, "sha256": known.certified, **names}, Facts(names))
    return Exit.DONE


def _show(screen: Screen, report: Report, *sentences: str) -> None:
    shown = report.public()
    lines = {name: value for name, value in shown.items() if name not in ("files", "tenant")}
    alike = Counter((file["call"], file["place"], file["state"], file["until"]) for file in shown["files"])
    rows = [[call, place, count, state, until] for (call, place, state, until), count in alike.items()]
    covered = f"Calls are indexed from {shown['coverage_from']} on. An earlier one is found by its session's id only."
    screen.show(shown, Facts(lines), Table(FILES, rows, "There is no file of these calls."), *sentences, covered)


def what_stays(files: Sequence[LedgerFile]) -> Iterator[str]:
    """Yield why files of a request are not erased yet, and until when."""
    counts, until = counts_of(files), latest(files)
    for state, why in {
        "held": "A hold protects them until its release. `callseal reports holds` names it.",
        "retained": f"A duty to keep them protects them, the last until {until}.",
        "at_recipient": "The recipient has fetched them, and has not answered the notice yet.",
        "failed": "They could not be deleted. The function tries again every hour.",
    }.items():
        if state in counts:
            yield f"{counts[state]} files are {state}. {why}"


def _refuse(screen: Screen, tenant: str, request: str, exc: CallsealError) -> int:
    screen.show({"tenant": tenant, "request": request, "error": str(exc)}, str(exc))
    return Exit.NO


@contextmanager
def _requests(stack: Stack) -> Iterator[ErasureRequests]:
    """Yield the tenant's requests. Raise CannotError if the stack is too old for them."""
    with calls_table(stack) as calls, existing_table(stack, RETENTION, "ledger of erasures") as table:
        cards, blind = CardTable(stack.dynamodb, calls, now), blind_index(stack)
        holds = HoldTable(stack.dynamodb, table)

        def holds_of(card: Card) -> list[str]:
            def hashed(kind: str, text: str) -> str:
                of_kind: Any = kind
                found: Kind = of_kind
                return blind.find(card.call.tenant, {found: text}).get(found, "")

            active = holds.active(card.call.tenant)
            return [*card.holds, *(hold.name for hold in active if matches(hold.scope, card, hashed))]

        buckets = [stack.output(f"{name}BucketName") for name in ("Archive", "Sftp", "Landing")]
        files = CallFiles(CallPlaces(stack.s3, *buckets), FileRegister(stack.dynamodb, stack.table("files")), holds_of)
        bus = AuditBus(stack.client("events"), stack.output("AuditBusName"), BatchWindow())
        yield ErasureRequests(ErasureTable(stack.dynamodb, table), ErasureCalls(cards, blind), files, cards, bus, now)


def _queue_url(stack: Stack) -> str:
    name = f"{stack.name}-erasure"
    try:
        return stack.sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except ClientError as exc:
        raise CannotError(f"The stack {stack.name} has no queue {name} yet. Deploy it again.") from exc
