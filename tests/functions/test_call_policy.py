"""A file never leaves landing against its tenant's policy, in whatever order metadata and recording land."""

from __future__ import annotations

import itertools
import json
from types import ModuleType
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse

from tests.functions.test_source_unreadable import refuse_checksum
from tests.support.calls import cards
from tests.support.clock import Clock
from tests.support.flow import Flow
from tests.support.keys import x509_tenant
from tests.support.network import Action, Network, Request
from tests.support.stack import ARCHIVE, LANDING, SFTP, Stack, failures, sqs_event

WAV, XML = "acme/2026/4711_1.wav", "acme/2026/4711_1.xml"
PUZZEL = {"metadata_profile": "puzzel", "default_region": "NO"}
BOTH = {"deliver_to_archive": True, "archive_formats": ["wav"], "only_encrypt_sftp": True} | PUZZEL
DEFAULT = {"class": "default", "record": "may", "consent": "none"}


def policy(*rules: dict[str, Any], **default: Any) -> dict[str, Any]:
    return {"schema": 1, "rules": list(rules), "default": DEFAULT | default}


DENIED = policy({"rule": "refused", "when": {"denied": True}, "record": "never"})


def metadata(queue: str = "invoice_no", **variables: str) -> bytes:
    """Return metadata in Puzzel's layout."""
    values = "".join(f'<variable name="{name}">{value}</variable>' for name, value in variables.items())
    return (
        f'<recording><session id="4711" start="2026-11-23T09:12:44+01:00" end="2026-11-23T09:12:58+01:00"/>'
        f'<request remoteAddress="+4790000001" queueKey="{queue}"/><agent id="1042"/>'
        f"<variables>{values}</variables></recording>"
    ).encode()


@pytest.fixture
def flow(cloud: Stack, encrypt_recording: ModuleType, read_metadata: ModuleType) -> Flow:
    return Flow(cloud, encrypt_recording, read_metadata)


def outcome(cloud: Stack) -> tuple[set[str], set[str], dict[str, str]]:
    """Return the keys in the SFTP bucket and in the archive, and the reason of each held file."""
    held = {key: cloud.tags(key).get("callseal-reason", "") for key in cloud.objects(LANDING)}
    return set(cloud.objects(SFTP)), set(cloud.objects(ARCHIVE)), held


