"""track_files: audit events become the state of each file that lies ready for its tenant."""

from __future__ import annotations

import copy
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

from tests.support.clock import Clock
from tests.support.files import TABLE, fetched, files, states, track
from tests.support.keys import x509_tenant
from tests.support.network import Network
from tests.support.stack import SFTP, Stack, failures, sqs_event

PLAIN = {"encrypt": False}


def deliver(cloud: Stack, encrypt_recording: ModuleType, *keys: str) -> None:
    event = sqs_event(*(cloud.land(key, f"said in {key}".encode()) for key in keys))
    assert failures(encrypt_recording.lambda_handler(event, None)) == []


def test_a_files_way_stands_in_the_register(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType, clock: Clock
) -> None:
    cloud.tenant("acme", x509_tenant().public_text, {"deliver_to_archive": True, "archive_formats": ["wav"]})
    deliver(cloud, encrypt_recording, "acme/2026/1.wav", "acme/2.wav")

    track(cloud, track_files.lambda_handler)

    (delivery,) = (one for one in cloud.audit_details("RecordingDelivered") if one["source"]["key"] == "acme/2.wav")
    assert states(cloud.dynamodb) == {"acme/2026/1.wav.p7m": "delivered", "acme/2.wav.p7m": "delivered"}
    item = files(cloud.dynamodb)["acme/2.wav.p7m"]
    assert (item["delivery"], item["delivered"]) == (delivery["id"], delivery["time"])
    assert item["size"] == len(cloud.objects(SFTP)["acme/2.wav.p7m"])
    assert item["delivered"][:10] < item["due"] < item["expires"]

    clock.pass_by(hours=1)
    download = fetched(clock, "acme/2.wav.p7m")
    track(cloud, track_files.lambda_handler, download)

    assert states(cloud.dynamodb) == {"acme/2026/1.wav.p7m": "delivered", "acme/2.wav.p7m": "fetched"}
    item = files(cloud.dynamodb)["acme/2.wav.p7m"]
    assert item["fetched"] == download["detail"]["time"]
    assert not {"due", "shard"} & set(item), "it is no longer in the index"


def test_a_tenant_without_sftp_has_no_files_there(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType
) -> None:
    cloud.tenant("acme", None, PLAIN | {"deliver_to_sftp": False, "deliver_to_archive": True})
    deliver(cloud, encrypt_recording, "acme/1.mp3")
    track(cloud, track_files.lambda_handler)
    assert cloud.dynamodb.scan(TableName=TABLE)["Items"] == []


def test_every_output_that_the_tenant_can_see_counts(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType
) -> None:
    """Around a change of settings a file may lie there in two forms, and its event names both."""
    cloud.tenant("acme", None, PLAIN)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    (told,) = cloud.audit()
    sealed = told["detail"]["outputs"][0] | {"key": "acme/1.wav.p7m", "sealed": "cms", "sha256": "a" * 64}
    told["detail"]["outputs"].append(sealed)
    track(cloud, track_files.lambda_handler, told)
    assert states(cloud.dynamodb) == {"acme/1.wav": "delivered", "acme/1.wav.p7m": "delivered"}


def test_any_order_comes_to_the_same(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType, clock: Clock
) -> None:
    cloud.tenant("acme", None, PLAIN)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    (delivery,) = cloud.audit()
    clock.pass_by(minutes=1)
    first = fetched(clock, "acme/1.wav")
    clock.pass_by(minutes=1)
    events, seen = [delivery, first, fetched(clock, "acme/1.wav"), copy.deepcopy(delivery)], []
    for order in itertools.permutations(events):
        track(cloud, track_files.lambda_handler, *order)
        seen.append(files(cloud.dynamodb))
        name = {"tenant": {"S": "acme"}, "key": {"S": "acme/1.wav"}}
        cloud.dynamodb.delete_item(TableName=TABLE, Key=name)
    assert seen[0]["acme/1.wav"]["state"] == "fetched"
    assert all(one == seen[0] for one in seen)


