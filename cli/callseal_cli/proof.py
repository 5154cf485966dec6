"""Proving a key: the tenant has opened its challenge, and the operator hands in the code that stood in it.

The challenge is the sealed object `<tenant>/key-check/<fingerprint>.txt.p7m` (or `.pgp`) in the SFTP bucket, named by
what encrypts: an OpenPGP subkey as a rule. The code goes beside it as `<fingerprint>.answer`, as if
the tenant had put it there, and is removed once it was judged. The verdict shows in the register, or in an audit event
that says why not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator
from datetime import timedelta

from botocore.exceptions import ClientError

from callseal.core.event_types import EventType
from callseal_cli import register, trail
from callseal_cli.options import now
from callseal_cli.register import encrypts_with
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

WAIT_SECONDS, PAUSE_SECONDS = 60, 1
# How long the register, or the audit log, may be behind an answer that was looked at.
BEHIND_SECONDS = 15
REFUSED = EventType.KEY_PROOF_REFUSED
# Clocks differ: what is new among the refusals is told by comparing, not by its time.
LOOK_BACK = timedelta(minutes=5)
_CHALLENGE = re.compile(r"([0-9A-F]{40,64})\.txt\.(?:p7m|pgp)")
_ANSWER = re.compile(r"([0-9A-F]{40,64})\.answer")


def pending(stack: Stack, screen: Screen, tenant: str) -> list[str]:
    """Give the fingerprints of the tenant's keys that have a challenge in its folder and are not proven.

    A challenge may be there before the register has heard of its key.
    """
    challenged = set(_in_folder(stack, tenant, _CHALLENGE))
    return sorted(challenged - {encrypts_with(key) for key in register.keys(stack, screen, tenant) if key["proven"]})


def answer(stack: Stack, tenant: str, fingerprint: str, code: str) -> bool:
    """Hand in a code for a key; False where another answer still waits to be looked at."""
    try:
        stack.s3.put_object(
            Bucket=stack.output("SftpBucketName"), Key=f"{_folder(tenant)}{fingerprint}.answer",
            Body=code.encode(), ContentType="text/plain", IfNoneMatch="*",
        )  # fmt: skip
    except ClientError as exc:
        if exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode") != 412:
            raise
        return False
    return True


def refusals(stack: Stack, screen: Screen, tenant: str) -> dict[tuple[str, str], str]:
    """Give the sentences of a tenant's refused answers of the last minutes, by the events' ids and times."""
    found = trail.events(stack, screen, REFUSED, now() - LOOK_BACK, repeats=True)
    return {(event["id"], event["time"]): event["message"] for event in found if event["tenant"] == tenant}


def wait(
    stack: Stack, screen: Screen, tenant: str, asked: Collection[str], told: Collection[tuple[str, str]]
) -> tuple[list[str], str]:
    """Wait until one of the keys is proven, or the codes for all of them are refused, a minute at most.

    Gives the keys that are proven, and why the others are not, as far as that was told; `told` are earlier refusals.
    """

    def new() -> dict[tuple[str, str], str]:
        return {name: why for name, why in refusals(stack, screen, tenant).items() if name not in told}

    until = time.monotonic() + WAIT_SECONDS
    while True:
        proven = [encrypts_with(key) for key in register.keys(stack, screen, tenant)
                  if encrypts_with(key) in asked and key["proven"]]  # fmt: skip
        if proven or not asked or time.monotonic() > until:
            return proven, "" if proven else " ".join(new().values())
        if not set(_in_folder(stack, tenant, _ANSWER)) & set(asked):
            until = min(until, time.monotonic() + BEHIND_SECONDS)
            if len(refused := new()) >= len(asked):
                return [], " ".join(dict.fromkeys(refused.values()))
        time.sleep(PAUSE_SECONDS)


def _in_folder(stack: Stack, tenant: str, name: re.Pattern[str]) -> Iterator[str]:
    """Give the fingerprints of the files of a kind in the tenant's key-check folder."""
    prefix = _folder(tenant)
    pages = stack.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.output("SftpBucketName"), Prefix=prefix)
    names = (item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", []))
    return (match[1] for match in map(name.fullmatch, names) if match)


def _folder(tenant: str) -> str:
    return f"{tenant}/key-check/"
