"""Remove what a trial created, or an interrupted one left: the canaries' objects, secrets, settings and rows.

The audit events in the log group and in the audit bucket remain: they cannot or must not be deleted.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from callseal.keys.check_folder import FOLDER
from callseal_cli import delivered, register, store
from callseal_cli.errors import explain
from callseal_cli.selftest import observe
from callseal_cli.selftest.model import PAUSE_SECONDS, Wait
from callseal_cli.selftest.observe import BUCKETS
from callseal_cli.selftest.trial import run_of, started_at
from callseal_cli.stack import Stack

# Events reach the registers within seconds, and a function that works on a removed file commits within seconds, too.
SETTLE_SECONDS, ROUNDS_SECONDS, QUIET_SECONDS = 20.0, 20.0, 3.0
# The bucket that keeps versions. The canaries have no policy, so none of theirs is locked.
VERSIONED = "ArchiveBucketName"
# Tables in which a tenant has a partition, with the table's sort key.
FILES, KEYS = (delivered.TABLE, "key"), (register.TABLE, "fingerprint")
TABLES: tuple[tuple[str, str | None], ...] = (FILES, KEYS, ("login-settings", None), ("calls", "id"))


@dataclass(slots=True)
class Removal:
    """How much was removed, by kind, and sentences about what was not."""

    removed: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def attempt(self, kind: str, remove: Callable[[], int]) -> int:
        """Call `remove`, add up its count and return it. An error of AWS becomes a problem and counts 0."""
        try:
            count = remove()
        except (ClientError, BotoCoreError) as exc:
            problem = f"{kind}: {explain(exc)}"
            self.problems += [problem] if problem not in self.problems else []
            return 0
        self.removed[kind] += count
        return count


def remove(stack: Stack, tenants: Sequence[str]) -> Removal:
    """Remove everything of canary tenants. Raise ValueError for any other tenant's name."""
    if strangers := [tenant for tenant in tenants if not started_at(tenant)]:
        raise ValueError(f"not canaries: {strangers}")
    done = Removal()
    # Landing first: a file that stays there would be delivered again.
    done.attempt("objects", lambda: _objects(stack, tenants, BUCKETS[:1]))
    _settle(stack, tenants)
    done.attempt("secrets", lambda: _secrets(stack, tenants))
    done.attempt("parameters", lambda: _parameters(stack, tenants))
    done.attempt("rows", lambda: _counted_events(stack, tenants))
    rounds, quiet = Wait(ROUNDS_SECONDS), Wait(QUIET_SECONDS)
    while tenants and rounds.left and quiet.left:
        quiet = Wait(QUIET_SECONDS) if _round(stack, tenants, done) else quiet
        time.sleep(PAUSE_SECONDS)
    return done


def _round(stack: Stack, tenants: Sequence[str], done: Removal) -> int:
    """Remove the objects and rows that exist now. Return how many."""
    return sum(
        (
            done.attempt("objects", lambda: _objects(stack, tenants, BUCKETS)),
            done.attempt("rows", lambda: sum(_rows(stack, tenants, *table) for table in TABLES)),
            done.attempt("rows", lambda: _delete_key_events(stack, [f"told#{tenant}" for tenant in tenants])),
        )
    )


def _settle(stack: Stack, tenants: Sequence[str]) -> None:
    """Wait until the registers have the canaries' files and keys: a row written after the removal would remain."""

    def settled() -> bool:
        return all(_delivered(stack, tenant) <= _registered(stack, tenant) for tenant in tenants) and all(
            any(_items(stack, KEYS[0], tenant)) for tenant in tenants if _has_key(stack, tenant)
        )

    try:
        Wait(SETTLE_SECONDS).until(settled)
    except (ClientError, BotoCoreError):
        return  # the removal then fails with the same error and reports it


def _delivered(stack: Stack, tenant: str) -> set[str]:
    return {key for key in observe.keys(stack, "SftpBucketName", f"{tenant}/") if f"/{FOLDER}/" not in key}


def _registered(stack: Stack, tenant: str) -> set[str]:
    return {item["key"]["S"] for item in _items(stack, FILES[0], tenant) if "state" in item}


def _has_key(stack: Stack, tenant: str) -> bool:
    return store.read_secret(stack, tenant) is not None


def _objects(stack: Stack, tenants: Sequence[str], buckets: Sequence[str]) -> int:
    found = [(name, key) for name in buckets for tenant in tenants for key in observe.keys(stack, name, f"{tenant}/")]
    for name, key in found:
        if name == VERSIONED:
            _delete_versions(stack, stack.output(name), key)
        else:
            stack.s3.delete_object(Bucket=stack.output(name), Key=key)
    return len(found)


def _delete_versions(stack: Stack, bucket: str, key: str) -> None:
    """Delete all versions of a key. A delete of the key alone would hide the current version for a day."""
    for page in stack.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            if version["Key"] == key:
                stack.s3.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])


def _secrets(stack: Stack, tenants: Sequence[str]) -> int:
    names = (name(stack, tenant) for name in (store.secret_name, store.sftp_keys_name) for tenant in tenants)
    return sum(_unless("ResourceNotFoundException", _delete_secret, stack, name) for name in names)


def _parameters(stack: Stack, tenants: Sequence[str]) -> int:
    names = (store.settings_name(stack, tenant) for tenant in tenants)
    return sum(_unless("ParameterNotFound", _delete_parameter, stack, name) for name in names)


def _delete_secret(stack: Stack, name: str) -> None:
    # AWS accepts the forced deletion of a secret that does not exist, and that would be counted.
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
    """Delete the tenants' partitions of a table. Return the number of items."""
    items = [item for tenant in tenants for item in _items(stack, table, tenant)]
    for item in items:
        key = {name: item[name] for name in ("tenant", sort_key) if name}
        stack.dynamodb.delete_item(TableName=stack.table(table), Key=key)
    return len(items)


def _counted_events(stack: Stack, tenants: Sequence[str]) -> int:
    """Delete the ids of the tenants' events, which the functions store to count each event once."""
    runs = {run_of(tenant): started for tenant in tenants if (started := started_at(tenant))}
    events = [event for run, started in runs.items() for event in observe.audit_events(stack, run, started)]
    return _delete_key_events(stack, [event["detail"]["id"] for event in events])


def _delete_key_events(stack: Stack, names: Iterable[str]) -> int:
    """Delete items of the table of counted events and announced verdicts. Return how many existed."""
    table = stack.table("key-events")
    answers = [
        stack.dynamodb.delete_item(TableName=table, Key={"event_id": {"S": name}}, ReturnValues="ALL_OLD")
        for name in sorted(set(names))
    ]
    return sum(1 for answer in answers if answer.get("Attributes"))


def _items(stack: Stack, table: str, tenant: str) -> Iterator[Any]:
    """Return a tenant's items of a table; none if the stack is of a version without the table."""
    pages = stack.dynamodb.get_paginator("query").paginate(
        TableName=stack.table(table), ConsistentRead=True, KeyConditionExpression="tenant = :tenant",
        ExpressionAttributeValues={":tenant": {"S": tenant}},
    )  # fmt: skip
    try:
        yield from (item for page in pages for item in page["Items"])
    except ClientError as exc:
        if observe.error_code(exc) != "ResourceNotFoundException":
            raise
