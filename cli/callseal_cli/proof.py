"""Proving a key: the tenant has opened its challenge, and the operator hands in the code that stood in it.

The challenge is the sealed object `<tenant>/key-check/<fingerprint>.txt.p7m` (or `.pgp`) in the SFTP bucket; the code
goes beside it as `<fingerprint>.answer`, as if the tenant had put it there. What comes of it shows in the register.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

from botocore.exceptions import ClientError

from callseal_cli import register
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

WAIT_SECONDS, PAUSE_SECONDS = 60, 1
_CHALLENGE = re.compile(r"([0-9A-F]{40,64})\.txt\.(?:p7m|pgp)")


def pending(stack: Stack, screen: Screen, tenant: str) -> list[str]:
    """Give the fingerprints of the tenant's keys that have a challenge in its folder and are not proven."""
    prefix = f"{tenant}/key-check/"
    pages = stack.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.output("SftpBucketName"), Prefix=prefix)
    names = (item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", []))
    challenged = {match[1] for name in names if (match := _CHALLENGE.fullmatch(name))}
    return [key["fingerprint"] for key in register.keys(stack, screen, tenant)
            if key["fingerprint"] in challenged and not key["proven"]]  # fmt: skip


def answer(stack: Stack, tenant: str, fingerprint: str, code: str) -> bool:
    """Hand in a code for a key; False where another answer still waits to be looked at."""
    try:
        stack.s3.put_object(
            Bucket=stack.output("SftpBucketName"), Key=f"{tenant}/key-check/{fingerprint}.answer",
            Body=code.encode(), ContentType="text/plain", IfNoneMatch="*",
        )  # fmt: skip
    except ClientError as exc:
        if exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode") != 412:
            raise
        return False
    return True


def wait(stack: Stack, screen: Screen, tenant: str, fingerprints: Iterable[str]) -> list[str]:
    """Wait until one of the keys is proven, a minute at most; gives those that are."""
    waited_for, until = set(fingerprints), time.monotonic() + WAIT_SECONDS
    while True:
        keys = register.keys(stack, screen, tenant)
        proven = [key["fingerprint"] for key in keys if key["fingerprint"] in waited_for and key["proven"]]
        if proven or time.monotonic() > until:
            return proven
        time.sleep(PAUSE_SECONDS)
