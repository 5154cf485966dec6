"""Messages that S3 never sends: malformed, huge, nested, false. Each fails alone or is processed as written."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from callseal.core.errors import UnreadableNotificationError
from callseal.inbound.notification import parse_body, queue_messages
from tests.security.abuse.outside import bounded, hand_over
from tests.support.network import Network
from tests.support.stack import ARCHIVE, LANDING, SFTP, Stack, failures, sqs_event

SAID = b"what was said"
PLAIN = {"encrypt": False}
DEEP = 100_000


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def edited(notified: dict[str, Any], edit: Callable[[dict[str, Any]], object]) -> str:
    """Return a notification's text after a change of its record."""
    copy = json.loads(json.dumps(notified))
    edit(copy["Records"][0])
    return json.dumps(copy)


def member(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda record: record["s3"]["object"].update({name: value})


# Changes of a good record after which it names no file.
ODD: dict[str, Callable[[dict[str, Any]], object]] = {
    "key, overlong slash": member("key", "acme%C0%AFodd.wav"),
    "key, overlong dots": member("key", "acme/%E0%80%AE%E0%80%AE/odd.wav"),
    "key, surrogate": member("key", "acme/\udcff.wav"),
    "key, surrogates encoded": member("key", "acme/%ED%A0%BD%ED%B3%9E.wav"),
    "key, UTF-16": member("key", "%FF%FEa%00c%00m%00e%00"),
    "key, a list": member("key", ["acme/odd.wav"]),
    "size of 400 digits": member("size", 10**400),
    "size of 65 bits": member("size", 2**64),
    "size NaN": member("size", float("nan")),
    "size Infinity": member("size", float("inf")),
    "size -1": member("size", -1),
    "size, an object": member("size", {"bytes": 3}),
    "eTag with a line break": member("eTag", "x\r\nx-amz-acl: public-read"),
    "eTag, two": member("eTag", 'x", "y'),
    "eTag of a megabyte": member("eTag", "x" * 1024**2),
    "eTag, not ASCII": member("eTag", "é"),
    "eTag, an object": member("eTag", {"x": 1}),
    "versionId, a number": member("versionId", 7),
    "object, a list": lambda record: record["s3"].update(object=[]),
    "bucket, a text": lambda record: record["s3"].update(bucket="landing"),
    "bucket, null": lambda record: record["s3"].update(bucket={"name": None}),
    "another bucket": lambda record: record["s3"].update(bucket={"name": SFTP}),
    "a bucket's look-alike": lambda record: record["s3"].update(bucket={"name": "l\u0430nding"}),
    "a bucket and a path": lambda record: record["s3"].update(bucket={"name": f"{LANDING}/acme"}),
    "a bucket's ARN": lambda record: record["s3"].update(bucket={"name": f"arn:aws:s3:::{LANDING}"}),
    "s3, a number": lambda record: record.update(s3=1),
    "eventName, a list": lambda record: record.update(eventName=["ObjectCreated:Put"]),
    "eventName, nested": lambda record: record.update(eventName=nested(300)),
    "eventName, a look-alike": lambda record: record.update(eventName="\u041ebjectCreated:Put"),
}
BODIES = {
    "deep lists": "[" * DEEP,
    "deep, closed": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"Records":' * DEEP,
    "a number of a megabyte": "9" * 1024**2,
    "an exponent": '{"Records": 1e999999999}',
    "NaN": "NaN",
    "a BOM": '\ufeff{"Records": []}',
    "NUL": "\0",
    "a lone surrogate": '"\ud800"',
    "Records of Records": '{"Records": [{"Records": []}]}',
    "half a million records of nothing": '{"Records": [' + "0," * 500_000 + "0]}",
    "XML": "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>",
    "a pickle": "\x80\x04\x95",
}


@pytest.mark.parametrize("which", [*ODD, *BODIES])
def test_odd_message_fails_alone_at_once(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, which: str
) -> None:
    """Its neighbours are delivered, and no request names another bucket or the file that it might mean."""
    cloud.tenant("acme", None, PLAIN)
    first, odd, last = (cloud.land(f"acme/{name}.wav", SAID) for name in ("1", "odd", "2"))
    body = edited(odd, ODD[which]) if which in ODD else BODIES[which]

    with bounded(seconds=5):
        failed = failures(encrypt_recording.lambda_handler(sqs_event(first, body, last), None))

    assert failed == ["m1"]
    assert cloud.objects(SFTP) == {"acme/1.wav": SAID, "acme/2.wav": SAID}
    assert cloud.objects(LANDING) == {"acme/odd.wav": SAID}
    assert cloud.objects(ARCHIVE) == {}
    assert len(cloud.audit()) == 2
    # A DeleteObjects has its keys in the body, and none in the path.
    assert {request.key for request in network.requests if request.bucket} <= {"acme/1.wav", "acme/2.wav", ""}
    assert not [request for request in network.requests if b"odd" in request.body]


@pytest.mark.parametrize(
    "time",
    [None, 7, [], nested(300), "", "\ud800", "9" * 10_000,
     "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "NaN"],
    ids=lambda time: str(time)[:12].encode("ascii", "replace").decode(),
)  # fmt: skip
def test_odd_time_of_a_good_record_is_ignored(cloud: Stack, encrypt_recording: ModuleType, time: object) -> None:
    cloud.tenant("acme", None, PLAIN)
    landed = cloud.land("acme/1.wav", SAID)
    assert hand_over(encrypt_recording, edited(landed, lambda record: record.update(eventTime=time))) == []
    assert cloud.objects(SFTP) == {"acme/1.wav": SAID}


def test_only_the_last_of_duplicate_members_is_used(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    """Always the last one: no part of the functions parses the text again and uses the other."""
    for name in ("acme", "beta"):
        cloud.tenant(name, None, PLAIN)
    cloud.land("beta/1.wav", b"of beta")
    text = json.dumps(cloud.land("acme/1.wav", SAID))
    twice = text.replace('"key": "acme/1.wav"', '"key": "beta/1.wav", "key": "acme/1.wav"')
    assert twice != text

    assert hand_over(encrypt_recording, twice) == []

    assert cloud.objects(SFTP) == {"acme/1.wav": SAID}
    assert cloud.objects(LANDING) == {"beta/1.wav": b"of beta"}
    assert {request.key for request in network.requests if request.bucket} == {"acme/1.wav"}


@pytest.mark.parametrize("etag", ["*", "0" * 32, "W/x", "-1"])
def test_wrong_etag_delivers_nothing(cloud: Stack, encrypt_recording: ModuleType, etag: str) -> None:
    """The etag is not a wildcard either: the object there is another one, which has its own event."""
    cloud.tenant("acme", None, PLAIN)
    landed = cloud.land("acme/1.wav", SAID)

    assert hand_over(encrypt_recording, edited(landed, member("eTag", etag))) == []
    assert cloud.objects(SFTP) == {}
    assert cloud.objects(LANDING) == {"acme/1.wav": SAID}
    assert cloud.audit() == []

    assert hand_over(encrypt_recording, landed) == []
    assert cloud.objects(SFTP) == {"acme/1.wav": SAID}


@pytest.mark.parametrize("size", [0, 1, 10**6, 2**62])
def test_wrong_size_changes_no_byte(cloud: Stack, encrypt_recording: ModuleType, size: int) -> None:
    cloud.tenant("acme", None, PLAIN)
    landed = cloud.land("acme/1.wav", SAID)
    hand_over(encrypt_recording, edited(landed, member("size", size)))
    assert cloud.objects(SFTP) in ({}, {"acme/1.wav": SAID})
    assert cloud.objects(SFTP) or cloud.objects(LANDING)
    hand_over(encrypt_recording, landed)
    assert cloud.objects(SFTP) == {"acme/1.wav": SAID}


def test_hundreds_of_records_in_one_message(cloud: Stack, encrypt_recording: ModuleType) -> None:
    """S3 sends one record. These objects do not exist, except for one in the middle."""
    cloud.tenant("acme", None, PLAIN)
    landed = cloud.land("acme/real.wav", SAID)
    record = landed["Records"][0]
    others = [json.loads(edited(landed, member("key", f"acme/{number}.wav")))["Records"][0] for number in range(300)]

    with bounded(seconds=60):
        assert hand_over(encrypt_recording, {"Records": [*others[:150], record, *others[150:]]}) == []

    assert cloud.objects(SFTP) == {"acme/real.wav": SAID}
    assert len(cloud.audit()) == 1


@pytest.mark.parametrize(
    "members",
    [{"body": 7}, {"body": None}, {"body": ["x"]}, {"messageId": 7}, {"messageId": "\ud800"}, {"attributes": None},
     {"attributes": {"ApproximateReceiveCount": float("inf")}}, {"attributes": {"ApproximateReceiveCount": "9" * 5000}},
     {"attributes": {"ApproximateReceiveCount": []}}],
    ids=lambda members: str(members)[:48].encode("ascii", "replace").decode(),
)  # fmt: skip
def test_batch_that_the_queue_would_not_send_is_unreadable(members: dict[str, object]) -> None:
    event = sqs_event("{}")
    event["Records"][0].update(members)
    with pytest.raises(UnreadableNotificationError, match=r"^A message of the batch"):
        queue_messages(event)


@pytest.mark.parametrize("count", ["-5", "0", "1", "1000000000000"])
def test_any_receive_count_gives_a_valid_delay(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, count: str
) -> None:
    event = sqs_event("no JSON")
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = count
    with bounded(seconds=5):
        assert failures(encrypt_recording.lambda_handler(event, None)) == ["m0"]
    (asked,) = network.asked("ChangeMessageVisibility")
    assert 5 <= asked.members["VisibilityTimeout"] <= 900


@pytest.mark.parametrize("name", ["eventName", "eventTime"])
def test_direct_notification_may_nest_deeper_than_a_text(
    name: str, cloud: Stack, encrypt_recording: ModuleType
) -> None:
    """Lambda has already parsed it. No function may recurse into it."""
    cloud.tenant("acme", None, PLAIN)
    event = cloud.land("acme/1.wav", SAID)
    event["Records"][0][name] = nested(DEEP)
    try:
        encrypt_recording.lambda_handler(event, None)
        assert name == "eventTime"
    except UnreadableNotificationError:
        assert name == "eventName"


def test_unreadable_texts_are_refused_in_bounded_time_and_memory() -> None:
    for which, body in BODIES.items():
        with bounded(seconds=8, mib=64), pytest.raises(UnreadableNotificationError):
            parse_body(body)
        assert which
