"""Notifications: what S3, SQS and other senders may send, and the landed objects that result."""

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.core.errors import UnreadableNotificationError
from callseal.core.landing import LandedObject
from callseal.inbound.notification import parse_body, parse_notification, queue_messages

ETAG = "d41d8cd98f00b204e9800998ecf8427e"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def record(key: str = "acme/4711_1.wav", **changes: Any) -> dict[str, Any]:
    """Return a record as S3 sends it. `changes` replace members of its object; None removes a member."""
    s3_object: dict[str, Any] = {
        "key": key,
        "size": 1024,
        "eTag": ETAG,
        "versionId": "v1",
        "sequencer": "0055AED6DCD90281E5",
    }
    s3_object |= changes
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-11-23T10:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": "landing", "arn": "arn:aws:s3:::landing"},
            "object": {name: value for name, value in s3_object.items() if value is not None},
        },
    }


def notification(*records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


def sqs_record(body: str, **changes: Any) -> dict[str, Any]:
    return {
        "messageId": "m-1",
        "receiptHandle": "r-1",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "3"},
        "eventSource": "aws:sqs",
    } | changes


def test_full_record_yields_its_object() -> None:
    (landed,) = parse_body(json.dumps(notification(record())))
    assert landed == LandedObject("landing", "acme/4711_1.wav", ETAG, 1024, "v1")


def test_sqs_batch_yields_its_messages_and_each_yields_its_object() -> None:
    event = notification(
        sqs_record(json.dumps(notification(record("acme/1.wav")))),
        sqs_record(json.dumps(notification(record("acme/2.wav"))), messageId="m-2", receiptHandle="r-2", attributes={}),
    )

    messages = queue_messages(event)

    assert messages is not None
    assert [(m.id, m.receipt_handle, m.receives) for m in messages] == [("m-1", "r-1", 3), ("m-2", "r-2", 1)]
    assert [parse_body(message.body)[0].key for message in messages] == ["acme/1.wav", "acme/2.wav"]


def test_a_bare_notification_is_no_batch_but_is_understood() -> None:
    event = notification(record())
    assert queue_messages(event) is None
    assert parse_notification(event)[0].key == "acme/4711_1.wav"


def test_several_records_yield_several_objects_in_order() -> None:
    landed = parse_notification(notification(record("acme/1.wav"), record("acme/1.xml"), record("acme/1.wav")))
    assert [one.key for one in landed] == ["acme/1.wav", "acme/1.xml", "acme/1.wav"]


def test_the_test_event_of_s3_announces_nothing() -> None:
    event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-23T10:00:00Z", "Bucket": "landing"}
    assert parse_body(json.dumps(event)) == ()


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("acme/space+plus%2Band+%C3%A6.wav", "acme/space plus+and æ.wav"),
        ("acme%2F2026%2F4711_1.wav", "acme/2026/4711_1.wav"),
        ("acme/100%25.wav", "acme/100%.wav"),
        ("acme/100%2525.wav", "acme/100%25.wav"),
        ("acme/%E5%BD%95%E9%9F%B3%F0%9F%93%9E.mp3", "acme/录音📞.mp3"),
        ("acme/e%CC%81.mp3", "acme/e\u0301.mp3"),
        ("acme/æ.wav", "acme/æ.wav"),
        ("acme/..%2F..%2Fother/1.wav", "acme/../../other/1.wav"),
        ("acme/a%00b.wav", "acme/a\0b.wav"),
        ("acme/5%zz.wav", "acme/5%zz.wav"),
    ],
)
def test_a_key_is_decoded_like_a_form_and_once(encoded: str, key: str) -> None:
    assert parse_notification(notification(record(encoded)))[0].key == key


@given(st.text(min_size=1), st.booleans())
def test_any_key_survives_its_encoding(key: str, slashes_too: bool) -> None:
    encoded = quote_plus(key) if slashes_too else quote(key, safe="/*")
    assert parse_notification(notification(record(encoded)))[0].key == key


@pytest.mark.parametrize("missing", ["versionId", "sequencer", "size", "eTag"])
def test_members_that_an_emulator_omits_are_optional(missing: str) -> None:
    (landed,) = parse_notification(notification(record(**{missing: None})))
    names = {"versionId": "version_id", "size": "size", "eTag": "etag"}
    expected = {"etag": ETAG, "size": 1024, "version_id": "v1"} | ({names[missing]: None} if missing in names else {})
    assert landed == LandedObject("landing", "acme/4711_1.wav", **expected)


def test_an_etag_loses_its_quotes() -> None:
    assert parse_notification(notification(record(eTag=f'"{ETAG}-2"')))[0].etag == f"{ETAG}-2"


