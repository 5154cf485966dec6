"""Proof before use: challenges that real tools open, codes that return, and all the ways in which they must fail."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.keys.challenge import MAX_ATTEMPTS
from callseal.keys.prove_keys import MAX_REFUSALS_A_DAY
from tests.functions.scene import CODE, PROOF, Scene, check, current
from tests.support.families import FAMILIES
from tests.support.keys import OpenPgpTenant, X509Tenant, x509_tenant
from tests.support.metrics import emitted
from tests.support.network import Network
from tests.support.queueing import pump
from tests.support.register import TABLE, items, rows
from tests.support.stack import ARCHIVE, LANDING, SFTP, failures, notification, sqs_event


def code_in(tenant: X509Tenant | OpenPgpTenant, sealed: bytes) -> str:
    """Open a challenge with the tenant's own openssl or gpg, and read the code as a person does."""
    text = tenant.open(sealed).decode()
    assert "key check for the tenant acme" in text
    assert "key-check" in text
    (code,) = CODE.findall(text)
    return str(code)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_key_is_used_once_its_code_has_come_back(scene: Scene, family: str) -> None:
    tenant = FAMILIES[family].make("tenant")
    scene.paste(tenant)
    fingerprint, sealed = scene.challenge()
    assert list(scene.cloud.objects(SFTP)) == [f"acme/key-check/{fingerprint}.txt{FAMILIES[family].suffix}"]
    assert scene.land() == "KeyUnproven"
    (held,) = scene.cloud.audit_details("RecordingHeld")
    assert fingerprint in held["message"]
    assert held["key_version"] == current(scene.cloud)

    scene.answer(fingerprint, code_in(tenant, sealed))

    (proven,) = scene.proven()
    assert [one["subkey"] or one["fingerprint"] for one in proven["recipients"]] == [fingerprint]
    assert proven["key_version"] == current(scene.cloud)
    assert rows(scene.cloud.dynamodb)[fingerprint]["proven"] == proven["time"]
    assert scene.land("acme/2.wav") is None
    assert scene.sealed_to("acme/2.wav") == [fingerprint]
    assert tenant.open(scene.cloud.objects(SFTP)[f"acme/2.wav{FAMILIES[family].suffix}"]) == b"said"


@pytest.mark.parametrize("how", ["lower", "spaces", "no dashes", "crlf", "bom", "O for 0 and L for 1"])
def test_code_is_accepted_as_people_type_it(scene: Scene, how: str) -> None:
    scene.paste(x509_tenant())
    fingerprint, sealed = scene.challenge()
    code = code_in(x509_tenant(), sealed)
    typed = {
        "lower": code.lower(),
        "spaces": f"  {' '.join(code)} \n\n",
        "no dashes": code.replace("-", ""),
        "crlf": code + "\r\n",
        "bom": "\ufeff" + code,
        "O for 0 and L for 1": code.replace("0", "o").replace("1", "l"),
    }

    scene.answer(fingerprint, typed[how])

    assert len(scene.proven()) == 1


WRONG = {
    "another code": "AAAA-BBBB-CCCC",
    "nothing": "",
    "half of it": lambda code: code[:9],
    "more than it": lambda code: code + "-0000",
    "no text": b"\xff\xfe\x00",
    "longer than any code": "A" * 1025,
    "right, but too long a file": lambda code: code + " " * 1100,
}


