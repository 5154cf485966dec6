"""`callseal held` and `callseal status`, on files that the functions themselves have held."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.core.landing import LandedObject
from callseal.inbound.notification import parse_body
from tests.e2e.cli.conftest import REGISTER, Operator
from tests.support import functions
from tests.support.keys import x509_tenant
from tests.support.stack import LANDING, STACK, failures, sqs_event


@pytest.fixture
def deliver(operator: Operator) -> Callable[..., None]:
    """Return a function that lands files and passes them to encrypt_recording."""
    encrypt_recording: ModuleType = functions.load("encrypt_recording")

    def land(*keys: str) -> None:
        notifications = [operator.stack.land(key, b"said") for key in keys]
        assert failures(encrypt_recording.lambda_handler(sqs_event(*notifications), None)) == []

    return land


def queued(operator: Operator) -> list[LandedObject]:
    """Receive all messages of the encrypt queue, parsed as the function parses them."""
    found: list[LandedObject] = []
    while messages := operator.stack.sqs.receive_message(QueueUrl=operator.stack.queue_url, MaxNumberOfMessages=10).get(
        "Messages"
    ):
        found += [landed for message in messages for landed in parse_body(message["Body"])]
    return sorted(found, key=lambda landed: landed.key)


def test_held_files_are_listed_with_tenant_reason_and_age(operator: Operator, deliver: Callable[..., None]) -> None:
    operator.stack.tenant("beta", "no key")
    deliver("acme/1.wav", "beta/x y/2.mp3", "beta/3.ogg", "no-tenant.wav")
    operator.stack.land("beta/owed.wav", b"not looked at yet")

    held = operator.json("held", "list")
    assert [(one["tenant"], one["reason"], one["key"], one["size"]) for one in held["held"]] == [
        ("acme", "SettingsMissing", "acme/1.wav", 4),
        ("beta", "UnsupportedFile", "beta/3.ogg", 4),
        ("beta", "KeyUnreadable", "beta/x y/2.mp3", 4),
        (None, "UnsupportedFile", "no-tenant.wav", 4),
    ]
    assert held["by_reason"] == {"UnsupportedFile": 2, "SettingsMissing": 1, "KeyUnreadable": 1}
    assert all(0 <= one["age_seconds"] < 60 for one in held["held"])
    assert all(datetime.fromisoformat(one["landed_at"]) <= datetime.now(UTC) for one in held["held"])
    assert [one["key"] for one in operator.json("held", "list", "--tenant", "acme")["held"]] == ["acme/1.wav"]
    assert "beta\tKeyUnreadable\t0 min\t4\tbeta/x y/2.mp3\n" in operator("held", "list").out
    assert operator("held", "list", "--tenant", "zeta").out == "No file is held.\n"


def test_more_held_files_than_a_page_are_listed(operator: Operator) -> None:
    for number in range(1_003):
        operator.stack.s3.put_object(
            Bucket=LANDING, Key=f"acme/{number:04}.wav", Body=b"x",
            Tagging="callseal-state=held&callseal-reason=KeyMissing",
        )  # fmt: skip
    assert len(operator.json("held", "list")["held"]) == 1_003


def test_a_held_file_is_shown_with_the_sentence_of_its_last_event(
    operator: Operator, deliver: Callable[..., None]
) -> None:
    deliver("acme/1.wav")
    operator.stack.tenant("acme", x509_tenant("rsa1024").public_text)
    deliver("acme/1.wav", "acme/other.wav")

    shown = operator.json("held", "show", "acme/1.wav")
    assert (shown["held"], shown["reason"], shown["event"]["reason"]) == (True, "KeyTooWeak", "KeyTooWeak")
    assert shown["tags"].pop("callseal-hold").startswith("0 ")
    assert shown["tags"] == {"callseal-state": "held", "callseal-reason": "KeyTooWeak"}
    assert shown["event"]["source"]["key"] == "acme/1.wav"
    text = operator("held", "show", "acme/1.wav").out
    assert "reason: KeyTooWeak\n" in text
    assert "Ask the tenant for 2048 bits or more." in text


def test_held_file_without_an_event_is_shown(operator: Operator) -> None:
    operator.stack.s3.put_object(Bucket=LANDING, Key="acme/1.wav", Body=b"x", Tagging="callseal-state=held")
    shown = operator.json("held", "show", "acme/1.wav")
    assert (shown["reason"], shown["event"]) == ("", None)
    assert "not in the log group" in operator("held", "show", "acme/1.wav").out


def test_file_that_is_not_held_gives_exit_code_1(operator: Operator) -> None:
    operator.stack.land("acme/1.wav", b"x")
    assert operator.json("held", "show", "acme/1.wav", code=1)["held"] is False
    assert "There is no file 'acme/2.wav' in landing" in operator.refused("held", "show", "acme/2.wav")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (("acme",), ["acme/1.wav", "acme/2.wav"]),
        (("acme/1.wav",), ["acme/1.wav"]),
        (("acme/",), ["acme/"]),
        (("1.wav",), ["1.wav"]),
        (("acme-2/ø +%.wav",), ["acme-2/ø +%.wav"]),
        (("--all",), ["1.wav", "acme-2/ø +%.wav", "acme/", "acme/1.wav", "acme/2.wav"]),
    ],
)
def test_held_files_are_requeued(
    operator: Operator, deliver: Callable[..., None], target: tuple[str, ...], expected: list[str]
) -> None:
    deliver("acme/1.wav", "acme/2.wav", "acme-2/ø +%.wav", "1.wav")
    operator.stack.s3.put_object(Bucket=LANDING, Key="acme/", Tagging="callseal-state=held&callseal-reason=X")
    operator.stack.land("acme/owed.wav", b"x")
    if target == ("acme",):
        expected = ["acme/", *expected]

    released = operator.json("held", "release", *target)
    assert [one["key"] for one in released["put_back"]] == expected
    found = queued(operator)
    assert [one.key for one in found] == expected
    for landed in found:
        head = operator.stack.s3.head_object(Bucket=LANDING, Key=landed.key)
        assert (landed.bucket, landed.etag, landed.size) == (LANDING, head["ETag"].strip('"'), head["ContentLength"])


def test_requeued_file_is_delivered_once_its_cause_is_gone(operator: Operator, deliver: Callable[..., None]) -> None:
    deliver("acme/1.wav")
    operator.stack.tenant("acme", x509_tenant().public_text)
    answer = operator("held", "release", "acme")
    assert answer.code == 0
    assert answer.out.endswith("1 requeued.\n")
    (message,) = operator.stack.sqs.receive_message(QueueUrl=operator.stack.queue_url)["Messages"]
    functions.load("encrypt_recording").lambda_handler(sqs_event(message["Body"]), None)
    assert list(operator.stack.objects("sftp")) == ["acme/1.wav.p7m"]
    assert operator.json("held", "release", "acme", code=1) == {"put_back": []}


def test_release_reports_an_empty_target_and_requires_one(operator: Operator) -> None:
    operator.stack.land("acme/owed.wav", b"x")
    for target in ("acme", "acme/owed.wav", "acme/none.wav", "--all"):
        assert operator("held", "release", target) == (1, "No such file is held.\n", "")
    assert queued(operator) == []
    assert "Name a tenant or a landing key" in operator.refused("held", "release")
    assert "Name a tenant or a landing key" in operator.refused("held", "release", "acme", "--all")


# Status.


def test_idle_stack_needs_no_attention(operator: Operator) -> None:
    found = operator.json("status")
    assert found == {
        "stack": STACK, "region": "eu-north-1", "tenants": 0,
        "held": {"count": 0, "oldest_age_seconds": None, "by_reason": {}},
        "owed": {"count": 0, "oldest_age_seconds": None},
        "queue": {"waiting": 0, "in_flight": 0}, "dead_letters": {"waiting": 0, "in_flight": 0},
        "delivered_last_hour": 0, "keys_expiring": [], "unfetched": {"count": 0, "by_tenant": {}}, "attention": [],
    }  # fmt: skip
    text = operator("status").out
    assert text.endswith("All is well.\n")
    assert "keys that expire within 60 days: 0\n" in text


def test_status_works_on_a_stack_without_the_key_register(operator: Operator) -> None:
    operator.stack.dynamodb.delete_table(TableName=REGISTER)
    assert operator.json("status")["keys_expiring"] is None
    assert "keys that expire within 60 days: no key register yet\n" in operator("status").out


def test_delivered_and_pending_files_need_no_attention(operator: Operator, deliver: Callable[..., None]) -> None:
    operator.stack.tenant("acme", x509_tenant().public_text)
    deliver("acme/1.wav", "acme/RecordingHeld.wav")
    operator.stack.land("acme/3.wav", b"x")
    operator.stack.sqs.send_message(QueueUrl=operator.stack.queue_url, MessageBody="{}")
    found = operator.json("status")
    assert (found["delivered_last_hour"], found["owed"]["count"], found["queue"]["waiting"]) == (2, 1, 1)
    assert (found["tenants"], found["attention"]) == (1, [])


def test_held_files_and_dead_letters_need_attention(operator: Operator, deliver: Callable[..., None]) -> None:
    deliver("acme/1.wav", "acme/2.wav")
    operator.stack.sqs.send_message(QueueUrl=operator.dead_letters, MessageBody="{}")
    found = operator.json("status", code=1)
    assert found["held"]["by_reason"] == {"SettingsMissing": 2}
    assert found["held"]["oldest_age_seconds"] is not None
    assert [line.split(":")[0] for line in found["attention"]] == ["2 held", "1 in the dead-letter queue"]
    answer = operator("status")
    assert answer.code == 1
    assert "held: 2, oldest 0 min (2 SettingsMissing)\n" in answer.out


def test_file_pending_for_too_long_needs_attention(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.stack.land("acme/1.wav", b"x")
    for minutes, code in ((29, 0), (31, 1)):
        later = datetime.now(UTC) + timedelta(minutes=minutes)
        monkeypatch.setattr("callseal_cli.status.now", lambda later=later: later)
        found = operator.json("status", code=code)
        assert found["owed"]["oldest_age_seconds"] // 60 in (minutes, minutes - 1)
        assert len(found["attention"]) == code


def test_keys_that_expire_soon_need_attention(operator: Operator, key_register: Any) -> None:
    def key(fingerprint: str, days: float | None, **more: Any) -> None:
        ends = (datetime.now(UTC) + timedelta(days=days)).isoformat() if days is not None else None
        seen = {"accepted": "2026-01-01T00:00:00Z", **more}
        key_register(tenant="acme", fingerprint=fingerprint * 40, not_after=ends, **seen)

    key("A", 61)
    key("B", None)
    key("C", 10, retired="2026-01-01T00:00:00Z")
    key("F", 10, accepted=None)
    assert operator.json("status")["keys_expiring"] == []
    key("D", 59)
    key("E", -3)
    found = operator.json("status", code=1)
    assert [one["fingerprint"][0] for one in found["keys_expiring"]] == ["D", "E"]
    assert all("renew it" in line for line in found["attention"])


def test_repeated_event_is_counted_once(operator: Operator, deliver: Callable[..., None]) -> None:
    operator.stack.tenant("acme", x509_tenant().public_text)
    deliver("acme/1.wav")
    (event,) = operator.stack.audit()
    again = {"EventBusName": f"{STACK}-audit", "Source": "callseal", "DetailType": event["detail-type"]}
    operator.stack.events.put_events(Entries=[again | {"Detail": json.dumps(event["detail"])}])
    assert len(operator.stack.audit()) == 2
    assert operator.json("status")["delivered_last_hour"] == 1


def test_a_name_with_control_characters_does_not_reach_the_terminal(
    operator: Operator, deliver: Callable[..., None]
) -> None:
    deliver("acme/\x1b[2J\x9b1m.wav")
    for arguments in (("held", "list"), ("held", "show", "acme/\x1b[2J\x9b1m.wav"), ("held", "release", "--all")):
        for form in ((), ("--json",)):
            answer = operator(*arguments, *form)
            assert answer.code == 0
            assert not {"\x1b", "\x9b"} & set(answer.out)
    assert operator.json("held", "list")["held"][0]["key"] == "acme/\x1b[2J\x9b1m.wav"


def test_only_audit_events_of_the_type_are_listed(operator: Operator, deliver: Callable[..., None]) -> None:
    operator.stack.tenant("acme", x509_tenant().public_text)
    deliver("acme/1.wav")
    deliver("acme/RecordingDelivered.ogg")
    assert operator.json("status", code=1)["delivered_last_hour"] == 1
    assert json.dumps(operator.stack.audit()).count("RecordingDelivered") == 2