RULES: dict[str, tuple[dict[str, Any], bytes, tuple[set[str], set[str], dict[str, str]]]] = {
    "no rule met": (DENIED, metadata(), ({f"{WAV}.p7m", f"{XML}.p7m"}, {WAV, XML}, {})),
    "denied": (DENIED, metadata(deny_recording="true"), (set(), set(), dict.fromkeys((WAV, XML), "RecordingDenied"))),
    "denied, and the law requires it": (
        policy({"rule": "law", "when": {"queue": ["invoice*"]}, "record": "must"}),
        metadata(deny_recording="true"),
        ({f"{WAV}.p7m", f"{XML}.p7m"}, {f"{WAV}.p7m", f"{XML}.p7m"}, {}),
    ),
    "no consent": (
        policy(consent="required"), metadata(), (set(), set(), dict.fromkeys((WAV, XML), "ConsentMissing"))
    ),
    "restricted": (
        policy({"rule": "r", "when": {"restricted": True}, "restricted": True}),
        metadata(SET_RESTRICTED="true"),
        ({f"{WAV}.p7m", f"{XML}.p7m"}, {f"{WAV}.p7m", f"{XML}.p7m"}, {}),
    ),
    "kept out of the archive": (
        policy({"rule": "out", "when": {"queue": ["invoice_no"]}, "archive": False}),
        metadata(),
        ({f"{WAV}.p7m", f"{XML}.p7m"}, set(), {}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("order", list(itertools.permutations((WAV, XML))), ids=["recording first", "metadata first"])
@pytest.mark.parametrize("mode", ["plain", "blind"])
@pytest.mark.parametrize("name", RULES)
def test_order_of_landing_changes_no_outcome(
    cloud: Stack, flow: Flow, name: str, mode: str, order: tuple[str, ...]
) -> None:
    rules, xml, expected = RULES[name]
    cloud.tenant("acme", x509_tenant().public_text, BOTH | {"call_index": mode})
    flow.policy(rules)

    for key in order:
        flow.land(key, xml if key == XML else b"said")
    # The queue delivers the message of a recording that came first once more.
    flow.process(*flow.failed)

    assert outcome(cloud) == expected


def test_metadata_reaches_the_card_before_it_is_delivered(cloud: Stack, flow: Flow, network: Network) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)

    flow.land(XML, metadata())

    operations = [request.operation for request in network.requests]
    assert operations.index("TransactWriteItems") < operations.index("CopyObject")
    (card,) = cards(cloud)
    assert (card["metadata"], card["caller"], card["queue"], card["seconds"]) == (
        "read",
        "+4790000001",
        "invoice_no",
        14,
    )


def test_a_recording_waits_for_its_metadata_then_is_held_then_released(cloud: Stack, flow: Flow) -> None:
    cloud.tenant("acme", x509_tenant().public_text, PUZZEL | {"metadata_required": True, "call_index": "plain"})

    flow.land(WAV)
    assert (len(flow.failed), outcome(cloud)) == (1, (set(), set(), {WAV: ""}))
    flow.process(flow.failed[0], receives=2)
    flow.process(flow.failed[0], receives=3)
    assert outcome(cloud) == (set(), set(), {WAV: "MetadataAwaited"})

    flow.land(XML, metadata())

    assert outcome(cloud) == ({f"{WAV}.p7m", f"{XML}.p7m"}, set(), {})
    assert [detail["reason"] for detail in cloud.audit_details("RecordingReleased")] == ["MetadataAwaited"]


@pytest.mark.parametrize(("missing", "delivered"), [("hold", False), ("deliver", True)])
def test_metadata_that_never_comes(
    cloud: Stack, flow: Flow, sweep_landing: ModuleType, clock: Clock, missing: str, delivered: bool
) -> None:
    settings = PUZZEL | {"metadata_required": True, "call_index": "plain", "metadata_missing": missing}
    cloud.tenant("acme", x509_tenant().public_text, settings)
    flow.land(WAV, receives=3)
    assert outcome(cloud)[2] == {WAV: "MetadataAwaited"}

    clock.pass_by(minutes=16)
    sweep_landing.lambda_handler({}, None)
    flow.process(*cloud.take(cloud.queue_url))

    assert (outcome(cloud)[0] == {f"{WAV}.p7m"}) is delivered


@pytest.mark.parametrize("data", [b"<!DOCTYPE x><x/>", b"<x>", b"\x00" * 300_000, b""])
def test_unreadable_metadata_is_delivered_and_the_card_says_so(cloud: Stack, flow: Flow, data: bytes) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)

    flow.land(XML, data)
    flow.land(WAV)

    assert outcome(cloud)[2] == {}
    assert [card["metadata"] for card in cards(cloud)] == ["unreadable"]
    (event,) = cloud.audit_details("MetadataUnreadable")
    assert event["source"]["key"] == XML


def test_a_changed_policy_judges_held_calls_again(
    cloud: Stack, flow: Flow, sweep_landing: ModuleType, clock: Clock
) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(DENIED)
    flow.land(XML, metadata(deny_recording="true"))
    flow.land(WAV)
    assert set(outcome(cloud)[2].values()) == {"RecordingDenied"}

    clock.pass_by(minutes=2)
    flow.policy(policy({"rule": "law", "when": {"queue": ["invoice_no"]}, "record": "must"}))
    for _ in range(2):
        sweep_landing.lambda_handler({"tenant": "acme"}, None)
        flow.process(*cloud.take(cloud.queue_url))

    assert outcome(cloud) == ({f"{WAV}.p7m", f"{XML}.p7m"}, {f"{WAV}.p7m", f"{XML}.p7m"}, {})
    assert {detail["policy"]["rule"] for detail in cloud.audit_details("RecordingDelivered")} == {"law"}
    assert all(detail["policy"]["denied"] for detail in cloud.audit_details("RecordingDelivered"))


def test_a_policy_that_cannot_be_read_holds(cloud: Stack, flow: Flow, clock: Clock) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy("{")

    flow.land(XML, metadata())
    flow.land(WAV)

    assert outcome(cloud) == (set(), set(), dict.fromkeys((WAV, XML), "PolicyInvalid"))
    flow.policy(policy())
    clock.pass_by(minutes=2)
    for key in (XML, WAV):
        flow.process(json.dumps(cloud.land(key, metadata())))
    assert outcome(cloud)[2] == {}


def test_metadata_that_arrives_in_part_is_read_again(cloud: Stack, flow: Flow, network: Network) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(DENIED)
    xml = metadata(deny_recording="true")
    network.after("GetObject", half_of(xml), bucket=LANDING)

    body = json.dumps(cloud.land(XML, xml))
    assert failures(flow.encrypt_recording.lambda_handler(sqs_event(body), None)) == []
    (passed_on,) = cloud.take(cloud.environment["METADATA_QUEUE_URL"])
    assert failures(flow.read_metadata.lambda_handler(sqs_event(passed_on), None)) == ["m0"]
    assert (cards(cloud), cloud.audit_details("MetadataUnreadable")) == ([], [])
    assert failures(flow.read_metadata.lambda_handler(sqs_event(passed_on, receives=2), None)) == []
    flow.process(*cloud.take(cloud.queue_url))

    assert outcome(cloud) == (set(), set(), {XML: "RecordingDenied"})


def test_metadata_is_read_again_if_its_card_is_not_found(cloud: Stack, flow: Flow, network: Network) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(DENIED)
    # As the SDK parses an answer of DynamoDB that breaks off, after the last retry.
    network.after("GetItem", lambda request: AWSResponse(request.raw.url, 200, {}, MockRawResponse(b"{}")))

    flow.land(XML, metadata(deny_recording="true"))

    assert outcome(cloud) == (set(), set(), {XML: "RecordingDenied"})


def half_of(data: bytes) -> Action:
    """Return an answer with half of an object, as a connection that breaks leaves it."""

    def cut(request: Request) -> AWSResponse:
        headers = {"Content-Length": str(len(data)), "ETag": '"e"'}
        return AWSResponse(request.raw.url, 200, headers, MockRawResponse(data[: len(data) // 2]))

    return cut


def refuse_reads(network: Network) -> None:
    """Refuse all reads of landed files, as S3 does if the roles may not use their KMS key."""
    network.fail("GetObject", 403, "AccessDenied", bucket=LANDING, times=None)
    network.before("HeadObject", lambda head: refuse_checksum(head, 403), bucket=LANDING, times=None)


def test_metadata_that_s3_refuses_twice_is_read_later(cloud: Stack, flow: Flow, network: Network) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(DENIED)
    network.fail("GetObject", 403, "AccessDenied", bucket=LANDING, times=2)

    flow.land(XML, metadata(deny_recording="true"))
    flow.land(WAV)

    assert outcome(cloud) == (set(), set(), dict.fromkeys((XML, WAV), "RecordingDenied"))


def test_metadata_that_s3_refuses_to_read_is_held_until_it_can_be_read(
    cloud: Stack, flow: Flow, network: Network, sweep_landing: ModuleType, clock: Clock
) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(policy())
    refuse_reads(network)
    flow.land(XML, metadata())
    assert outcome(cloud) == (set(), set(), {XML: "SourceUnreadable"})

    for _ in range(2):
        clock.pass_by(minutes=2)
        sweep_landing.lambda_handler({"tenant": "acme"}, None)
        flow.process(*cloud.take(cloud.queue_url))
        network.mend()

    assert outcome(cloud) == ({f"{XML}.p7m"}, {XML}, {})
    assert [card["metadata"] for card in cards(cloud)] == ["read"]
    told = [(event["detail-type"], event["detail"]["reason"]) for event in cloud.audit()]
    assert told == [
        ("RecordingHeld", "SourceUnreadable"), ("RecordingReleased", "SourceUnreadable"), ("RecordingDelivered", None)
    ]  # fmt: skip


def test_metadata_is_read_although_read_metadata_remembers_that_the_tenant_had_no_policy(
    cloud: Stack, flow: Flow, clock: Clock
) -> None:
    cloud.tenant("acme", x509_tenant().public_text, PUZZEL)
    body = json.dumps(cloud.land("acme/another.xml", metadata()))
    assert failures(flow.read_metadata.lambda_handler(sqs_event(body), None)) == []
    clock.pass_by(seconds=10)
    flow.policy(DENIED)

    flow.land(XML, metadata(deny_recording="true"))

    assert outcome(cloud)[2][XML] == "RecordingDenied"


def test_metadata_waits_while_settings_are_wrong(cloud: Stack, flow: Flow, clock: Clock) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(DENIED)
    flow.land("acme/another.xml", metadata())  # encrypt_recording remembers the settings from here on
    body = json.dumps(cloud.land(XML, metadata(deny_recording="true")))
    assert failures(flow.encrypt_recording.lambda_handler(sqs_event(body), None)) == []
    (passed_on,) = cloud.take(cloud.environment["METADATA_QUEUE_URL"])
    clock.pass_by(seconds=61)
    cloud.tenant("acme", settings={"encrpyt": True})

    assert failures(flow.read_metadata.lambda_handler(sqs_event(passed_on), None)) == ["m0"]
    assert failures(flow.read_metadata.lambda_handler(sqs_event(passed_on, receives=2), None)) == []
    cloud.tenant("acme", settings=BOTH)
    flow.process(*cloud.take(cloud.queue_url))

    assert outcome(cloud)[2] == {XML: "RecordingDenied"}


def test_each_hold_for_another_cause_has_another_id(
    cloud: Stack, flow: Flow, sweep_landing: ModuleType, clock: Clock
) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(DENIED)
    flow.land(WAV, receives=3)
    flow.land(XML, b"<x>")
    flow.land(XML, metadata(deny_recording="true"))
    clock.pass_by(minutes=2)
    flow.policy(policy({"rule": "still refused", "when": {"denied": True}, "record": "never"}))
    sweep_landing.lambda_handler({"tenant": "acme"}, None)
    flow.process(*cloud.take(cloud.queue_url))

    held = [detail for detail in cloud.audit_details("RecordingHeld") if detail["source"]["key"] == WAV]
    contents = {(detail["reason"], detail["message"], str(detail["policy"])) for detail in held}
    assert len({detail["id"] for detail in held}) == len(contents) == 4


def test_the_event_names_rule_class_and_version(cloud: Stack, flow: Flow) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(DENIED)
    flow.land(XML, metadata(deny_recording="true"))

    (held,) = cloud.audit_details("RecordingHeld")
    assert held["policy"] == {
        "version": cards(cloud)[0]["policy"]["version"], "rule": "refused", "class": "default", "denied": False,
    }  # fmt: skip


def test_the_card_names_rule_class_and_dates(cloud: Stack, flow: Flow) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    classes = {"sales": {"keep": "30d", "delete_after": "90d"}}
    rule = {"rule": "sales", "when": {"queue": ["invoice_no"]}, "class": "sales"}
    flow.policy(policy(rule) | {"classes": classes})
    flow.land(XML, metadata())

    (card,) = cards(cloud)
    assert (card["policy"]["rule"], card["class"]) == ("sales", "sales")
    assert (card["keep_until"], card["dispose_on"]) == ("2026-12-24T00:00:00.000Z", "2027-02-22T00:00:00.000Z")


def test_a_tenant_without_index_and_policy_makes_the_same_requests(cloud: Stack, flow: Flow, network: Network) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    flow.land("acme/warm.wav")
    network.requests.clear()

    flow.land(WAV)

    assert [request.operation for request in network.requests] == [
        "GetObject",
        "PutObject",
        "PutEvents",
        "DeleteObject",
    ]


@pytest.mark.parametrize(
    ("name", "held"),
    [("46701234567", False), ("+46701234567", True), ("22334455", True), ("4711000000000001_1", False)],
)
def test_names_with_numbers_are_held_where_the_setting_says_so(cloud: Stack, flow: Flow, name: str, held: bool) -> None:
    settings = {"refuse_numbers_in_names": True, "default_region": "NO"}
    cloud.tenant("acme", x509_tenant().public_text, settings)

    flow.land(f"acme/{name}.wav")

    assert list(outcome(cloud)[2].values()) == (["NameHoldsNumber"] if held else [])


def test_a_blind_tenants_numbers_are_nowhere(cloud: Stack, flow: Flow) -> None:
    cloud.tenant("acme", x509_tenant().public_text, PUZZEL | {"call_index": "blind"})
    flow.policy(DENIED)
    flow.land(XML, metadata())
    flow.land(WAV)

    table = json.dumps(cloud.dynamodb.scan(TableName=cloud.environment["CALLS_TABLE"])["Items"])
    told = json.dumps(cloud.audit())
    assert "blind" in table
    for secret in ("90000001", "invoice_no", "1042"):
        assert secret not in table
        assert secret not in told


def test_denied_calls_are_held_without_an_alarm_about_their_age(
    cloud: Stack, flow: Flow, sweep_landing: ModuleType, clock: Clock
) -> None:
    """erase_recordings ends their hold after days, so their age is no cause to act."""
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(DENIED)
    flow.land(XML, metadata(deny_recording="true"))
    flow.land(WAV)

    clock.pass_by(days=2)

    assert sweep_landing.lambda_handler({}, None) == {"denied": 2}
    assert cloud.audit_details("RecordingHeldTooLong") == []


@pytest.mark.parametrize("extension", ["xml", "XML", "json", "JSON"])
def test_metadata_is_read_in_any_case_of_its_extension(cloud: Stack, flow: Flow, extension: str) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    data = metadata() if extension.lower() == "xml" else b"{}"

    flow.land(f"acme/2026/4711_1.{extension}", data)

    assert [card["metadata"] for card in cards(cloud)] == ["read"]
    assert outcome(cloud)[2] == {}


def test_a_recheck_reports_the_ruling_again(cloud: Stack, flow: Flow, recheck_delivery: ModuleType) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(DENIED)
    flow.land(XML, metadata())
    landed = json.dumps(cloud.land(WAV, b"said"))
    flow.process(landed)

    assert recheck_delivery.lambda_handler(sqs_event(landed), None) == {"batchItemFailures": []}

    events = [event for event in cloud.audit_details("RecordingDelivered") if event["source"]["key"] == WAV]
    assert len(events) == 2
    assert events[0]["id"] == events[1]["id"]
    assert events[0]["policy"] == events[1]["policy"]
    assert events[0]["policy"]["rule"] == "default"


@pytest.mark.parametrize("mode", ["plain", "blind"])
def test_a_corrected_path_releases_calls_that_seemed_to_lack_consent(
    cloud: Stack, flow: Flow, sweep_landing: ModuleType, clock: Clock, mode: str
) -> None:
    """The policy is the same. What it goes by is read again from the metadata, which is still in landing."""
    settings = BOTH | {"call_index": mode}
    cloud.tenant("acme", x509_tenant().public_text, settings)
    flow.policy(policy(consent="required"))
    flow.land(XML, metadata(ok="given"))
    flow.land(WAV)
    assert set(outcome(cloud)[2].values()) == {"ConsentMissing"}

    clock.pass_by(minutes=2)
    paths = {"consent": "//variable[@name=ok]"}
    cloud.tenant("acme", None, settings | {"metadata_paths": paths})
    sweep_landing.lambda_handler({"tenant": "acme"}, None)
    flow.process(*cloud.take(cloud.queue_url))

    assert outcome(cloud)[2] == {}
    released = cloud.audit_details("RecordingReleased")
    assert {detail["source"]["key"]: detail["reason"] for detail in released} == dict.fromkeys(
        (WAV, XML), "ConsentMissing"
    )


def test_a_recording_that_is_judged_again_goes_by_the_metadata_in_landing(
    cloud: Stack, flow: Flow, clock: Clock
) -> None:
    """Hashes cannot decide a pattern, so a blind card alone would keep the old outcome."""
    cloud.tenant("acme", x509_tenant().public_text, BOTH | {"call_index": "blind"})
    flow.policy(DENIED)
    flow.land(XML, metadata(deny_recording="true"))
    flow.land(WAV)
    held = dict(cloud.objects(LANDING).items())
    assert set(held) == {WAV, XML}

    clock.pass_by(minutes=2)
    flow.policy(policy({"rule": "law", "when": {"queue": ["invoice*"]}, "record": "must"}))
    flow.process(json.dumps(cloud.land(WAV, b"said")))

    assert WAV not in outcome(cloud)[2]
