"""`callseal held`: the files that wait in landing for somebody to put something right."""

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
# Clocks differ, and an event is a moment younger than its file; so much older it never is.
CLOCK_SKEW = timedelta(minutes=5)

Key = Annotated[str, typer.Argument(metavar="KEY", help="The landing key, <tenant>/<path>/<name>.<ext>.")]


@app.command("list")
def list_held(
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="TENANT", help="One tenant's alone.")] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """List the held files: reason, age and key."""
    prefix = f"{tenant_name(tenant)}/" if tenant else ""
    screen, found = Screen(as_json), find_stack(stack)
    files = [one for one in landing.look(found, screen, prefix) if one.reason]
    rows = [_described(one) for one in files]
    screen.show({"held": rows, "by_reason": landing.reasons(files)}, _table(rows, "No file is held."))
    return Exit.DONE


@app.command("show")
def show(key: Key, stack: StackName = None, as_json: AsJson = False) -> int:
    """Show why a file is held, and what to do: its tags, and the sentence of its last RecordingHeld event.

    Exit code 1 where it is in landing and not held.
    """
    screen, found = Screen(as_json), find_stack(stack)
    bucket = landing.landing_bucket(found)
    try:
        file = bucket.listed(LandedObject(bucket.name, key))
        held = bucket.held(file)
        tags = found.s3.get_object_tagging(Bucket=bucket.name, Key=key)["TagSet"]
    except SourceGoneError as exc:
        raise CannotError(f"There is no file {key!r} in landing: it was delivered, or never landed.") from exc
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
    """Put held files back to the queue at once, instead of waiting for the sweep.

    A file whose cause is not gone is held again, and nothing else happens to it. Exit code 1 where none is held.
    """
    if (target is None) != everything:
        raise CannotError("Name a tenant or a landing key, or --all for all held files.")
    screen, found = Screen(as_json), find_stack(stack)
    queue, put_back = LandedQueue(found.sqs, found.output("EncryptQueueUrl")), []
    for one in _targets(found, screen, target):
        queue.put(replace(one.file, was_unreadable=one.reason == Reason.SOURCE_UNREADABLE))
        put_back.append(_described(one))
    said = [f"{len(put_back)} put back to the queue."] if put_back else []
    screen.show({"put_back": put_back}, _table(put_back, "No such file is held."), *said)
    return Exit.DONE if put_back else Exit.NO


def _targets(stack: Stack, screen: Screen, target: str | None) -> Iterator[Landed]:
    is_tenant = target is not None and TENANT.fullmatch(target)
    for one in landing.look(stack, screen, f"{target}/" if is_tenant else target or ""):
        if one.reason and (is_tenant or not target or one.file.key == target):
            yield one


def _table(rows: Sequence[Mapping[str, Any]], empty: str) -> Table:
    return Table(list(COLUMNS), [[row[name] for name in COLUMNS.values()] for row in rows], empty)


def _described(one: Landed) -> dict[str, Any]:
    return {
        "tenant": tenant_of(one.file.key),
        "reason": one.reason,
        "landed_at": one.file.landed_at,
        "age_seconds": one.age(now()),
        "size": one.file.size,
        "key": one.file.key,
    }


def _last_event(stack: Stack, screen: Screen, file: LandedObject) -> dict[str, Any] | None:
    """Find the last RecordingHeld event of a file; none is older than the file itself."""
    since = (file.landed_at or now() - timedelta(days=1)) - CLOCK_SKEW
    found = trail.events(stack, screen, EventType.RECORDING_HELD, since)
    its = [event for event in found if event["source"]["key"] == file.key]
    return max(its, key=lambda event: str(event["time"]), default=None)


def _sentence(is_held: bool, event: dict[str, Any] | None) -> str:
    if not is_held:
        return "It is not held: it waits for its delivery."
    return str(event["message"]) if event else "Its audit event is not in the log group (any more)."
