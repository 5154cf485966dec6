"""Batches: each record succeeds or fails alone, all are processed at once, and the logs contain no private data."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from threading import Barrier
from time import monotonic, sleep
from types import ModuleType
from typing import Any

import pytest
from aws_lambda_powertools.logging import Logger
from botocore.awsrequest import AWSResponse

from callseal.core.errors import UnreadableNotificationError
from callseal.delivery.batch import BatchFailedError
from tests.security.privacy.watch import CALLERS
from tests.support.families import FAMILIES
from tests.support.keys import x509_tenant
from tests.support.metrics import emitted
from tests.support.network import FOREIGN_WORDS, Network, Request, answer, refusal
from tests.support.stack import LANDING, SFTP, STACK, Stack, failures, notification, sqs_event

PLAIN = {"encrypt": False}
KEY = "acme/4711_2.wav"
CALLER = f"+{CALLERS[0]}"
SAID = b"what the caller said"
UNREADABLE = [
    "",
    "no JSON",
    "{",
    "[]",
    "null",
    "7",
    '"text"',
    "{}",
    '{"Records": []}',
    '{"Records": {}}',
    '{"Records": [null]}',
    '{"Records": ["text"]}',
    '{"Records": [{}]}',
    '{"Event": "s3:OtherEvent"}',
    '{"Message": "{\\"Records\\": []}", "Type": "Notification"}',
    "[" * 100_000,
]


def land(cloud: Stack, *names: str) -> list[dict[str, Any]]:
    return [cloud.land(f"acme/{name}.wav", SAID) for name in names]


def changed(notified: dict[str, Any], **members: object) -> dict[str, Any]:
    """Change members of the announced object. None removes a member."""
    copy: dict[str, Any] = json.loads(json.dumps(notified))
    s3_object = copy["Records"][0]["s3"]["object"]
    s3_object.update(members)
    for name in [name for name, value in s3_object.items() if value is None]:
        del s3_object[name]
    return copy


# ---- one bad record -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", UNREADABLE, ids=lambda body: body[:20])
def test_unreadable_message_fails_alone(cloud: Stack, encrypt_recording: ModuleType, body: str) -> None:
    cloud.tenant("acme", None, PLAIN)
    first, last = land(cloud, "1", "2")

    answer = encrypt_recording.lambda_handler(sqs_event(first, body, last), None)

    assert failures(answer) == ["m1"]
    assert list(cloud.objects(SFTP)) == ["acme/1.wav", "acme/2.wav"]


@pytest.mark.parametrize(
    "members",
    [{"key": None}, {"key": ""}, {"key": 7}, {"key": "acme/%FF.wav"}, {"key": "acme/\ud800.wav"}, {"key": ["x"]},
     {"eTag": 7}, {"size": -1}, {"size": "9"}, {"size": True}, {"versionId": 7}],
    ids=str,
)  # fmt: skip
def test_odd_record_fails_alone(cloud: Stack, encrypt_recording: ModuleType, members: dict[str, object]) -> None:
    cloud.tenant("acme", None, PLAIN)
    first, odd, last = land(cloud, "1", "odd", "2")

    answer = encrypt_recording.lambda_handler(sqs_event(first, changed(odd, **members), last), None)

    assert failures(answer) == ["m1"]
    assert list(cloud.objects(SFTP)) == ["acme/1.wav", "acme/2.wav"]
    assert list(cloud.objects(LANDING)) == ["acme/odd.wav"]


@pytest.mark.parametrize("name", ["ObjectRemoved:Delete", "s3:ObjectRemoved:Delete", "ObjectTagging:Put", ""])
def test_other_events_than_creations_fail(cloud: Stack, encrypt_recording: ModuleType, name: str) -> None:
    cloud.tenant("acme", None, PLAIN)
    (landed,) = land(cloud, "1")
    landed["Records"][0]["eventName"] = name

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == ["m0"]
    assert cloud.objects(SFTP) == {}


def test_all_bad_messages_come_back(cloud: Stack, encrypt_recording: ModuleType) -> None:
    """The answer is partial, not an exception, so that each message is delayed and counted separately."""
    assert failures(encrypt_recording.lambda_handler(sqs_event("{", "[]", "7"), None)) == ["m0", "m1", "m2"]


def test_another_bucket_is_never_touched(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", None, PLAIN)
    cloud.s3.create_bucket(Bucket="other", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    cloud.s3.put_object(Bucket="other", Key="acme/1.wav", Body=SAID)
    (landed,) = land(cloud, "1")
    landed["Records"][0]["s3"]["bucket"]["name"] = "other"

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == ["m0"]

    assert list(cloud.objects("other")) == list(cloud.objects(LANDING)) == ["acme/1.wav"]
    assert cloud.objects(SFTP) == {}
    assert cloud.audit() == []


def test_several_records_in_one_message(cloud: Stack, network: Network, encrypt_recording: ModuleType) -> None:
    """All records are attempted even if the first one fails. The message returns to the queue until all are done."""
    cloud.tenant("acme", None, PLAIN)
    message = {"Records": [one["Records"][0] for one in land(cloud, "1", "2", "3")]}
    network.fail("CopyObject", 503, "SlowDown")

    assert failures(encrypt_recording.lambda_handler(sqs_event(message), None)) == ["m0"]
    assert list(cloud.objects(SFTP)) == ["acme/2.wav", "acme/3.wav"]

    assert failures(encrypt_recording.lambda_handler(sqs_event(message), None)) == []
    assert list(cloud.objects(SFTP)) == ["acme/1.wav", "acme/2.wav", "acme/3.wav"]
    assert len(cloud.audit()) == 3


def test_records_are_processed_at_once(cloud: Stack, network: Network, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text)
    all_there = Barrier(10)

    def wait(_: Request) -> None:
        all_there.wait(timeout=300)

    network.before("PutObject", wait, bucket=SFTP, times=10)
    landed = land(cloud, *(str(number) for number in range(10)))

    assert failures(encrypt_recording.lambda_handler(sqs_event(*landed), None)) == []
    assert len(cloud.objects(SFTP)) == 10


def test_event_of_a_missing_object_is_acknowledged(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", None, PLAIN)

    answer = encrypt_recording.lambda_handler(sqs_event(notification("acme/1.wav", "0" * 32, 7)), None)

    assert failures(answer) == []
    assert cloud.audit() == []


@pytest.mark.parametrize("members", [{"eTag": None}, {"size": None}, {"eTag": None, "size": None}, {"sequencer": None}])
def test_missing_members_are_looked_up(cloud: Stack, encrypt_recording: ModuleType, members: dict[str, object]) -> None:
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text)
    (landed,) = land(cloud, "1")

    assert failures(encrypt_recording.lambda_handler(sqs_event(changed(landed, **members)), None)) == []

    assert FAMILIES["x509"].make("tenant").open(cloud.objects(SFTP)["acme/1.wav.p7m"]) == SAID
    (detail,) = cloud.audit_details("RecordingDelivered")
    assert detail["source"]["size"] == len(SAID)


# ---- a bare notification --------------------------------------------------------------------------------------------


def test_bare_notification(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", None, PLAIN)
    event = {"Records": [one["Records"][0] for one in land(cloud, "1", "2")]}

    assert encrypt_recording.lambda_handler(event, None) == {"batchItemFailures": []}

    assert list(cloud.objects(SFTP)) == ["acme/1.wav", "acme/2.wav"]


def test_bare_notification_raises_when_a_file_failed(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", None, PLAIN)
    event = {"Records": [one["Records"][0] for one in land(cloud, "1", "2")]}
    network.fail("CopyObject", 503, "SlowDown")

    with pytest.raises(BatchFailedError, match=r"^1 of 2 files"):
        encrypt_recording.lambda_handler(event, None)
    encrypt_recording.lambda_handler(event, None)

    assert list(cloud.objects(SFTP)) == ["acme/1.wav", "acme/2.wav"]
    assert len(cloud.audit()) == 2


@pytest.mark.parametrize("event", [{}, {"Records": []}, {"Records": None}, {"key": "acme/1.wav"}])
def test_unknown_direct_event_raises(encrypt_recording: ModuleType, event: dict[str, Any]) -> None:
    with pytest.raises(UnreadableNotificationError):
        encrypt_recording.lambda_handler(event, None)


def test_bare_test_event_is_acknowledged(encrypt_recording: ModuleType) -> None:
    event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": LANDING}

    assert encrypt_recording.lambda_handler(event, None) == {"batchItemFailures": []}


# ---- private data in logs -------------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[StringIO]:
    """Collect all that Lambda would log: powertools' lines, and every other logger's at the level DEBUG."""
    collected = StringIO()
    root, everything = logging.getLogger(), logging.StreamHandler(collected)
    Logger(service="callseal")  # creates the handler if no function has done so
    handlers = [handler for handler in logging.getLogger("callseal").handlers if hasattr(handler, "setStream")]
    streams = [handler.setStream(collected) for handler in handlers]  # type: ignore[attr-defined]
    assert streams
    level = root.level
    root.setLevel(logging.DEBUG)  # even if a library sets a level
    root.addHandler(everything)
    yield collected
    root.removeHandler(everything)
    root.setLevel(level)
    for handler, stream in zip(handlers, streams, strict=True):
        handler.setStream(stream)  # type: ignore[attr-defined]


def lines(log: StringIO) -> list[dict[str, Any]]:
    """Return the structured lines."""
    return [json.loads(line) for line in log.getvalue().splitlines() if line.startswith("{")]


def test_unexpected_exception_fails_only_its_record_and_is_not_quoted(
    cloud: Stack, encrypt_recording: ModuleType, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.tenant("acme", None, PLAIN)
    cloud.tenant("beta", FAMILIES["x509"].make("tenant").public_text)

    def bug(*_: object, **__: object) -> None:
        raise LookupError(f"a bug met acme/{CALLER}")

    monkeypatch.setattr("callseal.crypto.envelopes.cms.seal", bug)
    events = [*land(cloud, "1"), cloud.land("beta/1.wav", SAID), *land(cloud, "2")]

    assert failures(encrypt_recording.lambda_handler(sqs_event(*events), None)) == ["m1"]

    assert list(cloud.objects(SFTP)) == ["acme/1.wav", "acme/2.wav"]
    (failed,) = [line for line in lines(log) if line["message"] == "record failed"]
    assert failed["error"] == "LookupError"
    assert failed["message_id"] == "m1"
    assert any("test_batch.py" in frame and frame.endswith(" bug") for frame in failed["trace"])
    assert CALLER not in log.getvalue()
    assert "a bug met" not in log.getvalue()


def test_logs_contain_no_caller_no_key_and_no_content(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, log: StringIO
) -> None:
    """Delivered, held, missing and unreadable files, and failures by AWS (which quotes the key), in both families."""
    private = x509_tenant().private_key.read_text()
    texts = {family: FAMILIES[family].make("tenant").public_text for family in FAMILIES}
    for name, text in {**texts, "private": private}.items():
        cloud.tenant(name, text, {"deliver_to_archive": True, "archive_formats": ["wav"]})
    cloud.tenant("settings", None, f'{{"{CALLER}": true}}')
    name = f"{CALLER} Åsa_session-4711.wav"
    keys = [f"{tenant}/{name}" for tenant in (*texts, "private", "settings", "nobody", "Bad")]
    landed = [cloud.land(key, SAID) for key in keys]
    gone = notification(f"x509/gone {name}", "0" * 32, 7)
    failing = cloud.land(f"x509/failing {name}", SAID)
    bad = changed(failing, size="x")
    events = sqs_event(*landed, gone, bad, f"no JSON of {CALLER}")

    assert failures(encrypt_recording.lambda_handler(events, None)) == ["m7", "m8"]
    network.fail("GetObject", 403, "AccessDenied")
    assert failures(encrypt_recording.lambda_handler(sqs_event(failing), None)) == ["m0"]

    text = log.getvalue()
    states = [line["message"] for line in lines(log)]
    assert (states.count("recording delivered"), states.count("recording held")) == (2, 4)
    assert {"recording gone", "record failed", "message unreadable"} <= set(states)
    for secret in (CALLER, CALLERS[0], "Åsa", "session-4711", SAID.decode(), FOREIGN_WORDS):
        assert secret not in text
    for key_text in (*texts.values(), private):
        assert not [line for line in key_text.splitlines() if len(line) > 30 and line in text]
    ids = {line["event_id"] for line in lines(log) if line.get("event_id")}
    assert ids == {event["detail"]["id"] for event in cloud.audit()}  # with these ids an operator can still find a file


def test_audit_contains_no_content_and_no_key_material(cloud: Stack, encrypt_recording: ModuleType) -> None:
    """The audit, which is access-controlled, has landing keys. It has no contents, key texts or plain hashes."""
    private = x509_tenant().private_key.read_text()
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text)
    cloud.tenant("private", private)
    events = sqs_event(*land(cloud, "1"), cloud.land("private/1.wav", SAID))
    encrypt_recording.lambda_handler(events, None)

    text = json.dumps(cloud.audit())
    assert SAID.decode() not in text
    assert not [line for line in private.splitlines() if line in text]


# ---- requests to AWS ------------------------------------------------------------------------------------------------


def test_a_small_sealed_file_takes_four_requests(cloud: Stack, network: Network, encrypt_recording: ModuleType) -> None:
    """The conditional put replaces a HEAD. Each request that is left out is a tenth of a small file's time."""
    cloud.tenant("acme", x509_tenant().public_text)
    (landed,) = land(cloud, "4711_1")
    encrypt_recording.lambda_handler(sqs_event(landed), None)
    of_its_tenant = ("GetParameters", "GetSecretValue", "DescribeSecret")
    asked = [one.operation for one in network.requests if one.operation not in of_its_tenant]
    assert asked == ["GetObject", "PutObject", "PutEvents", "DeleteObject"]


