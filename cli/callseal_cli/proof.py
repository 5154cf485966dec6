"""Prove a key: the tenant has opened its challenge, and the operator submits the code that it contains.

The challenge is the sealed object `<tenant>/key-check/<fingerprint>.txt.p7m` (or `.pgp`) in the SFTP bucket. Its
fingerprint is that of the key that encrypts, usually an OpenPGP subkey. The code is written beside it as
`<fingerprint>.answer`, as the tenant itself would do, and prove_keys removes it after judging it. A proof is recorded
in the key register, and a refusal is an audit event with the reason.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator
from datetime import timedelta

from botocore.exceptions import ClientError

from callseal.core.event_types import EventType
from callseal.core.formats import ENVELOPES
from callseal.keys.check_folder import FOLDER
from callseal.keys.register import FINGERPRINT, encrypts_with
from callseal_cli import register, trail
from callseal_cli.options import now
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

WAIT_SECONDS, PAUSE_SECONDS = 60, 1
# How long the register and the audit log may lag behind an answer that was judged.
BEHIND_SECONDS = 15
REFUSED = EventType.KEY_PROOF_REFUSED
# Clocks differ: new refusals are found by comparison with the earlier ones, not by their time.
LOOK_BACK = timedelta(minutes=5)
_SUFFIXES = "|".join(re.escape(envelope.suffix) for envelope in ENVELOPES.values())
_CHALLENGE = re.compile(rf"({FINGERPRINT.pattern})\.txt(?:{_SUFFIXES})")
_ANSWER = re.compile(rf"({FINGERPRINT.pattern})\.answer")


def pending(stack: Stack, screen: Screen, tenant: str) -> list[str]:
    """Return the fingerprints of a tenant's keys that have a challenge and are not proven.

    The register may not have the key of a challenge yet.
    """
    challenged = set(_in_folder(stack, tenant, _CHALLENGE))
    return sorted(challenged - {encrypts_with(key) for key in register.keys(stack, screen, tenant) if key["proven"]})


def answer(stack: Stack, tenant: str, fingerprint: str, code: str) -> bool:
    """Submit a code for a key. Return False if another answer has not been judged yet."""
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
    """Return the messages of a tenant's refused answers of the last minutes, by the events' ids and times."""
    found = trail.events(stack, screen, REFUSED, now() - LOOK_BACK, repeats=True)
    return {(event["id"], event["time"]): event["message"] for event in found if event["tenant"] == tenant}


def wait(
    stack: Stack, screen: Screen, tenant: str, answered: Collection[str], earlier: Collection[tuple[str, str]]
) -> tuple[list[str], str]:
    """Wait until one of the keys is proven or the codes for all of them are refused, for a minute at most.

    Return the proven keys, and the messages of new refusals if none is proven. `earlier` are the refusals before.
    """

    def new() -> dict[tuple[str, str], str]:
        return {name: why for name, why in refusals(stack, screen, tenant).items() if name not in earlier}

    until = time.monotonic() + WAIT_SECONDS
    while True:
        proven = [encrypts_with(key) for key in register.keys(stack, screen, tenant)
                  if encrypts_with(key) in answered and key["proven"]]  # fmt: skip
        if proven or not answered or time.monotonic() > until:
            return proven, "" if proven else " ".join(new().values())
        if not set(_in_folder(stack, tenant, _ANSWER)) & set(answered):
            until = min(until, time.monotonic() + BEHIND_SECONDS)
            if len(refused := new()) >= len(answered):
                return [], " ".join(dict.fromkeys(refused.values()))
        time.sleep(PAUSE_SECONDS)


def _in_folder(stack: Stack, tenant: str, name: re.Pattern[str]) -> Iterator[str]:
    """Return the fingerprints of the files in the tenant's key-check folder whose names match."""
    prefix = _folder(tenant)
    pages = stack.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.output("SftpBucketName"), Prefix=prefix)
    names = (item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", []))
    return (match[1] for match in map(name.fullmatch, names) if match)


def _folder(tenant: str) -> str:
    return f"{tenant}/{FOLDER}/"
