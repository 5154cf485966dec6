"""`callseal status`: the state of a stack, and what needs attention."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from callseal.core.event_types import EventType
from callseal_cli import delivered, landing, register, store, trail
from callseal_cli.landing import Landed
from callseal_cli.options import AsJson, Exit, StackName, now
from callseal_cli.screen import Facts, Screen, cell
from callseal_cli.stack import Stack, find_stack

# The stack's own alarm on pending files has the same threshold (docs/operations.md).
PENDING_TOO_LONG = timedelta(minutes=30)
EXPIRES_SOON = timedelta(days=60)
LAST = timedelta(hours=1)


def status(stack: StackName = None, as_json: AsJson = False) -> int:
    """Show the state of a stack. Exit code 1 if something needs attention.

    That is: a file is held, a file has been pending (neither delivered nor held) for over 30 minutes, there are dead
    letters, a key in use has expired or expires within 60 days, or an unfetched file has 3 days left or less.
    """
    screen, found, moment = Screen(as_json), find_stack(stack), now()
    files = list(landing.files(found, screen))
    last_hour = sum(1 for _ in trail.events(found, screen, EventType.RECORDING_DELIVERED, moment - LAST))
    document: dict[str, Any] = {
        "stack": found.name,
        "region": found.region,
        "tenants": len(store.tenants_with_settings(found).keys() | store.tenants_with_key(found)),
        "held": _files([file for file in files if file.reason], moment) | {"by_reason": landing.reasons(files)},
        "owed": _files([file for file in files if not file.reason], moment),
        "queue": queue_depth(found, "EncryptQueueUrl"),
        "dead_letters": queue_depth(found, "EncryptDeadLetterQueueUrl"),
        "delivered_last_hour": last_hour,
        "keys_expiring": _expiring(found, screen, moment),
        "unfetched": _unfetched(found, screen, moment),
    }
    document["attention"] = _attention(document)
    screen.show(document, Facts(_facts(document)), *(document["attention"] or ["All is well."]))
    return Exit.NO if document["attention"] else Exit.DONE


def _files(files: Sequence[Landed], moment: datetime) -> dict[str, Any]:
    return {"count": len(files), "oldest_age_seconds": max((file.age(moment) for file in files), default=None)}


def queue_depth(stack: Stack, output: str) -> dict[str, int]:
    """Return how many messages are `waiting` and `in_flight` in the queue whose URL is in an output."""
    names: Any = {"waiting": "ApproximateNumberOfMessages", "in_flight": "ApproximateNumberOfMessagesNotVisible"}
    attributes = stack.sqs.get_queue_attributes(QueueUrl=stack.output(output), AttributeNames=list(names.values()))
    return {name: int(attributes["Attributes"][attribute]) for name, attribute in names.items()}


def _expiring(stack: Stack, screen: Screen, moment: datetime) -> list[dict[str, Any]] | None:
    """Return the keys in use that expire soon, or None if the stack has no key register."""
    try:
        keys = register.keys(stack, screen)
    except register.NoRegisterError:
        return None
    shown = ("tenant", "fingerprint", "not_after")
    ends = [(key, register.moment(key["not_after"])) for key in keys if key["accepted"] and not key["retired"]]
    return [{name: key[name] for name in shown} for key, end in ends if end and end < moment + EXPIRES_SOON]


def _unfetched(stack: Stack, screen: Screen, moment: datetime) -> dict[str, Any] | None:
    """Return how many files expire soon and were not fetched, or None if the stack has no register of them."""
    try:
        tenants = delivered.near_end(stack, screen, moment)
    except register.NoRegisterError:
        return None
    return {"count": sum(tenants.values()), "by_tenant": tenants}


def _attention(document: dict[str, Any]) -> list[str]:
    found, pending = [], document["owed"]["oldest_age_seconds"]
    if count := document["held"]["count"]:
        found.append(f"{count} held: callseal held list, then callseal held show KEY.")
    if pending and pending > PENDING_TOO_LONG:
        found.append(f"A file has been pending for {cell(pending)}: docs/operations.md, 'A file is stuck'.")
    if count := sum(document["dead_letters"].values()):
        found.append(f"{count} in the dead-letter queue: docs/operations.md, 'Dead letters'.")
    for tenant, count in (document["unfetched"] or {"by_tenant": {}})["by_tenant"].items():
        found.append(f"{tenant} has not fetched {count} of its files, which expire within 3 days: docs/operations.md, "
                     "'Files are not fetched'.")  # fmt: skip
    keys = document["keys_expiring"] or []
    return found + [f"Key {key['fingerprint']} of {key['tenant']} ends {key['not_after']}: renew it." for key in keys]


def _facts(document: dict[str, Any]) -> dict[str, object]:
    held, pending, keys = document["held"], document["owed"], document["keys_expiring"]
    reasons = [f"{count} {reason}" for reason, count in held["by_reason"].items()]
    return {
        "stack": f"{document['stack']} in {document['region']}",
        "tenants": document["tenants"],
        "held": f"{held['count']}, oldest {cell(held['oldest_age_seconds'])} ({cell(reasons)})" if reasons else 0,
        "pending": f"{pending['count']}, oldest {cell(pending['oldest_age_seconds'])}" if pending["count"] else 0,
        "queue": "{waiting} waiting, {in_flight} in flight".format(**document["queue"]),
        "dead letters": sum(document["dead_letters"].values()),
        "delivered in the last hour": document["delivered_last_hour"],
        "keys that expire within 60 days": "no key register yet" if keys is None else len(keys),
        f"not fetched, {delivered.NEAR_END.days} days or less left": _counted(document["unfetched"]),
    }


def _counted(unfetched: dict[str, Any] | None) -> object:
    if unfetched is None:
        return "no register of delivered files yet"
    tenants = [f"{count} of {tenant}" for tenant, count in unfetched["by_tenant"].items()]
    return f"{unfetched['count']} ({cell(tenants)})" if tenants else 0
