"""`callseal held`: the files that stay in landing until their cause is corrected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

import typer

from callseal.aws.queue import LandedQueue
from callseal.core.errors import Reason, SourceGoneError
from callseal.core.event_types import EventType
from callseal.core.landing import TENANT, LandedObject, tenant_of
from callseal_cli import landing, trail
from callseal_cli.errors import CannotError
from callseal_cli.landing import Landed
from callseal_cli.options import AsJson, Exit, StackName, now, tenant_name
from callseal_cli.screen import Facts, Screen, Table
from callseal_cli.stack import Stack, find_stack

app = typer.Typer(help="The files that are held in landing.", no_args_is_help=True)

COLUMNS = {"tenant": "tenant", "reason": "reason", "age": "age_seconds", "size": "size", "key": "key"}
# A file's event is later than the file itself, but its clock may differ by up to this.
CLOCK_SKEW = timedelta(minutes=5)

Key = Annotated[str, typer.Argument(metavar="KEY", help="The landing key, <tenant>/<path>/<name>.<ext>.")]


@app.command("list")
def list_held(
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="TENANT", help="Only this tenant's files.")] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """List the held files: reason, age and key."""
    prefix = f"{tenant_name(tenant)}/" if tenant else ""
    screen, found = Screen(as_json), find_stack(stack)
    files = [file for file in landing.files(found, screen, prefix) if file.reason]
    rows = [_described(file) for file in files]
    screen.show({"held": rows, "by_reason": landing.reasons(files)}, _table(rows, "No file is held."))
    return Exit.DONE


@app.command("show")
def show(key: Key, stack: StackName = None, as_json: AsJson = False) -> int:
    """Show why a file is held, and what to do: its tags, and the sentence of its last RecordingHeld event.

    Exit code 1 if it is in landing and not held.
    """
    screen, found = Screen(as_json), find_stack(stack)
    bucket = landing.landing_bucket(found)
    try:
        file = bucket.find_in_listing(LandedObject(bucket.name, key))
        held = bucket.held(file)
        tags = found.s3.get_object_tagging(Bucket=bucket.name, Key=key)["TagSet"]
    except SourceGoneError as exc:
        raise CannotError(f"There is no file {key!r} in landing: it was delivered, or never uploaded.") from exc
    event = _last_event(found, screen, file) if held else None
    document = {
        "held": held is not None, **_described(Landed(file, held.reason if held else None)),
        "tags": {tag["Key"]: tag["Value"] for tag in tags}, "event": event,
    }  # fmt: skip
    facts = {name: document[member] for name, member in COLUMNS.items()}
    screen.show(document, Facts(facts), _sentence(held is not None, event))
    return Exit.DONE if held else Exit.NO


@app.command("release")
def release(
    target: Annotated[
        str | None, typer.Argument(metavar="TENANT|KEY", help="A tenant's held files, or one by its landing key.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The held files of all tenants.")] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Requeue held files now, instead of waiting for the sweep.

    A file whose cause remains is held again, and does not change. Exit code 1 if none is held.
    """
    if (target is None) != everything:
        raise CannotError("Name a tenant or a landing key, or --all for all held files.")
    screen, found = Screen(as_json), find_stack(stack)
    queue, put_back = LandedQueue(found.sqs, found.output("EncryptQueueUrl")), []
    for held in _targets(found, screen, target):
        queue.put(replace(held.file, was_unreadable=held.reason == Reason.SOURCE_UNREADABLE))
        put_back.append(_described(held))
    summary = [f"{len(put_back)} requeued."] if put_back else []
    screen.show({"put_back": put_back}, _table(put_back, "No such file is held."), *summary)
    return Exit.DONE if put_back else Exit.NO


def _targets(stack: Stack, screen: Screen, target: str | None) -> Iterator[Landed]:
    is_tenant = target is not None and TENANT.fullmatch(target)
    for landed in landing.files(stack, screen, f"{target}/" if is_tenant else target or ""):
        if landed.reason and (is_tenant or not target or landed.file.key == target):
            yield landed


def _table(rows: Sequence[Mapping[str, Any]], empty: str) -> Table:
    return Table(list(COLUMNS), [[row[name] for name in COLUMNS.values()] for row in rows], empty)


def _described(landed: Landed) -> dict[str, Any]:
    return {
        "tenant": tenant_of(landed.file.key),
        "reason": landed.reason,
        "landed_at": landed.file.landed_at,
        "age_seconds": landed.age(now()),
        "size": landed.file.size,
        "key": landed.file.key,
    }


def _last_event(stack: Stack, screen: Screen, file: LandedObject) -> dict[str, Any] | None:
    """Return the last RecordingHeld event of a file, or None. It is not older than the file itself."""
    since = (file.landed_at or now() - timedelta(days=1)) - CLOCK_SKEW
    found = trail.events(stack, screen, EventType.RECORDING_HELD, since)
    of_file = [event for event in found if event["source"]["key"] == file.key]
    return max(of_file, key=lambda event: str(event["time"]), default=None)


def _sentence(is_held: bool, event: dict[str, Any] | None) -> str:
    if not is_held:
        return "It is not held: its delivery is pending."
    return str(event["message"]) if event else "Its audit event is not in the log group (any more)."
