"""Remove what a trial made, or what an interrupted one left: objects, secrets, settings and rows of canaries alone.

What stays is what cannot or must not be deleted: the audit events in the log group and in the locked bucket.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from callseal_cli import store
from callseal_cli.errors import explain
from callseal_cli.selftest import observe
from callseal_cli.selftest.model import PAUSE_SECONDS, Wait
from callseal_cli.selftest.trial import begun, run_of
from callseal_cli.stack import Stack

# Events reach the registers within seconds; a function at work on a file that was removed commits within seconds, too.
SETTLE_SECONDS, ROUNDS_SECONDS, QUIET_SECONDS = 20.0, 20.0, 3.0
BUCKETS = ("LandingBucketName", "SftpBucketName", "ArchiveBucketName")
# Tables in which a tenant has a partition, with the other attribute of their keys.
FILES, KEYS = ("files", "key"), ("key-register", "fingerprint")
TABLES: tuple[tuple[str, str | None], ...] = (FILES, KEYS, ("login-settings", None))


@dataclass(slots=True)
class Removal:
    """What was removed, by kind, and in sentences what could not be."""

    removed: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def attempt(self, kind: str, remove: Callable[[], int]) -> int:
        """Remove something and count it; what AWS refuses is a problem, and does not stop the rest."""
        try:
            count = remove()
        except (ClientError, BotoCoreError) as exc:
            problem = f"{kind}: {explain(exc)}"
            self.problems += [problem] if problem not in self.problems else []
            return 0
        self.removed[kind] += count
        return count


def remove(stack: Stack, tenants: Sequence[str]) -> Removal:
    """Remove all that is there of canary tenants; raise ValueError for any other tenant's name."""
    if strangers := [tenant for tenant in tenants if not begun(tenant)]:
        raise ValueError(f"no canary: {strangers}")
    done = Removal()
    # First of all: a file that is still there would be delivered once more.
    done.attempt("objects", lambda: _objects(stack, tenants, BUCKETS[:1]))
    _settle(stack, tenants)
    done.attempt("secrets", lambda: _secrets(stack, tenants))
    done.attempt("parameters", lambda: _parameters(stack, tenants))
    done.attempt("rows", lambda: _counted_events(stack, tenants))
    wait, calm = Wait(ROUNDS_SECONDS), Wait(QUIET_SECONDS)
    while tenants and wait.left and calm.left:
        calm = Wait(QUIET_SECONDS) if _round(stack, tenants, done) else calm
        time.sleep(PAUSE_SECONDS)
    return done


def _round(stack: Stack, tenants: Sequence[str], done: Removal) -> int:
    """Remove objects and rows; return how many there were."""
    return sum(
        (
            done.attempt("objects", lambda: _objects(stack, tenants, BUCKETS)),
            done.attempt("rows", lambda: sum(_rows(stack, tenants, *table) for table in TABLES)),
            done.attempt("rows", lambda: _forget(stack, [f"told#{tenant}" for tenant in tenants])),
        )
    )


def _settle(stack: Stack, tenants: Sequence[str]) -> None:
    """Wait until the registers know the canaries' files and keys: a row that comes after its removal would stay."""

    def settled() -> bool:
        return all(_delivered(stack, tenant) <= _known(stack, tenant) for tenant in tenants) and all(
            any(_items(stack, KEYS[0], tenant)) for tenant in tenants if _has_key(stack, tenant)
        )

    try:
        Wait(SETTLE_SECONDS).until(settled)
    except (ClientError, BotoCoreError):
        return  # who may not look may not remove either, and reads so then


def _delivered(stack: Stack, tenant: str) -> set[str]:
    return {key for key in observe.keys(stack, "SftpBucketName", f"{tenant}/") if "/key-check/" not in key}


def _known(stack: Stack, tenant: str) -> set[str]:
    return {item["key"]["S"] for item in _items(stack, FILES[0], tenant) if "state" in item}


def _has_key(stack: Stack, tenant: str) -> bool:
    return store.read_secret(stack, tenant) is not None


def _objects(stack: Stack, tenants: Sequence[str], buckets: Sequence[str]) -> int:
    found = [(name, key) for name in buckets for tenant in tenants for key in observe.keys(stack, name, f"{tenant}/")]
    for name, key in found:
        stack.s3.delete_object(Bucket=stack.output(name), Key=key)
    return len(found)


def _secrets(stack: Stack, tenants: Sequence[str]) -> int:
    names = (name(stack, tenant) for name in (store.secret_name, store.sftp_keys_name) for tenant in tenants)
    return sum(_unless("ResourceNotFoundException", _delete_secret, stack, name) for name in names)


def _parameters(stack: Stack, tenants: Sequence[str]) -> int:
    names = (store.settings_name(stack, tenant) for tenant in tenants)
    return sum(_unless("ParameterNotFound", _delete_parameter, stack, name) for name in names)


def _delete_secret(stack: Stack, name: str) -> None:
    # Asked first: AWS forgives the forced deletion of what is not there, and it would be counted.
    stack.secrets.describe_secret(SecretId=name)
    stack.secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def _delete_parameter(stack: Stack, name: str) -> None:
    stack.ssm.delete_parameter(Name=name)


def _unless(code: str, delete: Callable[[Stack, str], None], stack: Stack, name: str) -> int:
    try:
        delete(stack, name)
    except ClientError as exc:
        if observe.error_code(exc) != code:
            raise
        return 0
    return 1


def _rows(stack: Stack, tenants: Sequence[str], table: str, sort_key: str | None) -> int:
    """Delete the tenants' partitions of a table."""
    items = [item for tenant in tenants for item in _items(stack, table, tenant)]
    for item in items:
        key = {name: item[name] for name in ("tenant", sort_key) if name}
        stack.dynamodb.delete_item(TableName=f"{stack.name}-{table}", Key=key)
    return len(items)


def _counted_events(stack: Stack, tenants: Sequence[str]) -> int:
    """Delete the ids of the tenants' events, which are kept so that each is counted once."""
    runs = {run_of(tenant): began for tenant in tenants if (began := begun(tenant))}
    events = [event for run, began in runs.items() for event in observe.audit_events(stack, run, began)]
    return _forget(stack, [event["detail"]["id"] for event in events])


def _forget(stack: Stack, names: Iterable[str]) -> int:
    """Delete items of the table of counted events and of reported verdicts; return how many were there."""
    table = f"{stack.name}-key-events"
    answers = [
        stack.dynamodb.delete_item(TableName=table, Key={"event_id": {"S": name}}, ReturnValues="ALL_OLD")
        for name in sorted(set(names))
    ]
    return sum(1 for answer in answers if answer.get("Attributes"))


def _items(stack: Stack, table: str, tenant: str) -> Iterator[Any]:
    """Yield a tenant's partition of a table; there is none in a stack of a version without the table."""
    pages = stack.dynamodb.get_paginator("query").paginate(
        TableName=f"{stack.name}-{table}", ConsistentRead=True, KeyConditionExpression="tenant = :tenant",
        ExpressionAttributeValues={":tenant": {"S": tenant}},
    )  # fmt: skip
    try:
        yield from (item for page in pages for item in page["Items"])
    except ClientError as exc:
        if observe.error_code(exc) != "ResourceNotFoundException":
            raise