@pytest.fixture
def lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let threads wait for others until these are there, however slow the machine is."""
    monkeypatch.setattr("callseal.aws.batching.LINGER_SECONDS", 20)


@pytest.mark.usefixtures("lingering")
@pytest.mark.parametrize("key", [None, x509_tenant], ids=["plain", "sealed"])
def test_batch_sends_its_events_together_and_purges_together(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, key: Any
) -> None:
    cloud.tenant("acme", key and key().public_text, {"encrypt": bool(key)})
    landed = land(cloud, *(f"4711_{number}" for number in range(10)))

    assert failures(encrypt_recording.lambda_handler(sqs_event(*landed), None)) == []

    assert [len(network.asked(name)) for name in ("PutEvents", "DeleteObjects", "DeleteObject")] == [1, 1, 0]
    assert len(cloud.audit_details("RecordingDelivered")) == 10
    assert cloud.objects(LANDING) == {}


@pytest.mark.usefixtures("lingering")
def test_a_request_to_the_bus_carries_events_of_one_kind(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", None, PLAIN)
    landed = [cloud.land(f"{tenant}/{number}.wav", SAID) for tenant in ("acme", "beta") for number in range(5)]

    assert failures(encrypt_recording.lambda_handler(sqs_event(*landed), None)) == []

    sent = [[entry["DetailType"] for entry in one.members["Entries"]] for one in network.asked("PutEvents")]
    assert sorted(sent) == [["RecordingDelivered"] * 5, ["RecordingHeld"] * 5]


@pytest.mark.usefixtures("lingering")
def test_batch_waits_for_a_record_whose_thread_begins_late(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.tenant("acme", None, {"encrypt": False})
    landed = land(cloud, "4711_1", "4711_2", "4711_3")
    read = sys.modules["callseal.delivery.batch"].parse_body

    def read_late(body: str) -> Any:
        sleep(0.5 if "4711_3" in body else 0)
        return read(body)

    monkeypatch.setattr("callseal.delivery.batch.parse_body", read_late)
    assert failures(encrypt_recording.lambda_handler(sqs_event(*landed), None)) == []

    assert [len(network.asked(name)) for name in ("PutEvents", "DeleteObjects", "DeleteObject")] == [1, 1, 0]


@pytest.mark.usefixtures("lingering")
def test_batch_does_not_wait_for_held_missing_or_failing_files(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    """With a limit of 20 s, a batch that ends much earlier has not waited for any of them."""
    cloud.tenant("acme", None, PLAIN)
    cloud.tenant("held", None, {})
    landed = [*land(cloud, "4711_1", "4711_2"), cloud.land("held/1.wav", SAID), cloud.land("held/2.wav", SAID)]
    gone = notification("acme/gone.wav", "0" * 32, 7)
    network.fail("CopyObject", 503, "SlowDown")
    started = monotonic()

    answer = encrypt_recording.lambda_handler(sqs_event(*landed, gone, "unreadable"), None)

    assert monotonic() - started < 10
    assert len(failures(answer)) == 2
    assert sorted(event["detail-type"] for event in cloud.audit()) == ["RecordingDelivered"] + ["RecordingHeld"] * 2


def test_slow_file_does_not_delay_others(cloud: Stack, network: Network, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", None, PLAIN)
    landed = land(cloud, *(f"4711_{number}" for number in range(4)))

    def left() -> int:
        return int(cloud.s3.list_objects_v2(Bucket=LANDING)["KeyCount"])

    def wait_until_the_others_are_done(_: Request) -> None:
        deadline = monotonic() + 300
        while left() > 1 and monotonic() < deadline:
            sleep(0.01)
        assert left() == 1

    network.before("CopyObject", wait_until_the_others_are_done)
    assert failures(encrypt_recording.lambda_handler(sqs_event(*landed), None)) == []
    assert cloud.objects(LANDING) == {}


def test_event_that_is_refused_fails_its_own_record_alone(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.aws.bus.PAUSE_SECONDS", 0)
    cloud.tenant("acme", None, PLAIN)
    landed = land(cloud, *(f"4711_{number}" for number in range(5)))

    def refuse_third(request: Request) -> AWSResponse:
        entries = [json.loads(entry["Detail"])["source"]["key"] for entry in request.members["Entries"]]
        results = [{"ErrorCode": "InternalFailure"} if "4711_2" in key else {"EventId": "e"} for key in entries]
        return answer(request, 200, json.dumps({"FailedEntryCount": 1, "Entries": results}).encode())

    network.before("PutEvents", refuse_third, times=None)
    assert failures(encrypt_recording.lambda_handler(sqs_event(*landed), None)) == ["m2"]
    assert list(cloud.objects(LANDING)) == [KEY]


@pytest.mark.usefixtures("lingering")
def test_overwritten_file_stays_when_its_batch_is_purged(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", None, PLAIN)
    landed = land(cloud, *(f"4711_{number}" for number in range(5)))

    network.before("DeleteObjects", lambda _: cloud.land(KEY, b"said later") and None)
    assert failures(encrypt_recording.lambda_handler(sqs_event(*landed), None)) == []

    assert cloud.objects(LANDING) == {KEY: b"said later"}
    assert len(cloud.audit_details("RecordingDelivered")) == 5


@pytest.mark.usefixtures("lingering")
@pytest.mark.parametrize("how", ["refused", "lost", "answer lost"])
def test_files_are_purged_one_by_one_when_their_batch_fails(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, how: str
) -> None:
    cloud.tenant("acme", None, PLAIN)
    landed = land(cloud, *(f"4711_{number}" for number in range(5)))
    if how == "refused":
        network.fail("DeleteObjects", 400, "MalformedXML")
    else:
        network.cut("DeleteObjects", after=how == "answer lost")

    assert failures(encrypt_recording.lambda_handler(sqs_event(*landed), None)) == []

    assert cloud.objects(LANDING) == {}


@pytest.mark.usefixtures("lingering")
def test_a_purge_that_is_refused_fails_its_own_record_alone(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", None, PLAIN)
    landed = land(cloud, *(f"4711_{number}" for number in range(5)))

    def refuse_third(request: Request) -> AWSResponse | None:
        return refusal(request, 403, "AccessDenied") if "4711_2" in request.key else None

    network.fail("DeleteObjects", 403, "AccessDenied", times=None)
    network.before("DeleteObject", refuse_third, times=None)
    assert failures(encrypt_recording.lambda_handler(sqs_event(*landed), None)) == ["m2"]

    assert list(cloud.objects(LANDING)) == [KEY]


# ---- metrics --------------------------------------------------------------------------------------------------------


def test_metrics_of_a_batch(cloud: Stack, encrypt_recording: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    cloud.tenant("plain", None, PLAIN)
    landed = [
        *land(cloud, "1", "2", "3"),
        cloud.land("plain/4.wav", SAID),
        *(cloud.land(f"none/{n}.wav", SAID) for n in "56"),
    ]
    landed[0]["Records"][0]["eventTime"] = (datetime.now(UTC) - timedelta(seconds=90)).isoformat()
    landed[1]["Records"][0]["eventTime"] = "no time"
    capsys.readouterr()

    encrypt_recording.lambda_handler(sqs_event(*landed, "no notification"), None)

    whole, by_reason = emitted(capsys)
    assert whole["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Callseal"
    assert [whole["_aws"]["CloudWatchMetrics"][0]["Dimensions"], whole["Stack"]] == [[["Stack"]], STACK]
    assert sum(whole["RecordingsDelivered"]) == 4
    assert sum(whole["RecordingsHeld"]) == 2
    assert sum(whole["BytesSealed"]) == 3 * len(SAID)
    (seconds,) = whole["SecondsToDelivery"]
    assert 90 <= seconds < 120
    assert by_reason["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Stack", "Reason"]]
    assert (by_reason["Stack"], by_reason["Reason"], sum(by_reason["RecordingsHeld"])) == (STACK, "SettingsMissing", 2)


def test_batch_without_files_writes_no_metrics(
    encrypt_recording: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    encrypt_recording.lambda_handler(sqs_event("no notification"), None)
    assert emitted(capsys) == []
