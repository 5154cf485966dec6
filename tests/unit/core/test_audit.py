"""Audit events: their schema, their ids, their times."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from callseal.core import audit
from callseal.core.audit import AuditEvent, Output
from callseal.core.errors import HeldError, Reason
from callseal.core.landing import LandedObject
from callseal.core.recipient import Recipient
from callseal.sftp.login import Refusal
from tests.support.events import SCHEMA, check_event

NOW = datetime(2026, 11, 23, 10, 11, 12, 345678, tzinfo=UTC)
LANDED = LandedObject("landing", "acme/2026/4711_1.wav", "d41d8cd98f00b204e9800998ecf8427e", 1024, "v1")
OUTPUT = Output("sftp", "sftp-bucket", "acme/2026/4711_1.wav.p7m", 1500, "ab" * 32, "cms")
PLAIN = Output("archive", "archive-bucket", "acme/2026/4711_1.wav", 1024, None, "none")
RECIPIENTS = [
    Recipient("A1" * 32, "x509", NOW + timedelta(days=9)),
    Recipient("B2" * 20, "openpgp", None, subkey="C3" * 20),
]
# If several reasons apply, the first in this order is reported.
IN_ORDER = [
    "UnsupportedFile", "SourceUnreadable", "SettingsMissing", "SettingsInvalid", "NameHoldsNumber", "PolicyInvalid",
    "Erased", "MetadataAwaited", "RecordingDenied", "ConsentMissing", "NothingToDeliver", "KeyMissing", "KeyIsPrivate",
    "KeyUnreadable", "KeyNotForEncryption", "KeyTooWeak", "KeyRevoked", "KeyExpired", "KeyNotYetValid",
    "KeyUnproven", "OutputConflict",
]  # fmt: skip
objects = st.builds(
    LandedObject,
    st.text(min_size=1),
    st.text(min_size=1) | st.from_regex(r"[a-z0-9-]{1,5}/[a-z]\.wav", fullmatch=True),
    st.text(alphabet="0123456789abcdef-", min_size=1),
    st.integers(0, 2**50),
    st.none() | st.text(),
)


def schema_of(event: AuditEvent) -> dict[str, Any]:
    """Check an event as it arrives on the bus, and return its detail."""
    detail: dict[str, Any] = json.loads(json.dumps(event.detail))
    check_event(event.detail_type, detail)
    assert set(detail) == set(SCHEMA["required"])
    return detail


def held(reason: Reason = Reason.KEY_EXPIRED, key_version: str | None = "k1", **changes: Any) -> AuditEvent:
    error = HeldError(reason, "It is held. Do something.")
    error.key_version = key_version
    return audit.held(replace(LANDED, **changes), error, [], NOW)


def delivered(**changes: Any) -> AuditEvent:
    return audit.delivered(replace(LANDED, **changes), [PLAIN, OUTPUT], RECIPIENTS, "k1", NOW)


def test_delivery_has_outputs_recipients_and_key_version() -> None:
    event = delivered()
    assert event.detail_type == "RecordingDelivered"
    assert schema_of(event) == {
        "schema": 1,
        "id": event.id,
        "time": "2026-11-23T10:11:12.345Z",
        "tenant": "acme",
        "source": {"bucket": "landing", "key": LANDED.key, "etag": LANDED.etag, "size": 1024},
        "outputs": [
            {"destination": "archive", "bucket": "archive-bucket", "key": LANDED.key, "size": 1024, "sha256": None,
             "sealed": "none", "version": None},
            {"destination": "sftp", "bucket": "sftp-bucket", "key": LANDED.key + ".p7m", "size": 1500,
             "sha256": "ab" * 32, "sealed": "cms", "version": None},
        ],
        "recipients": [
            {"fingerprint": "A1" * 32, "subkey": None, "kind": "x509", "not_after": "2026-12-02T10:11:12.345Z"},
            {"fingerprint": "B2" * 20, "subkey": "C3" * 20, "kind": "openpgp", "not_after": None},
        ],
        "key_version": "k1",
        "reason": None,
        "message": None,
        "session": None,
        "policy": None,
        "archive": None,
        "law": None,
    }  # fmt: skip


def test_plain_delivery_names_no_recipients() -> None:
    detail = schema_of(audit.delivered(LANDED, [PLAIN], [], None, NOW))
    assert (detail["recipients"], detail["key_version"]) == (None, None)


@pytest.mark.parametrize("reason", Reason)
def test_hold_has_reason_and_sentence(reason: Reason) -> None:
    event = held(reason)
    detail = schema_of(event)
    assert event.detail_type == "RecordingHeld"
    assert (detail["reason"], detail["message"], detail["key_version"]) == (
        str(reason), "It is held. Do something.", "k1",
    )  # fmt: skip
    assert (detail["outputs"], detail["recipients"]) == (None, None)


def test_conflict_names_the_outputs_committed_before_it() -> None:
    error = HeldError(Reason.OUTPUT_CONFLICT, "Another file stands there.")
    (output,) = schema_of(audit.held(LANDED, error, [PLAIN], NOW))["outputs"]
    assert output["destination"] == "archive"


def test_release_has_the_reason_of_the_hold() -> None:
    event = audit.released(LANDED, "KeyExpired", "k2", NOW)
    assert event.detail_type == "RecordingReleased"
    assert (schema_of(event)["reason"], event.detail["key_version"]) == ("KeyExpired", "k2")


def test_tag_that_is_no_reason_is_not_copied() -> None:
    assert schema_of(audit.released(LANDED, "<script>", None, NOW))["reason"] is None


@pytest.mark.parametrize("key", ["x.wav", "/x.wav", "ACME/x.wav", "", "a/x.wav"])
def test_tenant_is_null_when_the_key_names_none(key: str) -> None:
    assert schema_of(held(Reason.UNSUPPORTED_FILE, None, key=key))["tenant"] is None


@given(objects, st.sampled_from(list(Reason)), st.none() | st.text(), st.text(), st.datetimes(timezones=st.timezones()))
def test_every_event_fits_the_schema(
    landed: LandedObject, reason: Reason, version: str | None, sentence: str, now: datetime
) -> None:
    error = HeldError(reason, sentence)
    error.key_version = version
    if not datetime(1000, 1, 2, tzinfo=UTC) < now < datetime(9999, 12, 30, tzinfo=UTC):
        now = NOW
    for event in (
        audit.delivered(landed, [OUTPUT], RECIPIENTS, version, now),
        audit.held(landed, error, [], now),
        audit.released(landed, str(reason), version, now),
    ):
        schema_of(event)


def test_repeat_has_the_same_id_at_any_time() -> None:
    later = NOW + timedelta(days=400)
    assert delivered().id == audit.delivered(LANDED, [PLAIN], [], None, later).id
    error = HeldError(Reason.KEY_MISSING, "another sentence")
    assert held(Reason.KEY_MISSING, None).id == audit.held(LANDED, error, [PLAIN], later).id
    assert audit.released(LANDED, "KeyMissing", "k", NOW).id == audit.released(LANDED, "KeyMissing", "k", later).id


def test_the_id_is_the_same_in_every_process_and_release() -> None:
    # A literal, because receivers drop repeats by it, and a repeat may come from another release of this code.
    assert delivered().id == "acae37a5d426b1a1871cbe72f4440778"
    assert held().id == "eaa5c0a33bb88e3d3dc67157cf4be922"


def test_each_cause_has_its_own_id_and_the_first_has_the_plain_id() -> None:
    event = held()
    again = [audit.numbered(event, number) for number in range(4)]
    assert again[0] == event
    assert len({one.id for one in again}) == 4
    assert [{**one.detail, "id": None} for one in again] == [{**event.detail, "id": None}] * 4
    assert again[1].id == "49523c515da41448721644c6a5f16f9c"


def test_any_difference_gives_another_id() -> None:
    changes: list[dict[str, Any]] = [
        {}, {"bucket": "other"}, {"key": "acme/other.wav"}, {"etag": "e2"}, {"version_id": "v2"}, {"version_id": None},
    ]  # fmt: skip
    events = [
        *(delivered(**change) for change in changes),
        *(held(reason, version, **change) for reason in Reason for version in ("k1", "k2", None) for change in changes),
        *(audit.released(replace(LANDED, **change), reason, "k1", NOW) for reason in Reason for change in changes),
        *(audit.released(LANDED, reason, None, NOW) for reason in Reason),
    ]
    assert len({event.id for event in events}) == len(events)


@given(objects, objects)
def test_two_objects_share_an_id_only_if_they_are_the_same(one: LandedObject, other: LandedObject) -> None:
    def facts(landed: LandedObject) -> tuple[str, str, str | None, str | None]:
        return landed.bucket, landed.key, landed.etag, landed.version_id

    same = audit.delivered(one, [], [], None, NOW).id == audit.delivered(other, [], [], None, NOW).id
    assert same == (facts(one) == facts(other))


def test_text_moved_between_members_gives_another_id() -> None:
    assert delivered(bucket="a", key="b/c").id != delivered(bucket="a/b", key="c").id
    assert delivered(bucket='a", "b', key="c").id != delivered(bucket="a", key='b", "c').id


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW, "2026-11-23T10:11:12.345Z"),
        (datetime(2026, 11, 23, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2026-11-22T20:00:00.000Z"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00.000Z"),
    ],
)
def test_times_are_rfc_3339_in_utc(moment: datetime, text: str) -> None:
    assert audit.timestamp(moment) == text


def test_reasons_are_those_of_the_schema_in_the_documented_order() -> None:
    assert [str(reason) for reason in Reason] == IN_ORDER
    assert SCHEMA["properties"]["reason"]["enum"] == [None, *IN_ORDER, *Refusal]
    assert [reason.rank for reason in Reason] == list(range(len(IN_ORDER)))


def test_the_schema_itself_is_sound() -> None:
    Draft202012Validator.check_schema(SCHEMA)
