"""The sample events of events/, and the outcome of each."""

import json
import re
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote_plus

import pytest
import yaml

from tests.support.calls import cards
from tests.support.clock import Clock
from tests.support.files import states
from tests.support.flow import Flow
from tests.support.functions import ROOT
from tests.support.keys import x509_tenant
from tests.support.queueing import pump, waiting
from tests.support.register import rows
from tests.support.stack import AUDIT, LANDING, SFTP, STACK, Stack, failures
from tests.support.trail import envelope, locked_for, log

EVENTS = ROOT / "events"
SAMPLES = ROOT / "tests/samples"
BUCKET = "callseal-local-landing-123456789012-eu-north-1"
FOLDER = "acme/2026/11/"
ODD_KEY = "acme/space plus+and æ.wav"
# Keys that each event announces, and those that are delivered.
WAV, XML = FOLDER + "4711000000000001_1.wav", FOLDER + "4711000000000001_1.xml"
MP3, XML_2 = FOLDER + "4711000000000002_1.mp3", FOLDER + "4711000000000002_1.xml"


def load(name: str) -> dict[str, Any]:
    """Load an event, adapted to the tests' stack."""
    text = (EVENTS / f"{name}.json").read_text()
    text = text.replace(BUCKET.replace("landing", "sftp"), SFTP).replace(BUCKET.replace("landing", "audit"), AUDIT)
    return dict(json.loads(text.replace(BUCKET, LANDING).replace("callseal-local/", f"{STACK}/")))


def put_samples(cloud: Stack) -> dict[str, bytes]:
    cloud.tenant("acme", x509_tenant().public_text)
    files = {FOLDER + path.name: path.read_bytes() for path in SAMPLES.glob("4711*")}
    for key, data in files.items():
        cloud.land(key, data)
    return files


def delivered(cloud: Stack) -> dict[str, bytes]:
    """Return the delivered files, opened, by their landing keys."""
    return {key.removesuffix(".p7m"): x509_tenant().open(sealed) for key, sealed in cloud.objects(SFTP).items()}


@pytest.mark.parametrize(
    ("name", "keys"),
    [("s3-in-sqs", [WAV]), ("s3-bare", [WAV]), ("s3-in-sqs-several", [WAV, XML, MP3, XML_2])],
)
def test_announced_files_are_delivered(cloud: Stack, encrypt_recording: ModuleType, name: str, keys: list[str]) -> None:
    files = put_samples(cloud)

    assert failures(encrypt_recording.lambda_handler(load(name), None)) == []

    assert delivered(cloud) == {key: files[key] for key in keys}
    assert set(cloud.objects(LANDING)) == set(files) - set(keys)


def test_delivered_file_is_rechecked(cloud: Stack, encrypt_recording: ModuleType, recheck_delivery: ModuleType) -> None:
    put_samples(cloud)
    encrypt_recording.lambda_handler(load("s3-in-sqs"), None)

    assert failures(recheck_delivery.lambda_handler(load("recheck-in-sqs"), None)) == []

    first, second = cloud.audit_details("RecordingDelivered")
    assert {**second, "time": first["time"]} == first


def test_metadata_is_read_and_requeued(cloud: Stack, read_metadata: ModuleType) -> None:
    put_samples(cloud)
    cloud.tenant("acme", x509_tenant().public_text, {"call_index": "plain", "metadata_profile": "puzzel"})

    assert failures(read_metadata.lambda_handler(load("metadata-in-sqs"), None)) == []

    (card,) = cards(cloud)
    assert (card["metadata"], card["caller"]) == ("read", "+4790000001")
    (body,) = cloud.take(cloud.queue_url)
    assert "PutBackIndexed" in body