def test_two_writers_at_once_lose_nothing(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType, network: Network, clock: Clock
) -> None:
    """The download arrives while the delivery is being written: whoever comes second reads again."""
    cloud.tenant("acme", None, PLAIN)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    (delivery,) = cloud.audit()
    download = fetched(clock, "acme/1.wav")
    for first, second in ((delivery, download), (download, delivery)):
        network.before("PutItem", lambda _, late=second: track(cloud, track_files.lambda_handler, late))
        track(cloud, track_files.lambda_handler, first)
        item = files(cloud.dynamodb)["acme/1.wav"]
        assert (item["state"], item["delivered"], item["fetched"]) == (
            "fetched", delivery["detail"]["time"], download["detail"]["time"],
        )  # fmt: skip
        cloud.dynamodb.delete_item(TableName=TABLE, Key={"tenant": {"S": "acme"}, "key": {"S": "acme/1.wav"}})


def test_many_batches_at_once_come_to_the_same(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType, clock: Clock
) -> None:
    cloud.tenant("acme", None, PLAIN)
    keys = [f"acme/{number}.wav" for number in range(6)]
    deliver(cloud, encrypt_recording, *keys)
    deliveries = list(cloud.audit())
    downloads = [fetched(clock, key) for key in keys[:4]]
    batches = [sqs_event(*deliveries), sqs_event(*downloads), sqs_event(*reversed(deliveries + downloads))]
    with ThreadPoolExecutor(3) as executor:
        left = list(executor.map(lambda batch: failures(track_files.lambda_handler(batch, None)), batches))
    assert left == [[], [], []]
    assert states(cloud.dynamodb) == dict.fromkeys(keys[:4], "fetched") | dict.fromkeys(keys[4:], "delivered")


def test_a_write_whose_answer_is_lost_is_made_again(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType, network: Network
) -> None:
    cloud.tenant("acme", None, PLAIN)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    network.cut("PutItem", after=True)
    assert failures(track_files.lambda_handler(sqs_event(*cloud.audit()), None)) == ["m0"]
    assert failures(track_files.lambda_handler(sqs_event(*cloud.audit()), None)) == []
    assert states(cloud.dynamodb) == {"acme/1.wav": "delivered"}


def test_a_conflict_that_does_not_end_is_the_queues(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType, network: Network,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("callseal.tracking.PAUSE_SECONDS", 0.001)
    cloud.tenant("acme", None, PLAIN)
    deliver(cloud, encrypt_recording, "acme/1.wav", "acme/2.wav")
    first, second = cloud.audit()  # in any order, for they were delivered at once
    network.fail("PutItem", 400, "ConditionalCheckFailedException", times=5)
    assert failures(track_files.lambda_handler(sqs_event(first, second), None)) == ["m0"]
    assert list(states(cloud.dynamodb)) == [second["detail"]["source"]["key"]]


@pytest.mark.parametrize(
    "body",
    ["no JSON", "{}", "[]", '{"detail-type": "FileFetched", "detail": {"id": "x", "time": "t"}}',
     json.dumps({"detail-type": "RecordingDelivered", "detail": {"id": "x", "time": "t", "tenant": "a", "source": None,
                                                                 "outputs": [{"destination": "sftp"}]}})],
)  # fmt: skip
def test_what_is_no_audit_event_fails_alone(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType, body: str
) -> None:
    cloud.tenant("acme", None, PLAIN)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    assert failures(track_files.lambda_handler(sqs_event(body, *cloud.audit()), None)) == ["m0"]
    assert states(cloud.dynamodb) == {"acme/1.wav": "delivered"}


def test_a_download_of_what_is_nobodys_is_passed_over(cloud: Stack, track_files: ModuleType, clock: Clock) -> None:
    track(cloud, track_files.lambda_handler, fetched(clock, "x", tenant=None))
    assert cloud.dynamodb.scan(TableName=TABLE)["Items"] == []


def test_items_end_by_themselves(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType, clock: Clock
) -> None:
    """After the 7 days, and 30 more: longer than the queue and its dead letters keep an event that would come again."""
    cloud.tenant("acme", None, PLAIN)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    track(cloud, track_files.lambda_handler)
    track(cloud, track_files.lambda_handler, fetched(clock, "acme/key-check/x.txt.p7m"))
    ends = {key: item["expires_at"] - clock().timestamp() for key, item in files(cloud.dynamodb).items()}
    day = 24 * 3600
    assert 37 * day - 3600 < ends["acme/1.wav"] < 38 * day
    assert 30 * day - 60 < ends["acme/key-check/x.txt.p7m"] <= 30 * day
