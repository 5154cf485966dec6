"""The key register as an auditor gets it."""

from __future__ import annotations

import csv
import io
import json
from types import ModuleType

import pytest

from tests.delivery.test_check_keys import check, current
from tests.delivery.test_register_keys import deliver
from tests.support.keys import openpgp_tenant, x509_tenant
from tests.support.register import feed
from tests.support.stack import STACK, Stack
from tools import export_keys

COLUMNS = ["tenant", "fingerprint", "kind", "algorithm", "strength", "first_seen", "accepted", "proven", "not_after",
           "retired", "secret_version_id", "use_count", "last_used"]  # fmt: skip


@pytest.fixture(autouse=True)
def _register(cloud: Stack, check_keys: ModuleType, encrypt_recording: ModuleType, register_keys: ModuleType) -> None:
    """Two tenants: one has changed its key once, and has a challenge; the other has one key."""
    cloud.tenant("acme", x509_tenant().public_text)
    cloud.tenant("beta", openpgp_tenant("cv25519").public_text, {"require_key_proof": True})
    check(check_keys, {})
    deliver(cloud, encrypt_recording, "acme/1.wav")
    cloud.put_key("acme", x509_tenant("p256", "new").public_text)
    check(check_keys)
    feed(cloud, register_keys.lambda_handler)


def test_csv_and_json_have_each_key_with_all_its_members(cloud: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert export_keys.main(["--stack", STACK]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert export_keys.main(["--stack", STACK, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)

    assert [list(row) for row in document] == [COLUMNS] * 3 == [list(row) for row in table]
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in document] == table
    old, new, other = document
    assert [(row["tenant"], row["kind"], row["algorithm"], row["strength"]) for row in document] == [
        ("acme", "x509", "RSA", 2048), ("acme", "x509", "EC P-256", 256), ("beta", "openpgp", "Curve25519", 255),
    ]  # fmt: skip
    assert (old["use_count"], new["use_count"], other["use_count"]) == (1, 0, 0)
    assert old["retired"] == new["accepted"]
    assert (new["retired"], new["last_used"], new["proven"]) == (None, None, None)
    assert new["secret_version_id"] == current(cloud)


def test_one_tenant_alone(capsys: pytest.CaptureFixture[str]) -> None:
    export_keys.main(["--stack", STACK, "--tenant", "beta", "--format", "json"])
    assert [row["tenant"] for row in json.loads(capsys.readouterr().out)] == ["beta"]
