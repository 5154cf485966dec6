"""`callseal keys`: judged offline, stored, proven, listed. The table of all kinds of key files is in tests/vectors."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callseal.core.errors import Reason
from callseal.crypto.recipients import MAX_TEXT_BYTES
from tests.e2e.cli.command import run
from tests.e2e.cli.conftest import REGISTER, Operator
from tests.support.issuing import issue
from tests.support.keys import gpg, gpg_home, openpgp_tenant, x509_tenant
from tests.support.stack import SFTP, STACK
from tests.vectors.cases import CASES


def check(path: Path, *arguments: str, code: int) -> Any:
    answer = run("keys", "check", path, "--json", *arguments)
    assert (answer.code, answer.err) == (code, ""), answer
    return json.loads(answer.out)


def secret_of(operator: Operator, tenant: str) -> dict[str, Any]:
    return dict(operator.stack.secrets.get_secret_value(SecretId=f"{STACK}/tenants/{tenant}/public-key"))


# Checking.


def test_usable_certificate_is_reported_with_all_its_facts() -> None:
    key = x509_tenant("p384")
    verdict = check(key.certificate, code=0)
    assert (verdict["usable"], verdict["reason"]) == (True, None)
    assert verdict["message"] == "Files can be sealed to it: it alone opens them."
    (facts,) = verdict["keys"]
    assert (facts["kind"], facts["algorithm"], facts["strength"], facts["usable"]) == ("x509", "EC P-384", 384, True)
    ends = datetime.fromisoformat(facts["not_after"])
    assert timedelta(days=29) < ends - datetime.now(UTC) < timedelta(days=31)


def test_each_of_several_keys_is_reported_with_its_own_verdict(tmp_path: Path) -> None:
    good, weak = x509_tenant("rsa2048"), x509_tenant("rsa1024")
    (tmp_path / "both.pem").write_text(good.public_text + weak.public_text)
    verdict = check(tmp_path / "both.pem", code=1)
    assert verdict["reason"] == "KeyTooWeak"
    reported = [(one["algorithm"], one["usable"], one["reason"]) for one in verdict["keys"]]
    assert reported == [("RSA", True, None), ("RSA", False, "KeyTooWeak")]
    assert verdict["keys"][1]["strength"] == 1024
    assert verdict["keys"][1]["fingerprint"] in verdict["message"] == verdict["keys"][1]["message"]

    (tmp_path / "good.pem").write_text(good.public_text + x509_tenant("p256").public_text)
    assert check(tmp_path / "good.pem", code=0)["message"].endswith("each of its 2 keys opens them alone.")


def test_chain_is_reported_as_left_out_with_usable_and_bad_keys(tmp_path: Path) -> None:
    ca = x509_tenant("p256", "ca")
    (tmp_path / "chain.pem").write_text(issue(ca).public_text + ca.public_text)
    verdict = check(tmp_path / "chain.pem", code=0)
    leaf, left = verdict["keys"]
    assert verdict["message"] == (
        "Files can be sealed to it: it alone opens them. Left out, because they issued another certificate of this key "
        f"(its chain): {left['fingerprint']}."
    )
    assert (leaf["usable"], leaf["reason"], leaf["message"]) == (True, None, None)
    assert (left["usable"], left["reason"], left["strength"]) == (False, None, 256)
    assert "it issued another certificate" in left["message"]
    rows = run("keys", "check", tmp_path / "chain.pem").out.splitlines()[-2:]
    assert [row.split("\t")[-1] for row in rows] == ["usable", "left out"]

    (tmp_path / "chain.pem").write_text(issue(ca, x509_tenant("rsa1024")).public_text + ca.public_text)
    refused = check(tmp_path / "chain.pem", code=1)
    assert [(one["usable"], one["reason"]) for one in refused["keys"]] == [(False, "KeyTooWeak"), (False, None)]


def test_text_output_has_the_verdict_and_the_next_step() -> None:
    key = x509_tenant("rsa1024")
    answer = run("keys", "check", key.certificate)
    assert answer.code == 1
    first, sentence, header, row = answer.out.splitlines()
    assert first == "key: not usable, KeyTooWeak"
    assert "Ask the tenant for 2048 bits or more" in sentence
    assert header.split("\t")[0] == "fingerprint"
    _, kind, algorithm, strength, _, reason = row.split("\t")
    assert (kind, algorithm, strength, reason) == ("x509", "RSA", "1024", "KeyTooWeak")


def test_the_key_comes_from_standard_input_too() -> None:
    key = openpgp_tenant("cv25519")
    answer = run("keys", "check", "-", "--json", data=key.public_text.encode())
    assert answer.code == 0
    assert json.loads(answer.out)["keys"][0]["fingerprint"] == key.fingerprint


def test_verdict_is_as_of_the_requested_time() -> None:
    key, now = x509_tenant(), datetime.now(UTC)
    assert check(key.certificate, "--at", f"{now + timedelta(days=40):%Y-%m-%d}", code=1)["reason"] == "KeyExpired"
    assert (
        check(key.certificate, "--at", f"{now - timedelta(days=4):%Y-%m-%dT%H:%MZ}", code=1)["reason"]
        == "KeyNotYetValid"
    )
    assert check(key.certificate, "--at", f"{now + timedelta(days=9):%Y-%m-%d}", code=0)["usable"]
    answer = run("keys", "check", key.certificate, "--at", "soon", "--json")
    assert (answer.code, "is not a time" in json.loads(answer.err)["error"]) == (2, True)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_a_file_is_read_as_an_editor_shows_it(encoding: str, tmp_path: Path) -> None:
    path, key = tmp_path / "key.txt", x509_tenant()
    path.write_bytes(f"Für Åse:\r\n{key.public_text}".encode(encoding))
    assert check(path, code=0)["usable"]
    path.write_bytes(f"Für Åse:\r\n{key.private_key.read_text()}".encode(encoding))
    assert check(path, code=1)["reason"] == "KeyIsPrivate"


def test_file_of_arbitrary_bytes_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "key.bin"
    for data in (b"", b"\0" * 3000, os.urandom(5000), b"\xff\xfe\x00", b"\xef\xbb\xbf", b"-----BEGIN CERTIFICATE-----"):
        path.write_bytes(data)
        assert check(path, code=1)["reason"] == "KeyUnreadable"


def test_reading_stops_once_the_file_is_too_long(tmp_path: Path) -> None:
    path, key = tmp_path / "long.pem", x509_tenant().public_text
    path.write_text(key.rjust(MAX_TEXT_BYTES))
    assert check(path, code=1)["keys"][0]["usable"]
    path.write_text(key.rjust(MAX_TEXT_BYTES + 1))
    assert "longer than 1,048,576 bytes" in check(path, code=1)["message"]
    # The device never ends: a command that read all of it would never return.
    assert "longer than 1,048,576 bytes" in check(Path("/dev/zero"), code=1)["message"]


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """Return a key with a photo, as gpg exports it: longer than a secret may be."""
    path = tmp_path / "big.asc"
    path.write_bytes(gzip.decompress((CASES / "key-file-over-64k" / "big_photo.asc.gz").read_bytes()))
    return path


def test_key_too_long_for_a_secret_is_rejected_with_advice(big: Path, tmp_path: Path) -> None:
    verdict = check(big, code=1)
    assert (verdict["usable"], verdict["reason"], verdict["keys"][0]["usable"]) == (False, "KeyUnreadable", True)
    assert "it has 83,507 bytes, and a secret holds 65,536" in verdict["message"]

    # the tenant follows the sentence's advice
    home = gpg_home("big")
    gpg(home, "--import", big)
    advised = verdict["message"].partition("gpg --armor ")[2].split()
    smaller = tmp_path / "smaller.asc"
    smaller.write_bytes(gpg(home, "--armor", *advised))
    assert smaller.stat().st_size < 2000
    assert check(smaller, code=0)["keys"][0]["fingerprint"] == verdict["keys"][0]["fingerprint"] == advised[-1]


def test_certificate_too_long_for_a_secret_is_requested_alone(tmp_path: Path) -> None:
    path, key = tmp_path / "long.pem", x509_tenant().public_text
    path.write_text(key + "ü" * ((65_536 - len(key)) // 2))
    assert check(path, code=0)["usable"]
    path.write_text(key + "ü" * ((65_536 - len(key)) // 2 + 1))
    assert "does not fit into a secret" in (sentence := check(path, code=1)["message"])
    assert "Remove the text around the certificates" in sentence


def test_bad_key_too_long_for_a_secret_has_its_own_reason(tmp_path: Path) -> None:
    (tmp_path / "long.pem").write_text(x509_tenant("rsa1024").public_text + " " * 65_536)
    assert check(tmp_path / "long.pem", code=1)["reason"] == "KeyTooWeak"


def test_a_key_that_does_not_fit_is_neither_put_nor_is_its_tenant_added(operator: Operator, big: Path) -> None:
    for command in (("keys", "put", "acme", big), ("tenants", "add", "acme", "--key", big)):
        answer = operator(*command)
        assert answer.code == 1
        assert "no-export-attributes" in answer.out
    assert operator.json("tenants", "list") == {"tenants": []}


def test_without_a_gpg_an_openpgp_key_cannot_be_judged_and_a_certificate_can(tmp_path: Path) -> None:
    (tmp_path / "key.asc").write_text(openpgp_tenant("cv25519").public_text)
    for env in ({"GPG_BINARY": "/nowhere/gpg"}, {"PATH": "/nowhere"}):
        answer = run("keys", "check", tmp_path / "key.asc", "--json", env=env)
        assert (answer.code, answer.out) == (2, "")
        assert "set GPG_BINARY" in json.loads(answer.err)["error"]
        assert run("keys", "check", x509_tenant().certificate, env=env).code == 0


def test_a_file_that_cannot_be_read_is_no_verdict(tmp_path: Path) -> None:
    for path, word in ((tmp_path / "none.pem", "No such file"), (tmp_path, "is a folder")):
        answer = run("keys", "check", path)
        assert (answer.code, answer.out) == (2, "")
        assert word in answer.err


def test_no_word_of_a_private_key_is_repeated(tmp_path: Path) -> None:
    key = x509_tenant("p256")
    for arguments in ((), ("--json",)):
        answer = run("keys", "check", key.private_key, *arguments)
        assert answer.code == 1
        for line in key.private_key.read_text().splitlines()[1:-1]:
            assert line not in answer.out + answer.err


# Putting.


def test_a_key_is_put_and_put_again(operator: Operator) -> None:
    first, second = x509_tenant(), openpgp_tenant("cv25519")
    put = operator.json("keys", "put", "acme", first.certificate, "--fingerprint", first.fingerprint)
    assert (secret_of(operator, "acme")["SecretString"], put["usable"]) == (first.public_text, True)
    assert put["version_id"] == secret_of(operator, "acme")["VersionId"]

    as_shown = re.sub(r"(.{4})", r"\1 ", second.fingerprint).lower()
    answer = operator("keys", "put", "acme", "-", "--fingerprint", as_shown, data=second.public_text.encode())
    assert answer.code == 0
    assert secret_of(operator, "acme")["SecretString"] == second.public_text
    assert f"Stored as version {secret_of(operator, 'acme')['VersionId']}.\n" in answer.out


def test_bad_keys_and_private_keys_are_not_stored(operator: Operator) -> None:
    good = x509_tenant()
    operator.stack.put_key("acme", good.public_text)
    for path, reason in (
        (x509_tenant("rsa1024").certificate, Reason.KEY_TOO_WEAK),
        (good.private_key, Reason.KEY_IS_PRIVATE),
    ):
        for tenant in ("acme", "beta"):
            refused = operator.json("keys", "put", tenant, path, code=1)
            assert (refused["reason"], refused["version_id"]) == (reason, None)
        assert operator("keys", "put", "acme", path).out.endswith("Nothing was stored.\n")
    assert secret_of(operator, "acme")["SecretString"] == good.public_text
    assert [one["tenant"] for one in operator.json("tenants", "list")["tenants"]] == ["acme"]


def test_text_that_no_secret_can_hold_is_refused(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "long.pem").write_text(x509_tenant().public_text.rjust(65_537))
    answer = operator("keys", "put", "acme", tmp_path / "long.pem")
    assert answer.code == 1
    assert "a secret holds 65,536" in answer.out
    assert operator.json("tenants", "list") == {"tenants": []}


# The register.

SEEN = "2026-01-02T03:04:05.000Z"


def item(tenant: str, fingerprint: str, **more: Any) -> dict[str, Any]:
    return {
        "tenant": tenant, "fingerprint": fingerprint, "kind": "x509", "algorithm": "RSA", "strength": 2048,
        "first_seen": SEEN, "accepted": SEEN, "not_after": "2030-01-01T00:00:00.000Z", "secret_version_id": "v1",
        "use_count": 7, "last_used": SEEN, **more,
    }  # fmt: skip


def test_the_keys_of_a_tenant_are_listed(operator: Operator, key_register: Any) -> None:
    key_register(**item("acme", "B" * 64, first_seen="2026-05-02T03:04:05.000Z"))
    key_register(**item("acme", "C" * 64, retired="2026-05-02T03:04:05.000Z", proven=SEEN))
    key_register(**item("beta", "D" * 64))
    key_register(tenant="acme", fingerprint=f"challenge#{'B' * 64}", code_hash="secret")
    key_register(tenant="acme", fingerprint="check", verdict="x")

    listed = operator.json("keys", "list", "acme")["keys"]
    assert [one["fingerprint"] for one in listed] == ["C" * 64, "B" * 64]
    retired = {"retired": "2026-05-02T03:04:05.000Z", "proven": SEEN, "subkey": None}
    assert listed[0] == {**item("acme", "C" * 64), **retired}
    assert (listed[1]["proven"], listed[1]["retired"], listed[1]["use_count"]) == (None, None, 7)
    everybody = operator.json("keys", "list", "--all")["keys"]
    assert [(one["tenant"], one["fingerprint"][0]) for one in everybody] == [
        ("acme", "C"),
        ("acme", "B"),
        ("beta", "D"),
    ]
    assert f"beta\t{'D' * 64}\t-\tx509\tRSA\t2048\t{SEEN}\t-\t" in operator("keys", "list", "--all").out
    assert operator("keys", "list", "nobody").out == "There is no key in the register.\n"


def test_a_register_of_many_pages_is_read_to_its_end(operator: Operator, key_register: Any) -> None:
    # DynamoDB returns 1 MB at a time.
    for number in range(60):
        key_register(**item("acme", f"{number:064X}", secret_version_id="v" * 40_000))
    assert len(operator.json("keys", "list", "acme")["keys"]) == 60
    assert len(operator.json("keys", "list", "--all")["keys"]) == 60


def test_the_register_is_exported(operator: Operator, key_register: Any) -> None:
    key_register(**item("acme", "B" * 64))
    key_register(**item("beta", "D" * 40, kind="openpgp", not_after=None, primary="E" * 40))
    answer = operator("keys", "export")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert list(rows[0]) == [
        "tenant", "fingerprint", "subkey", "kind", "algorithm", "strength", "first_seen", "accepted", "proven",
        "not_after", "retired", "secret_version_id", "use_count", "last_used",
    ]  # fmt: skip
    assert [(row["tenant"], row["strength"], row["not_after"], row["proven"]) for row in rows] == [
        ("acme", "2048", "2030-01-01T00:00:00.000Z", ""), ("beta", "2048", "", ""),
    ]  # fmt: skip
    assert [(row["fingerprint"], row["subkey"]) for row in rows] == [("B" * 64, ""), ("E" * 40, "D" * 40)]
    formed = operator("keys", "export", "--format", "json")
    assert json.loads(formed.out) == operator.json("keys", "export") == operator.json("keys", "list", "--all")
    assert operator.json("keys", "export", "--format", "csv") == json.loads(formed.out)


def test_stack_without_the_register_is_reported(operator: Operator) -> None:
    operator.stack.dynamodb.delete_table(TableName=REGISTER)
    for command in (("list", "acme"), ("list", "--all"), ("export",), ("prove", "acme", "123")):
        assert f"no table {REGISTER}" in operator.refused("keys", *command)


def test_list_requires_a_tenant_or_all(operator: Operator) -> None:
    assert "Name a tenant, or --all" in operator.refused("keys", "list")
    assert "Name a tenant, or --all" in operator.refused("keys", "list", "acme", "--all")


# Proving.


def challenge(operator: Operator, key_register: Any, fingerprint: str, **more: Any) -> None:
    key_register(**item("acme", fingerprint, **more))
    operator.stack.s3.put_object(Bucket=SFTP, Key=f"acme/key-check/{fingerprint}.txt.p7m", Body=b"sealed")


def answers(operator: Operator) -> dict[str, bytes]:
    return {key: data for key, data in operator.stack.objects(SFTP).items() if key.endswith(".answer")}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callseal_cli.proof.WAIT_SECONDS", 0.2)
    monkeypatch.setattr("callseal_cli.proof.PAUSE_SECONDS", 0.05)


def test_code_is_submitted_for_every_pending_challenge(operator: Operator, key_register: Any, impatient: None) -> None:
    challenge(operator, key_register, "A" * 64)
    challenge(operator, key_register, "B" * 64, proven=SEEN)
    key_register(**item("acme", "C" * 64))
    # The register learns of a key by its event, which may arrive after the challenge.
    operator.stack.s3.put_object(Bucket=SFTP, Key=f"acme/key-check/{'D' * 64}.txt.p7m", Body=b"of a key not heard of")
    challenge(operator, key_register, "E" * 40)

    refused = operator.json("keys", "prove", "acme", " 4711 ", code=1)
    assert answers(operator) == {f"acme/key-check/{one}.answer": b"4711" for one in ("A" * 64, "D" * 64, "E" * 40)}
    assert (refused["proven"], refused["pending"]) == ([], ["A" * 64, "D" * 64, "E" * 40])
    assert "There was no verdict within a minute" in refused["message"]


def test_it_waits_for_the_verdict(operator: Operator, key_register: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callseal_cli.proof.PAUSE_SECONDS", 0.05)
    challenge(operator, key_register, "A" * 64)

    def judge_it_soon() -> None:
        while not answers(operator):
            time.sleep(0.02)
        key_register(**item("acme", "A" * 64, proven=SEEN))

    judging = threading.Thread(target=judge_it_soon)
    judging.start()
    answer = operator("keys", "prove", "acme", "4711")
    judging.join()
    assert answer == (0, f"Proven: {'A' * 64}.\n", "")


def test_refusal_is_reported_at_once_and_earlier_refusals_are_not(
    operator: Operator, key_register: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal_cli.proof.PAUSE_SECONDS", 0.05)
    challenge(operator, key_register, "A" * 64)

    def refuse(tenant: str, why: str) -> None:
        detail = {"id": "the same for the same answer", "time": f"{datetime.now(UTC):%H%M%S.%f}", "tenant": tenant,
                  "message": why}  # fmt: skip
        operator.stack.events.put_events(Entries=[{
            "EventBusName": f"{STACK}-audit", "Source": "callseal", "DetailType": "KeyProofRefused",
            "Detail": json.dumps(detail),
        }])  # fmt: skip

    def judge_it_soon() -> None:
        while not answers(operator):
            time.sleep(0.02)
        refuse("beta", "Not this tenant's.")
        time.sleep(0.3)
        refuse("acme", "It is not the code.")
        operator.stack.s3.delete_object(Bucket=SFTP, Key=f"acme/key-check/{'A' * 64}.answer")

    refuse("acme", "An earlier answer.")
    judging = threading.Thread(target=judge_it_soon)
    judging.start()
    started = time.monotonic()
    answer = operator("keys", "prove", "acme", "4711")
    judging.join()
    assert answer == (1, "Not proven. It is not the code.\n", "")
    assert 0.3 < time.monotonic() - started < 20


def test_pending_answer_is_not_replaced(operator: Operator, key_register: Any, impatient: None) -> None:
    challenge(operator, key_register, "A" * 64)
    operator.stack.s3.put_object(Bucket=SFTP, Key=f"acme/key-check/{'A' * 64}.answer", Body=b"the tenant's own")
    answer = operator("keys", "prove", "acme", "4711")
    assert (answer.code, "Another answer has not been judged yet" in answer.out) == (1, True)
    assert list(answers(operator).values()) == [b"the tenant's own"]


def test_nothing_to_prove_is_reported(operator: Operator, key_register: Any) -> None:
    key_register(**item("acme", "A" * 64))
    assert "No key of acme waits for its proof" in operator.refused("keys", "prove", "acme", "4711")
    assert answers(operator) == {}


def test_expired_openpgp_key_is_reported(tmp_path: Path) -> None:
    key = openpgp_tenant("cv25519", "runs-out")
    gpg(key.home, "--quick-set-expire", key.fingerprint, "seconds=1")
    time.sleep(1.5)
    (tmp_path / "key.asc").write_bytes(gpg(key.home, "--armor", "--export"))
    verdict = check(tmp_path / "key.asc", code=1)
    assert (verdict["reason"], verdict["keys"][0]["fingerprint"]) == ("KeyExpired", key.fingerprint)
