"""Proof before use on the complete system: real tools open the challenge, and only a key's own code proves it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callseal.core.audit import timestamp
from tests.e2e.localcloud.console import CODE, Console, Tenant, names, suffix
from tests.e2e.localcloud.support import PROJECT, eventually
from tests.support.families import FAMILIES
from tests.support.keys import x509_tenant
from tests.support.register import items, rows


def table(console: Console) -> str:
    return f"{console.cloud.stack_name}-key-register"


def take_on(console: Console, tenant: str, key: Tenant) -> tuple[str, str]:
    """Add a tenant that must prove its key. Return the fingerprint, and the code as the tenant reads it."""
    console.take_on(tenant, key, require_key_proof=True)
    (fingerprint,) = names(console.accepted(tenant))
    path = f"{tenant}/key-check/{fingerprint}.txt{suffix(key)}"
    eventually(lambda: console.keys(path))
    sent = {"state": "sent"}
    eventually(lambda: sent.items() <= state(console, tenant, fingerprint).items())
    return fingerprint, CODE.findall(key.open(console.fetch(path)).decode())[0]


def state(console: Console, tenant: str, fingerprint: str) -> dict[str, Any]:
    return items(console.cloud.client("dynamodb"), tenant, table(console))[f"challenge#{fingerprint}"]


def answer(console: Console, tenant: str, fingerprint: str, text: str, outcome: str) -> dict[str, Any]:
    """Put an answer as by SFTP, and wait for its audit event and its removal."""
    before, key = len(console.audit(outcome, tenant)), f"{tenant}/key-check/{fingerprint}.answer"
    bucket = console.cloud.outputs["SftpBucketName"]
    console.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())
    events: list[dict[str, Any]] = eventually(
        lambda: (all_of_it := console.audit(outcome, tenant))[before:] and all_of_it
    )
    eventually(lambda: not console.keys(key))
    return events[-1]


@pytest.mark.parametrize("family", FAMILIES)
def test_key_is_proven_from_challenge_to_delivery(console: Console, family: str) -> None:
    tenant, key = f"proof-{family}", FAMILIES[family].make("proof")
    fingerprint, code = take_on(console, tenant, key)
    foreign_print, foreign = take_on(console, f"other-{family}", x509_tenant("p256", f"other-{family}"))
    console.land(f"{tenant}/1.wav")
    held = eventually(lambda: console.audit("RecordingHeld", tenant))
    assert held[-1]["reason"] == "KeyUnproven"

    wrong = answer(console, tenant, fingerprint, "0000-0000-0000", "KeyProofRefused")
    assert "it is not the code; 4 more attempts" in wrong["message"]
    alien = answer(console, tenant, fingerprint, foreign, "KeyProofRefused")
    assert "it is not the code; 3 more attempts" in alien["message"]
    other = answer(console, tenant, foreign_print, foreign, "KeyProofRefused")
    assert "no challenge for that key" in other["message"]
    assert console.audit("KeyProven", tenant) == []

    proven = answer(console, tenant, fingerprint, code.lower().replace("-", " "), "KeyProven")

    assert names(proven) == (fingerprint,)
    again = answer(console, tenant, fingerprint, code, "KeyProofRefused")
    assert "used already" in again["message"]
    eventually(lambda: rows(console.cloud.client("dynamodb"), tenant, table(console))[fingerprint].get("proven"))
    console.sweep()
    delivered = eventually(lambda: console.delivered(tenant).get(f"{tenant}/1.wav"))
    assert names(delivered) == (fingerprint,)
    assert key.open(console.fetch(f"{tenant}/1.wav{suffix(key)}")) == f"said in {tenant}/1.wav".encode()
    register = rows(console.cloud.client("dynamodb"), tenant, table(console))
    assert register[fingerprint]["proven"] == proven["time"]
    assert code not in str(console.audit("KeyProofRefused", tenant)) + str(state(console, tenant, fingerprint))


def test_a_late_code_is_refused(console: Console) -> None:
    """Let a week pass by changing the only place that stores the time."""
    fingerprint, code = take_on(console, "late", x509_tenant("p256", "late"))
    console.cloud.client("dynamodb").update_item(
        TableName=table(console),
        Key={"tenant": {"S": "late"}, "fingerprint": {"S": f"challenge#{fingerprint}"}},
        UpdateExpression="SET expires = :then",
        ExpressionAttributeValues={":then": {"S": timestamp(datetime.now(UTC) - timedelta(seconds=1))}},
    )
    refused = answer(console, "late", fingerprint, code, "KeyProofRefused")
    assert console.audit("KeyProven", "late") == []
    assert "it came too late" in refused["message"]


def prove(console: Console, tenant: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run the operator's command."""
    paths = [PROJECT / "cli", PROJECT / "layers/callseal/python"]
    environment = {
        "AWS_ENDPOINT_URL": console.cloud.endpoint_url,
        "AWS_REGION": console.cloud.region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
    command = [sys.executable, "-m", "callseal_cli", "keys", "prove", tenant, code, "--stack", console.cloud.stack_name]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_command_of_the_operator_submits_the_code(console: Console) -> None:
    fingerprint, code = take_on(console, "phoned", FAMILIES["openpgp"].make("phoned"))

    wrong = prove(console, "phoned", "0000-0000-0000")
    right = prove(console, "phoned", code.lower())

    assert wrong.returncode == 1, wrong.stderr
    assert "it is not the code" in wrong.stdout
    assert right.returncode == 0, right.stderr
    assert fingerprint in right.stdout
    assert rows(console.cloud.client("dynamodb"), "phoned", table(console))[fingerprint]["proven"]
