"""track_files: audit events become the state of each file that is ready for its tenant."""

from __future__ import annotations

import copy
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from tests.support.clock import Clock
from tests.support.files import TABLE, delivered, fetched, files, states, track
from tests.support.keys import x509_tenant
from tests.support.network import Network, Request, answer, cancelling, refusing
from tests.support.stack import SFTP, Stack, failures, sqs_event

PLAIN = {"encrypt": False}


def deliver(cloud: Stack, encrypt_recording: ModuleType, *keys: str) -> None:
    event = sqs_event(*(cloud.land(key, f"said in {key}".encode()) for key in keys))
    assert failures(encrypt_recording.lambda_handler(event, None)) == []


def test_register_records_the_states_of_a_file(
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
    """Around a change of settings a file may exist in two forms, and its event names both."""
    cloud.tenant("acme", None, PLAIN)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    (delivery,) = cloud.audit()
    sealed = delivery["detail"]["outputs"][0] | {"key": "acme/1.wav.p7m", "sealed": "cms", "sha256": "a" * 64}
    delivery["detail"]["outputs"].append(sealed)
    track(cloud, track_files.lambda_handler, delivery)
    assert states(cloud.dynamodb) == {"acme/1.wav": "delivered", "acme/1.wav.p7m": "delivered"}


def test_events_in_any_order_give_the_same_state(
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


def test_two_concurrent_writers_lose_no_update(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType, network: Network, clock: Clock
) -> None:
    """The download arrives while the delivery is being written: the second writer reads again."""
    cloud.tenant("acme", None, PLAIN)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    (delivery,) = cloud.audit()
    download = fetched(clock, "acme/1.wav")
    for first, second in ((delivery, download), (download, delivery)):
        network.before("TransactWriteItems", lambda _, late=second: track(cloud, track_files.lambda_handler, late))
        track(cloud, track_files.lambda_handler, first)
        item = files(cloud.dynamodb)["acme/1.wav"]
        assert (item["state"], item["delivered"], item["fetched"]) == (
            "fetched", delivery["detail"]["time"], download["detail"]["time"],
        )  # fmt: skip
        cloud.dynamodb.delete_item(TableName=TABLE, Key={"tenant": {"S": "acme"}, "key": {"S": "acme/1.wav"}})


def test_concurrent_batches_give_the_same_state(
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


def test_write_is_repeated_when_its_answer_is_lost(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType, network: Network
) -> None:
    cloud.tenant("acme", None, PLAIN)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    network.cut("TransactWriteItems", after=True)
    assert failures(track_files.lambda_handler(sqs_event(*cloud.audit()), None)) == ["m0"]
    assert failures(track_files.lambda_handler(sqs_event(*cloud.audit()), None)) == []
    assert states(cloud.dynamodb) == {"acme/1.wav": "delivered"}


def test_lasting_conflict_returns_the_message_to_the_queue(
    cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType, network: Network,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("callseal.aws.item_batches.PAUSE_SECONDS", 0.001)
    cloud.tenant("acme", None, PLAIN)
    deliver(cloud, encrypt_recording, "acme/1.wav", "acme/2.wav")
    first, second = cloud.audit()  # in any order, because they were delivered at once
    conflict = cancelling("ConditionalCheckFailed", first["detail"]["source"]["key"])
    network.before("TransactWriteItems", conflict, times=None)
    assert failures(track_files.lambda_handler(sqs_event(first, second), None)) == ["m0"]
    assert list(states(cloud.dynamodb)) == [second["detail"]["source"]["key"]]
    # The file is read five times. After the first time the other file is written at once, separately.
    assert len(network.asked("BatchGetItem")) == 5
    assert len(network.asked("TransactWriteItems")) == 6


@pytest.mark.parametrize("changed", [
    {"detail-type": "KeyAccepted"}, {"detail-type": None}, {"detail": None}, {"id": 5}, {"id": ""}, {"time": "t"},
    {"time": "2026-11-24 10:00"}, {"time": "2026-13-24T10:00:00.000Z"}, {"time": "9999-12-31T23:59:59.999Z"},
    {"tenant": "nobody's"}, {"tenant": 5}, {"tenant": ""}, {"outputs": 5}, {"outputs": [None]}, {"outputs": [{}]},
    *({"output": odd} for odd in (
        {"key": ""}, {"key": None}, {"key": "acme/" + "x" * 1020}, {"key": "acme/\ud800"}, {"size": None}, {"size": -1},
        {"size": "4"}, {"size": True}, {"size": 2**63},
    )),
], ids=str)  # fmt: skip
def test_malformed_event_fails_alone(
    cloud: Stack, track_files: ModuleType, network: Network, changed: dict[str, Any], clock: Clock
) -> None:
    odd = delivered(clock, "acme/odd.wav")
    for name, value in changed.items():
        if name == "output":
            odd["detail"]["outputs"][0] |= value
        elif name in odd:
            odd[name] = value
        else:
            odd["detail"][name] = value
    others = [delivered(clock, f"acme/{number}.wav") for number in range(99)]

    assert failures(track_files.lambda_handler(sqs_event(*others[:50], odd, *others[50:]), None)) == ["m50"]

    assert len(states(cloud.dynamodb)) == 99
    assert len(network.requests) == 2, "nothing was asked about it"


@pytest.mark.parametrize("body", ["no JSON", "{}", "[]", '{"detail-type": "FileFetched", "detail": {"id": "x"}}'])
def test_message_that_is_no_audit_event_fails_alone(
    cloud: Stack, track_files: ModuleType, body: str, clock: Clock
) -> None:
    good = delivered(clock, "acme/1.wav")
    assert failures(track_files.lambda_handler(sqs_event(body, good), None)) == ["m0"]
    assert states(cloud.dynamodb) == {"acme/1.wav": "delivered"}


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
@pytest.mark.parametrize("code", ["ValidationException", "SerializationException"])
def test_item_that_dynamodb_rejects_fails_alone(
    cloud: Stack, track_files: ModuleType, network: Network, operation: str, code: str, clock: Clock
) -> None:
    """DynamoDB rejects the whole request. It is repeated in halves until the file concerned is alone."""
    events = [delivered(clock, f"acme/{number:02}.wav") for number in range(100)]
    network.before(operation, refusing(code, "acme/63.wav"), times=None)

    assert failures(track_files.lambda_handler(sqs_event(*events), None)) == ["m63"]

    assert len(states(cloud.dynamodb)) == 99
    assert len(network.asked(operation)) <= 15


@pytest.mark.parametrize("code", ["ThrottlingError", "ProvisionedThroughputExceeded", "ValidationError"])
def test_file_that_cancels_a_transaction_fails_alone(
    cloud: Stack, track_files: ModuleType, network: Network, code: str, clock: Clock
) -> None:
    events = [delivered(clock, f"acme/{number:02}.wav") for number in range(100)]
    network.before("TransactWriteItems", cancelling(code, "acme/63.wav"), times=None)

    assert failures(track_files.lambda_handler(sqs_event(*events), None)) == ["m63"]

    assert len(states(cloud.dynamodb)) == 99
    assert len(network.asked("TransactWriteItems")) == 2


@pytest.mark.parametrize(("times", "failed"), [(1, []), (None, ["m1"])])
def test_unprocessed_keys_of_dynamodb_are_read_again(
    cloud: Stack, track_files: ModuleType, network: Network, times: int | None, failed: list[str], clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """When short of capacity, DynamoDB answers with some of the items and names the keys of the other items."""
    monkeypatch.setattr("callseal.aws.item_batches.PAUSE_SECONDS", 0.0001)
    track(cloud, track_files.lambda_handler, *(delivered(clock, f"acme/{number}.wav") for number in range(3)))
    clock.pass_by(minutes=1)
    downloads = [fetched(clock, f"acme/{number}.wav") for number in range(3)]
    left_out = {"tenant": {"S": "acme"}, "key": {"S": "acme/1.wav"}}

    def leave_out(request: Request) -> AWSResponse:
        (keys,) = (each["Keys"] for each in request.members["RequestItems"].values())
        found = [cloud.dynamodb.get_item(TableName=TABLE, Key=key)["Item"] for key in keys if key != left_out]
        members = {"Responses": {TABLE: found}, "UnprocessedKeys": {TABLE: {"Keys": [left_out]}}}
        return answer(request, 200, json.dumps(members).encode())

    network.requests.clear()
    network.before("BatchGetItem", leave_out, times=times)
    assert failures(track_files.lambda_handler(sqs_event(*downloads), None)) == failed
    assert len(network.asked("BatchGetItem")) == (2 if times else 5)
    assert len(network.asked("TransactWriteItems")) == 1, "an unread file is not taken for a new one"
    left = dict.fromkeys(failed and ["acme/1.wav"], "delivered")
    assert states(cloud.dynamodb) == dict.fromkeys((f"acme/{number}.wav" for number in range(3)), "fetched") | left

    network.mend()
    track(cloud, track_files.lambda_handler, *downloads)
    assert set(states(cloud.dynamodb).values()) == {"fetched"}


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
def test_message_returns_to_the_queue_when_dynamodb_has_no_capacity(
    cloud: Stack, track_files: ModuleType, network: Network, operation: str, clock: Clock
) -> None:
    events = [delivered(clock, f"acme/{number}.wav") for number in range(3)]
    network.fail(operation, 400, "ThrottlingException")
    assert failures(track_files.lambda_handler(sqs_event(*events, "{}"), None)) == ["m0", "m1", "m2", "m3"]
    assert states(cloud.dynamodb) == {}
    track(cloud, track_files.lambda_handler, *events)
    assert len(states(cloud.dynamodb)) == 3


def test_a_full_batch_is_two_requests(cloud: Stack, track_files: ModuleType, network: Network, clock: Clock) -> None:
    keys = [f"acme/{number}.wav" for number in range(100)]
    for kind in (delivered, fetched):
        network.requests.clear()
        events = [kind(clock, key) for key in keys]
        track(cloud, track_files.lambda_handler, *events)
        assert [one.operation for one in network.requests] == ["BatchGetItem", "TransactWriteItems"]
    network.requests.clear()
    track(cloud, track_files.lambda_handler, *events)
    assert [one.operation for one in network.requests] == ["BatchGetItem"], "repeats change nothing"


def test_a_files_events_in_one_batch_are_one_write(
    cloud: Stack, track_files: ModuleType, network: Network, clock: Clock
) -> None:
    events = [delivered(clock, "acme/1.wav")]
    for _ in range(99):
        clock.pass_by(minutes=1)
        events.append(fetched(clock, "acme/1.wav"))
    track(cloud, track_files.lambda_handler, *reversed(events))
    (write,) = network.asked("TransactWriteItems")
    assert len(write.members["TransactItems"]) == 1
    assert files(cloud.dynamodb)["acme/1.wav"]["fetched"] == events[-1]["detail"]["time"]


def test_a_message_fails_with_any_of_its_files(
    cloud: Stack, track_files: ModuleType, network: Network, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event may name two files. The writable file is written, and the message returns for the other."""
    monkeypatch.setattr("callseal.aws.item_batches.PAUSE_SECONDS", 0.0001)
    both = delivered(clock, "acme/1.wav")
    both["detail"]["outputs"].append(both["detail"]["outputs"][0] | {"key": "acme/1.wav.p7m"})
    network.before("TransactWriteItems", cancelling("TransactionConflict", "acme/1.wav.p7m"), times=None)

    assert failures(track_files.lambda_handler(sqs_event(both, delivered(clock, "acme/2.wav")), None)) == ["m0"]
    assert set(states(cloud.dynamodb)) == {"acme/1.wav", "acme/2.wav"}

    network.mend()
    track(cloud, track_files.lambda_handler, both)
    assert set(states(cloud.dynamodb)) == {"acme/1.wav", "acme/1.wav.p7m", "acme/2.wav"}


def test_any_division_into_batches_gives_the_same_state(cloud: Stack, track_files: ModuleType, clock: Clock) -> None:
    events = [delivered(clock, "acme/1.wav"), delivered(clock, "acme/2.wav")]
    for _ in range(2):
        clock.pass_by(minutes=1)
        events.append(fetched(clock, "acme/1.wav"))
    events.append(copy.deepcopy(events[1]))
    found = []
    for order in list(itertools.permutations(events))[::6]:
        for cut in (1, 3, 5):
            track(cloud, track_files.lambda_handler, *order[:cut])
            if order[cut:]:
                track(cloud, track_files.lambda_handler, *order[cut:])
            found.append(files(cloud.dynamodb))
            for key in found[-1]:
                cloud.dynamodb.delete_item(TableName=TABLE, Key={"tenant": {"S": "acme"}, "key": {"S": key}})
    assert {key: item["state"] for key, item in found[0].items()} == {
        "acme/1.wav": "fetched",
        "acme/2.wav": "delivered",
    }
    assert all(one == found[0] for one in found)


def test_download_outside_tenant_folders_is_ignored(cloud: Stack, track_files: ModuleType, clock: Clock) -> None:
    track(cloud, track_files.lambda_handler, fetched(clock, "x", tenant=None))
    assert cloud.dynamodb.scan(TableName=TABLE)["Items"] == []


def test_items_expire(cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType, clock: Clock) -> None:
    """After the 7 days, and 30 more: longer than the queue and its dead-letter queue keep an event that may return."""
    cloud.tenant("acme", None, PLAIN)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    track(cloud, track_files.lambda_handler)
    track(cloud, track_files.lambda_handler, fetched(clock, "acme/key-check/x.txt.p7m"))
    ends = {key: item["expires_at"] - clock().timestamp() for key, item in files(cloud.dynamodb).items()}
    day = 24 * 3600
    assert 37 * day - 3600 < ends["acme/1.wav"] < 38 * day
    assert 30 * day - 60 < ends["acme/key-check/x.txt.p7m"] <= 30 * day