def test_odd_key_is_decoded_once(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    cloud.land(ODD_KEY, b"said")

    assert failures(encrypt_recording.lambda_handler(load("s3-in-sqs-odd-key"), None)) == []

    assert delivered(cloud) == {ODD_KEY: b"said"}


def test_s3_test_event_is_acknowledged(cloud: Stack, encrypt_recording: ModuleType) -> None:
    assert failures(encrypt_recording.lambda_handler(load("s3-test-event"), None)) == []
    assert cloud.audit() == []


def test_multipart_object_is_delivered(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    silence = bytes(12_582_912)
    cloud.s3.upload_fileobj(BytesIO(silence), LANDING, FOLDER + "silence.wav")

    assert failures(encrypt_recording.lambda_handler(load("s3-in-sqs-multipart"), None)) == []

    assert delivered(cloud) == {FOLDER + "silence.wav": silence}


def test_multipart_event_is_acknowledged_when_the_object_was_replaced(
    cloud: Stack, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    cloud.land(FOLDER + "silence.wav", b"newer, and announced by an event of its own")

    assert failures(encrypt_recording.lambda_handler(load("s3-in-sqs-multipart"), None)) == []

    assert cloud.objects(SFTP) == {}
    assert list(cloud.objects(LANDING)) == [FOLDER + "silence.wav"]


def test_one_bad_message_fails_alone(cloud: Stack, encrypt_recording: ModuleType) -> None:
    files, event = put_samples(cloud), load("s3-in-sqs-one-bad")

    failed = failures(encrypt_recording.lambda_handler(event, None))

    assert failed == [event["Records"][1]["messageId"]]
    assert delivered(cloud) == {key: files[key] for key in (WAV, MP3)}


@pytest.mark.parametrize(("name", "put_back"), [("secret-changed", 4), ("settings-changed", 4), ("schedule", 5)])
def test_sweep_events_requeue_pending_files(
    cloud: Stack,
    clock: Clock,
    sweep_landing: ModuleType,
    encrypt_recording: ModuleType,
    name: str,
    put_back: int,
) -> None:
    files = put_samples(cloud)
    cloud.land("other/1.wav", b"of another tenant")
    clock.pass_by(minutes=2)

    assert sweep_landing.lambda_handler(load(name), None) == {"put_back": put_back}

    assert waiting(cloud) == put_back
    pump(cloud, encrypt_recording.lambda_handler)
    assert delivered(cloud) == files


@pytest.mark.parametrize("name", ["secret-changed", "settings-changed", "schedule", "check-one-tenant"])
def test_keys_are_checked(cloud: Stack, check_keys: ModuleType, name: str) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    assert check_keys.lambda_handler(load(name), None) == {"accepted": 1}
    assert [detail["tenant"] for detail in cloud.audit_details("KeyAccepted")] == ["acme"]


def test_audit_events_are_registered(cloud: Stack, register_keys: ModuleType) -> None:
    assert failures(register_keys.lambda_handler(load("audit-in-sqs"), None)) == []
    (row,) = rows(cloud.dynamodb).values()
    assert (row["algorithm"], row["strength"], row["use_count"]) == ("RSA", 3072, 1)


def test_audit_events_of_files_are_tracked(cloud: Stack, track_files: ModuleType) -> None:
    assert failures(track_files.lambda_handler(load("files-in-sqs"), None)) == []
    assert states(cloud.dynamodb) == {f"{WAV}.p7m": "fetched"}


def test_recordings_of_audit_events_are_locked(cloud: Stack, lock_recordings: ModuleType) -> None:
    assert failures(lock_recordings.lambda_handler(load("files-in-sqs"), None)) == []


def test_calls_of_audit_events_are_indexed(cloud: Stack, index_calls: ModuleType) -> None:
    cloud.tenant("acme", settings={"call_index": "blind"})
    assert failures(index_calls.lambda_handler(load("files-in-sqs"), None)) == []
    (card,) = cards(cloud)
    assert (card["name"], card["started"]) == ("2026/11/4711000000000001_1", "2026-11-23T10:02:13.482Z")
    assert [(file["n"], file["state"], file["size"]) for file in card["files"]] == [(0, "fetched", 454_300)]


def test_files_are_watched_by_schedule(
    cloud: Stack, clock: Clock, track_files: ModuleType, watch_files: ModuleType
) -> None:
    batch = load("files-in-sqs")
    track_files.lambda_handler({"Records": batch["Records"][1:]}, None)
    clock.put_to(datetime(2026, 11, 28, 0, 0, 1, tzinfo=UTC))
    assert watch_files.lambda_handler(load("schedule"), None) == {"unfetched": 1}


def test_recordings_are_erased_by_schedule(
    cloud: Stack,
    clock: Clock,
    encrypt_recording: ModuleType,
    read_metadata: ModuleType,
    erase_recordings: ModuleType,
) -> None:
    cloud.tenant("acme")
    flow = Flow(cloud, encrypt_recording, read_metadata)
    flow.policy({"schema": 1, "rules": [], "default": {"record": "never"}})
    flow.land(WAV)
    clock.pass_by(hours=73)
    assert erase_recordings.lambda_handler(load("schedule"), None) == {"erased": 1}
    assert cloud.objects(LANDING) == {}


def test_an_audit_object_is_locked(cloud: Stack, lock_audit: ModuleType) -> None:
    event = load("audit-object-in-sqs")
    body = json.loads(event["Records"][0]["body"])
    s3_object = body["Records"][0]["s3"]["object"]
    s3_object["versionId"] = cloud.s3.put_object(Bucket=AUDIT, Key=s3_object["key"], Body=b"events")["VersionId"]
    event["Records"][0]["body"] = json.dumps(body)

    assert failures(lock_audit.lambda_handler(event, None)) == []

    assert locked_for(cloud, s3_object["key"])[0] == "GOVERNANCE"


def test_the_audit_trail_is_compared_by_schedule_and_restored_on_request(
    cloud: Stack, clock: Clock, reconcile_audit: ModuleType
) -> None:
    log(cloud, [envelope()])
    clock.pass_by(hours=1)
    assert reconcile_audit.lambda_handler(load("schedule"), None)["open"] == 1
    restored = reconcile_audit.lambda_handler(load("restore-audit"), None)
    assert (restored["restored"], restored["open"]) == (1, 0)


def test_answer_is_read_and_removed(cloud: Stack, prove_keys: ModuleType) -> None:
    (record,) = json.loads(load("answer-in-sqs")["Records"][0]["body"])["Records"]
    cloud.s3.put_object(Bucket=SFTP, Key=record["s3"]["object"]["key"], Body=b"AAAA-BBBB-CCCC")

    assert failures(prove_keys.lambda_handler(load("answer-in-sqs"), None)) == []

    (refused,) = cloud.audit_details("KeyProofRefused")
    assert "no challenge" in refused["message"]
    assert cloud.objects(SFTP) == {}


@pytest.mark.parametrize("path", sorted(EVENTS.glob("s3-*.json")), ids=lambda path: path.stem)
def test_s3_events_are_whole_and_fit_the_stack(path: Path) -> None:
    """Every record has all members of https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html."""
    event = json.loads(path.read_text())
    bodies = [json.loads(one["body"]) for one in event["Records"] if "body" in one] or [event]
    for body in bodies:
        if body.get("Event") == "s3:TestEvent":
            assert body["Bucket"] == BUCKET
            continue
        for record in body["Records"]:
            assert {"eventVersion", "eventSource", "awsRegion", "eventTime", "eventName", "userIdentity",
                    "requestParameters", "responseElements", "s3"} == set(record)  # fmt: skip
            assert record["s3"]["bucket"]["name"] == BUCKET
            key = unquote_plus(record["s3"]["object"].get("key", ""))
            sample = SAMPLES / key.rpartition("/")[2]
            if sample.is_file():
                assert record["s3"]["object"]["size"] == sample.stat().st_size


def test_readme_names_every_file() -> None:
    readme = (EVENTS / "README.md").read_text()
    assert [path.name for path in EVENTS.glob("*.json") if f"| `{path.name}` |" not in readme] == []


@pytest.mark.parametrize(
    ("name", "function", "error"),
    [
        ("http-me", "sign_in", (401, "NotSignedIn")),
        ("http-search", "search_calls", (401, "NotSignedIn")),
        ("http-audio", "open_recording", (401, "NotSignedIn")),
        ("http-waveform", "draw_waveform", (401, "NotSignedIn")),
        ("http-shares", "share_recording", (401, "NotSignedIn")),
        ("http-holds", "govern_calls", (401, "NotSignedIn")),
        ("http-share-code", "serve_share", (404, "NotFound")),
    ],
)
def test_request_without_a_session_is_refused(
    cloud: Stack, request: pytest.FixtureRequest, name: str, function: str, error: tuple[int, str]
) -> None:
    answer = request.getfixturevalue(function).lambda_handler(load(name), None)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]) == error


def test_readme_has_a_sample_for_every_function() -> None:
    rows = re.findall(r"^\| `[\w-]+\.json` \| ([\w, ]+) \|", (EVENTS / "README.md").read_text(), re.MULTILINE)
    sampled = {name for row in rows for name in row.split(", ")}
    assert sampled == {*json.loads((EVENTS / "env.json").read_text())}, "Add a sample to events/ and events/README.md."


# A stack has these only after an operator has given its parameters.
EMPTY_BY_DEFAULT = {"OIDC_ISSUER", "OIDC_CLIENT_ID", "ARCHIVE_PLATFORM_GROUP", "SHARE_MAIL_FROM"}


def test_env_json_has_every_variable_that_the_template_declares() -> None:
    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's short forms as None."""

    Loader.add_multi_constructor("!", lambda *_: None)
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader)
    declared = set(template["Globals"]["Function"]["Environment"]["Variables"])
    environments = json.loads((EVENTS / "env.json").read_text())

    named = {name for name, it in template["Resources"].items() if it["Type"] == "AWS::Serverless::Function"}
    assert set(environments) == named
    for name, variables in environments.items():
        own = template["Resources"][name]["Properties"].get("Environment", {}).get("Variables", {})
        assert set(variables) == declared | set(own)
        assert all(isinstance(value, str) for value in variables.values())
        assert {name for name, value in variables.items() if not value} <= EMPTY_BY_DEFAULT
        assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5000"
        buckets = {variables[f"{which}_BUCKET"] for which in ("LANDING", "SFTP", "ARCHIVE")}
        assert len(buckets) == 3
        assert all(re.fullmatch(r"callseal-local-(landing|sftp|archive)-\d{12}-eu-north-1", name) for name in buckets)