@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_code_is_refused_counted_and_audited(
    scene: Scene, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.paste(x509_tenant())
    fingerprint, sealed = scene.challenge()
    code = code_in(x509_tenant(), sealed)
    wrong: Any = WRONG[how]

    scene.answer(fingerprint, wrong(code) if callable(wrong) else wrong)

    assert scene.proven() == []
    (refused,) = scene.refused()
    assert refused["reason"] == "KeyUnproven"
    assert "4 more attempts" in refused["message"]
    assert refused["recipients"][0]["fingerprint"] == fingerprint
    assert items(scene.cloud.dynamodb)[f"challenge#{fingerprint}"]["attempts"] == 1
    assert [line["KeyProofsRefused"] for line in emitted(capsys) if "KeyProofsRefused" in line] == [[1.0]]
    scene.answer(fingerprint, code)
    assert len(scene.proven()) == 1


def test_fifth_wrong_code_ends_the_challenge(scene: Scene) -> None:
    scene.paste(x509_tenant())
    fingerprint, sealed = scene.challenge()
    code = code_in(x509_tenant(), sealed)
    for number in range(5):
        scene.answer(fingerprint, f"AAAA-BBBB-CCC{number}")

    scene.answer(fingerprint, code)

    assert scene.proven() == []
    assert scene.land() == "KeyUnproven"
    messages = [detail["message"] for detail in scene.refused()]
    assert "that was the last attempt" in messages[4]
    assert "5 answers to this challenge were wrong" in messages[5]
    # Only a newly stored key makes a fresh challenge, not a check of the same version.
    check(scene.check_keys, {})
    assert scene.challenge() == (fingerprint, sealed)
    scene.paste(x509_tenant())
    fresh = scene.challenge()[1]
    assert fresh != sealed
    scene.answer(fingerprint, code)
    assert scene.proven() == []
    scene.answer(fingerprint, code_in(x509_tenant(), fresh))
    assert len(scene.proven()) == 1


def test_a_late_code_is_refused_and_the_daily_check_makes_a_fresh_challenge(scene: Scene) -> None:
    scene.paste(x509_tenant())
    fingerprint, sealed = scene.challenge()
    code = code_in(x509_tenant(), sealed)
    scene.clock.pass_by(days=7, seconds=1)

    scene.answer(fingerprint, code)

    assert scene.proven() == []
    assert "it came too late" in scene.refused()[0]["message"]
    check(scene.check_keys, {})
    fresh = scene.challenge()[1]
    scene.answer(fingerprint, code)
    assert scene.proven() == []
    scene.answer(fingerprint, code_in(x509_tenant(), fresh))
    assert len(scene.proven()) == 1


def test_a_used_code_is_refused(scene: Scene) -> None:
    scene.paste(x509_tenant())
    fingerprint, sealed = scene.challenge()
    code = code_in(x509_tenant(), sealed)
    scene.answer(fingerprint, code)

    scene.answer(fingerprint, code + "\n")

    assert len(scene.proven()) == 1
    assert "used already" in scene.refused()[0]["message"]


def test_a_foreign_code_and_a_foreign_fingerprint_are_refused(scene: Scene) -> None:
    """Beta answers for acme's key, and acme answers with beta's code: neither proves a key."""
    acme, beta = x509_tenant(), x509_tenant("p256", "beta")
    scene.paste(acme)
    scene.cloud.tenant("beta", beta.public_text, PROOF)
    check(scene.check_keys, {"tenant": "beta"})
    scene.register()
    mine, sealed = scene.challenge()
    theirs, of_beta = scene.challenge("beta")
    (code,), (foreign,) = (CODE.findall(one.decode()) for one in (acme.open(sealed), beta.open(of_beta)))

    scene.answer(mine, code, "beta")
    scene.answer(theirs, foreign, "acme")
    scene.answer(mine, foreign, "acme")

    assert scene.proven() == []
    assert [(one["tenant"], one["recipients"][0]["fingerprint"]) for one in scene.refused()] == [
        ("beta", mine), ("acme", theirs), ("acme", mine),
    ]  # fmt: skip
    assert "no challenge for that key" in scene.refused()[0]["message"]
    assert set(rows(scene.cloud.dynamodb, "beta")) == {theirs}, "an answer makes no row"


@pytest.mark.parametrize("name", ["x", "", "a" * 64, "A" * 63, "A" * 65, "../beta", "G" * 64, "A" * 64 + "\n",
                                  "A" * 20 + "/" + "B" * 19, "/" * 40, "A" * 64 + ".answer/x"])  # fmt: skip
def test_answer_of_any_name_is_refused_and_removed_without_an_alarm(
    scene: Scene, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.paste(x509_tenant())
    fingerprint, sealed = scene.challenge()
    code = code_in(x509_tenant(), sealed)
    scene.answer(name, code)  # fails no message, and leaves no answer
    (refused,) = scene.refused()
    assert refused["recipients"] is None
    assert name not in refused["message"] or not name or name == "x"
    (counted,) = [line for line in emitted(capsys) if "KeyAnswersDiscarded" in line]
    assert (counted["KeyAnswersDiscarded"], counted["KeyProofsRefused"]) == ([1.0], [0.0])
    scene.answer(fingerprint, code)
    assert len(scene.proven()) == 1


def test_a_flood_of_answers_is_a_few_events_a_day_and_no_alarm(
    scene: Scene, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.paste(x509_tenant())
    fingerprint, sealed = scene.challenge()
    capsys.readouterr()
    for number in range(MAX_REFUSALS_A_DAY + 10):
        scene.answer(f"{'A' * 20}/{number:019}", f"{number}")
    assert len(scene.refused()) == MAX_REFUSALS_A_DAY
    lines = [line for line in emitted(capsys) if "KeyAnswersDiscarded" in line]
    assert sum(line["KeyAnswersDiscarded"][0] for line in lines) == MAX_REFUSALS_A_DAY + 10
    assert sum(line["KeyProofsRefused"][0] for line in lines) == 0
    network.requests.clear()
    scene.answer("x", "x")
    operations = [request.operation for request in network.requests]
    assert operations[:3] == ["GetObject", "Query", "DeleteObject"], "no event and no count from then on"
    assert "PutEvents" not in operations
    scene.answer(fingerprint, code_in(x509_tenant(), sealed))
    assert len(scene.proven()) == 1, "a right answer counts all the same"
    scene.clock.pass_by(days=1)
    scene.answer("y", "y")
    assert len(scene.refused()) == MAX_REFUSALS_A_DAY + 1


def test_flood_of_answers_does_not_hide_refusals_of_another_tenant(scene: Scene) -> None:
    for number in range(MAX_REFUSALS_A_DAY + 1):
        scene.answer(f"x{number}", f"{number}")
    scene.answer("x", "x", "beta")
    assert [detail["tenant"] for detail in scene.refused()].count("beta") == 1


def test_code_is_only_in_the_challenge(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    scene.paste(x509_tenant())
    fingerprint, sealed = scene.challenge()
    code = code_in(x509_tenant(), sealed)
    scene.answer(fingerprint, "wrong " + code)
    scene.answer(fingerprint, code)

    kept = json.dumps(scene.cloud.dynamodb.scan(TableName=TABLE)["Items"])
    written = "".join(capfd.readouterr()) + json.dumps(scene.cloud.audit()) + kept
    assert not [form for form in (code, code.replace("-", ""), code[:9], code[5:]) if form in written]
    state = items(scene.cloud.dynamodb)[f"challenge#{fingerprint}"]
    assert len(state["salt"]) == 32
    assert len(state["hash"]) == 64
    assert state["expires_at"] > 0


def test_each_of_several_keys_must_be_proven(scene: Scene) -> None:
    one, two = x509_tenant(), x509_tenant("p256", "two")
    scene.cloud.tenant("acme", one.public_text + two.public_text, PROOF)
    check(scene.check_keys)
    scene.register()
    challenges = {key: data for key, data in scene.cloud.objects(SFTP).items() if "/key-check/" in key}
    assert len(challenges) == 2
    tenants = {}
    for key, sealed in challenges.items():
        for tenant in (one, two):
            try:
                tenants[key.rpartition("/")[2].partition(".")[0]] = code_in(tenant, sealed)
            except AssertionError:
                continue
    first, second = tenants
    assert scene.land() == "KeyUnproven"
    scene.answer(first, tenants[first])
    assert scene.land("acme/2.wav") == "KeyUnproven"
    scene.answer(second, tenants[second])
    assert scene.land("acme/3.wav") is None


def test_last_proven_key_is_used_until_the_new_key_is_proven(scene: Scene) -> None:
    old, bad, new = x509_tenant(), x509_tenant("p256", "never proven"), x509_tenant("p384", "new")
    scene.paste(old)
    mine, sealed = scene.challenge()
    scene.answer(mine, code_in(old, sealed))
    first = current(scene.cloud)

    for number, tenant in enumerate((bad, new)):
        scene.paste(tenant)
        assert scene.land(f"acme/{number}.wav") is None
        assert scene.sealed_to(f"acme/{number}.wav") == [mine]
        assert old.open(scene.cloud.objects(SFTP)[f"acme/{number}.wav.p7m"]) == b"said"
    assert scene.cloud.audit_details("RecordingDelivered")[-1]["key_version"] == first

    # The proof of the new key applies to the next recording.
    theirs = scene.cloud.audit_details("KeyAccepted")[-1]["recipients"][0]["fingerprint"]
    challenge = scene.cloud.objects(SFTP)[f"acme/key-check/{theirs}.txt.p7m"]
    scene.answer(theirs, code_in(new, challenge))
    assert scene.land("acme/proven.wav") is None
    assert scene.sealed_to("acme/proven.wav") == [theirs]
    scene.clock.pass_by(days=31)
    assert scene.land("acme/late.wav") == "KeyExpired"


def test_expired_proven_key_is_not_used_instead(scene: Scene) -> None:
    old, new = x509_tenant("rsa2048", "short", "-days", "2"), x509_tenant()
    scene.paste(old)
    mine, sealed = scene.challenge()
    scene.answer(mine, code_in(old, sealed))
    scene.paste(new)
    assert scene.land() is None
    scene.clock.pass_by(days=3)

    assert scene.land("acme/2.wav") == "KeyUnproven"


def test_unusable_key_holds_files_without_a_fallback(scene: Scene) -> None:
    scene.paste(x509_tenant())
    mine, sealed = scene.challenge()
    scene.answer(mine, code_in(x509_tenant(), sealed))
    scene.cloud.put_key("acme", "a bad paste")
    scene.clock.pass_by(seconds=61)
    assert scene.land() == "KeyUnreadable"


def test_proof_applies_at_once_and_permanently(scene: Scene, network: Network) -> None:
    scene.paste(x509_tenant())
    mine, sealed = scene.challenge()
    assert scene.land() == "KeyUnproven"
    scene.answer(mine, code_in(x509_tenant(), sealed))
    assert scene.land("acme/2.wav") is None, "a verdict to hold is not remembered"
    asked = len(network.asked("Query"))
    assert scene.land("acme/3.wav") is None
    assert len(network.asked("Query")) == asked, "a proof is remembered"
    scene.paste(x509_tenant())
    assert scene.land("acme/4.wav") is None, "the same key pasted anew is proven"


def test_register_is_not_read_without_these_settings(scene: Scene, network: Network) -> None:
    scene.cloud.tenant("acme", x509_tenant().public_text)
    assert scene.land() is None
    assert {request.operation for request in network.requests} == {
        "GetParameters", "GetSecretValue", "DescribeSecret", "GetObject", "PutObject", "PutEvents", "DeleteObject",
    }  # fmt: skip


@pytest.mark.parametrize("operation", ["PutEvents", "PutItem", "DeleteObject"])
@pytest.mark.parametrize("wrong_before", range(MAX_ATTEMPTS))
def test_interrupted_proof_is_resumed(scene: Scene, network: Network, operation: str, wrong_before: int) -> None:
    """The message returns with the answer, which still exists, even if it is the last allowed one."""
    scene.paste(x509_tenant())
    mine, sealed = scene.challenge()
    for number in range(wrong_before):
        scene.answer(mine, f"AAAA-BBBB-CCC{number}")
    key = f"acme/key-check/{mine}.answer"
    scene.cloud.s3.put_object(Bucket=SFTP, Key=key, Body=code_in(x509_tenant(), sealed).encode())
    for skip in range(2 if operation == "PutItem" else 1):
        network.fail(operation, 500, "InternalError", skip=skip)
        text = json.dumps(notification(key, "e", 1)).replace(f'"{LANDING}"', f'"{SFTP}"')
        assert failures(scene.prove_keys.lambda_handler(sqs_event(text), None)) == ["m0"]
        network.mend()

    scene.announce(key)

    assert len({detail["id"] for detail in scene.proven()}) == 1
    assert len(scene.refused()) == wrong_before
    assert key not in scene.cloud.objects(SFTP)
    assert scene.land() is None


def test_an_answer_that_came_in_time_is_judged_however_late(scene: Scene, network: Network) -> None:
    scene.paste(x509_tenant())
    mine, sealed = scene.challenge()
    key = f"acme/key-check/{mine}.answer"
    scene.cloud.s3.put_object(Bucket=SFTP, Key=key, Body=code_in(x509_tenant(), sealed).encode())
    network.fail("PutEvents", 500, "InternalError")
    text = json.dumps(notification(key, "e", 1)).replace(f'"{LANDING}"', f'"{SFTP}"')
    assert failures(scene.prove_keys.lambda_handler(sqs_event(text), None)) == ["m0"]
    network.mend()
    scene.clock.pass_by(days=8)

    scene.announce(key)

    assert (len(scene.proven()), scene.refused()) == (1, [])


def test_challenge_whose_file_was_not_written_is_made_again(scene: Scene, network: Network) -> None:
    network.fail("PutObject", 500, "InternalError")
    scene.cloud.tenant("acme", x509_tenant().public_text, PROOF)
    with pytest.raises(Exception, match="1 of 1"):
        check(scene.check_keys)
    assert scene.cloud.objects(SFTP) == {}

    scene.clock.pass_by(minutes=6)
    check(scene.check_keys)
    scene.register()

    mine, sealed = scene.challenge()
    scene.answer(mine, code_in(x509_tenant(), sealed))
    assert len(scene.proven()) == 1


def test_two_checks_at_once_make_one_consistent_challenge(scene: Scene, network: Network) -> None:
    scene.cloud.tenant("acme", x509_tenant().public_text, PROOF)
    network.before("PutObject", lambda _: check(scene.check_keys) and None, bucket=SFTP)

    check(scene.check_keys)
    scene.register()

    mine, sealed = scene.challenge()
    scene.answer(mine, code_in(x509_tenant(), sealed))
    assert len(scene.proven()) == 1


def test_missing_answer_is_ignored_and_foreign_key_fails(scene: Scene) -> None:
    scene.announce(f"acme/key-check/{'A' * 64}.answer")
    assert scene.refused() == []
    for key in ("acme/1.answer", "acme/2026/key-check/x.answer", "Acme/key-check/x.answer"):
        text = json.dumps(notification(key, "e", 1)).replace(f'"{LANDING}"', f'"{SFTP}"')
        assert failures(scene.prove_keys.lambda_handler(sqs_event(text), None)) == ["m0"], key


def test_sweep_releases_files_held_as_unproven_once_the_key_is_proven(scene: Scene, sweep_landing: ModuleType) -> None:
    scene.paste(x509_tenant())
    mine, sealed = scene.challenge()
    assert scene.land() == "KeyUnproven"
    assert sweep_landing.lambda_handler({}, None) == {"held": 1}

    scene.answer(mine, code_in(x509_tenant(), sealed))

    assert sweep_landing.lambda_handler({}, None) == {"released": 1}
    pump(scene.cloud, scene.encrypt_recording.lambda_handler)
    assert x509_tenant().open(scene.cloud.objects(SFTP)["acme/1.wav.p7m"]) == b"said"
    (released,) = scene.cloud.audit_details("RecordingReleased")
    assert released["reason"] == "KeyUnproven"


def test_proof_between_two_attempts_leaves_one_form_of_a_file(
    scene: Scene, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt reached the archive, sealed to the old certificate. Then the new OpenPGP key was proven."""
    # The key was stored long ago, as when a tenant takes its time to answer.
    monkeypatch.setattr("callseal.tenants.directory.CACHE_TIME", timedelta())
    monkeypatch.setattr("callseal.tenants.directory.CLOCK_SKEW", timedelta())
    both = {"deliver_to_archive": True, "archive_formats": ["wav"]}
    old, new = (FAMILIES[family].make("tenant") for family in ("x509", "openpgp"))
    scene.paste(old, **both)
    mine, sealed = scene.challenge()
    scene.answer(mine, code_in(old, sealed))
    scene.paste(new, **both)
    landed = scene.cloud.land("acme/1.wav", b"said")
    landed["Records"][0]["eventTime"] = datetime.now(UTC).isoformat()
    network.fail("CopyObject", 500, "InternalError")
    assert failures(scene.encrypt_recording.lambda_handler(sqs_event(landed), None)) == ["m0"]
    (theirs,) = {row["fingerprint"] for row in rows(scene.cloud.dynamodb).values()} - {mine}
    scene.answer(theirs, code_in(new, scene.cloud.objects(SFTP)[f"acme/key-check/{theirs}.txt.pgp"]))

    assert failures(scene.encrypt_recording.lambda_handler(sqs_event(landed), None)) == []

    outputs = [key for bucket in (SFTP, ARCHIVE) for key in scene.cloud.objects(bucket) if "key-check" not in key]
    assert outputs == ["acme/1.wav.p7m"] * 2
    assert scene.sealed_to() == [mine]