@pytest.mark.parametrize(
    "name", ["ObjectCreated:Put", "ObjectCreated:CompleteMultipartUpload", "s3:ObjectCreated:Copy"]
)
def test_every_event_of_creation_is_accepted(name: str) -> None:
    assert parse_notification(notification(record() | {"eventName": name}))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "{",
        "null",
        "[]",
        '"text"',
        "17",
        "{}",
        '{"Records": null}',
        '{"Records": []}',
        '{"Records": {}}',
        '{"Records": [null]}',
        '{"Records": [{}]}',
        '{"Event": "s3:Other"}',
        "[" * 100_000,
        "1" * 10_000,
        json.dumps(notification(record() | {"eventName": "ObjectRemoved:Delete"})),
        json.dumps(notification(record() | {"eventName": None})),
        json.dumps(notification(record() | {"eventName": "Object"})),
        json.dumps(notification(record() | {"s3": None})),
        json.dumps(notification(record() | {"s3": {"bucket": {}, "object": {}}})),
        json.dumps(notification(record(key=""))),
        json.dumps(notification(record(key=17))),  # type: ignore[arg-type]
        json.dumps(notification(record(key="acme/\udcff.wav"))),
        json.dumps(notification(record(key="acme/%FF.wav"))),
        json.dumps(notification(record(key="acme/%ED%A0%80.wav"))),
        json.dumps(notification(record(eTag=17))),
        json.dumps(notification(record(eTag="\ud800"))),
        json.dumps(notification(record(size=-1))),
        json.dumps(notification(record(size="17"))),
        json.dumps(notification(record(size=True))),
        json.dumps(notification(record(size=1.5))),
        json.dumps(notification(record(versionId=["v"]))),
        json.dumps(notification(record(), {})),
        json.dumps({"detail-type": "Object Created", "source": "aws.s3", "detail": {"object": {"key": "a/b.wav"}}}),
    ],
    ids=lambda body: body[:40],
)
def test_any_other_shape_is_unreadable(body: str) -> None:
    with pytest.raises(UnreadableNotificationError, match=r"^The message "):
        parse_body(body)


def test_removal_among_creations_makes_the_message_unreadable() -> None:
    with pytest.raises(UnreadableNotificationError, match="another event than the creation of an object"):
        parse_notification(notification(record(), record() | {"eventName": "s3:ObjectRemoved:Delete"}))


def test_the_sentence_never_repeats_the_key() -> None:
    with pytest.raises(UnreadableNotificationError) as caught:
        parse_notification(notification(record(key="acme/+4915112345678.wav", size="odd")))
    assert "4915112345678" not in str(caught.value)


@pytest.mark.parametrize(
    "event",
    [{}, {"Records": []}, {"Records": None}, {"Records": [17]}, {"Records": [sqs_record("{}"), record()]}, {"a": "b"}],
)
def test_event_that_is_not_a_batch_is_recognised(event: dict[str, Any]) -> None:
    assert queue_messages(event) is None
    with pytest.raises(UnreadableNotificationError):
        parse_notification(event)


@given(json_values)
def test_arbitrary_json_is_understood_or_unreadable(value: Any) -> None:
    with suppress(UnreadableNotificationError):
        assert parse_notification(value) == ()


@given(st.text() | json_values.map(json.dumps) | st.binary().map(lambda data: data.decode("latin-1")))
def test_arbitrary_text_is_understood_or_unreadable(body: str) -> None:
    with suppress(UnreadableNotificationError):
        assert parse_body(body) == ()


@given(st.data())
def test_notification_with_any_member_replaced_is_understood_or_unreadable(data: st.DataObject) -> None:
    # given: a good record with one member, at any depth, replaced
    changed = record()
    place = data.draw(
        st.sampled_from(["eventName", "s3", "bucket", "object", "name", "key", "size", "eTag", "versionId"])
    )
    homes = {
        "eventName": changed,
        "s3": changed,
        "bucket": changed["s3"],
        "object": changed["s3"],
        "name": changed["s3"]["bucket"],
    }
    homes.get(place, changed["s3"]["object"])[place] = data.draw(json_values)

    try:
        landed = parse_body(json.dumps(notification(changed)))
    except UnreadableNotificationError:
        return
    assert all(one.key and one.bucket for one in landed)


@given(json_values)
def test_arbitrary_records_of_a_batch_raise_nothing_unexpected(value: Any) -> None:
    for event in ({"Records": value}, {"Records": [value]}, {"Records": [sqs_record("{}", attributes=value)]}):
        with suppress(UnreadableNotificationError):
            queue_messages(event)


@pytest.mark.parametrize("missing", ["messageId", "body"])
def test_a_message_without_id_or_body_is_unreadable(missing: str) -> None:
    odd = sqs_record("{}")
    del odd[missing]
    with pytest.raises(UnreadableNotificationError):
        queue_messages(notification(odd))


def test_deep_nesting_is_unreadable_at_every_depth() -> None:
    text = json.dumps(notification(record() | {"eventName": "HERE"}))
    for depth in range(1, 1200):
        nested = text.replace('"HERE"', "[" * depth + "]" * depth)
        with pytest.raises(UnreadableNotificationError):
            parse_body(nested)
