"""dispose_recordings: a call goes when its class ends, wholly, with a record, and never before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.calls.call_file import Delivery
from callseal.calls.waveform_place import place_of
from callseal.core.audit import timestamp
from callseal.retention.dispose_recordings import DisposalIncompleteError
from tests.functions.test_call_policy import BOTH, WAV, XML, metadata
from tests.support.calls import TABLE, cards, index
from tests.support.clock import Clock
from tests.support.disposal import (
    ARCHIVE,
    AUDIT,
    DUE,
    LATER,
    SFTP,
    card_of,
    outcome,
    put_call,
    put_cards,
    put_object,
    records,
    state,
    versions,
)
from tests.support.flow import Flow
from tests.support.keys import x509_tenant
from tests.support.metrics import emitted
from tests.support.network import Crash, Network
from tests.support.stack import LANDING, STACK, Stack

KEPT_90_DAYS = {
    "schema": 1,
    "classes": {"default": {"keep": None, "delete_after": "90d", "lock": "none", "basis": "quality"}},
    "rules": [],
    "default": {"class": "default", "record": "may", "consent": "none"},
}
# The call of `metadata` ended on 2026-11-23 at 08:12:58 UTC.
LAST_DAY, END = datetime(2027, 2, 21, 23, 59, tzinfo=UTC), datetime(2027, 2, 22, 0, 1, tzinfo=UTC)


def run(function: ModuleType) -> dict[str, int]:
    counts: dict[str, int] = function.lambda_handler({}, None)
    return counts


def ends(cloud: Stack, *names: str) -> list[str | None]:
    return [card_of(cloud, name).gone for name in names]


def test_a_delivered_call_goes_at_the_end_of_its_class_and_not_before(
    cloud: Stack, encrypt_recording: ModuleType, read_metadata: ModuleType, index_calls: ModuleType,
    dispose_recordings: ModuleType, clock: Clock,
) -> None:  # fmt: skip
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow = Flow(cloud, encrypt_recording, read_metadata)
    flow.policy(KEPT_90_DAYS)
    flow.land(XML, metadata())
    flow.land(WAV)
    index(cloud, index_calls.lambda_handler)
    (card,) = cards(cloud)
    assert card["dispose_on"] == "2027-02-22T00:00:00.000Z"
    stored = {file["key"]: file for file in card["files"] if file["destination"] == "archive"}

    clock.put_to(LAST_DAY)
    assert run(dispose_recordings) == {}
    assert len(versions(cloud)) == 2
    clock.put_to(END)
    assert run(dispose_recordings) == {"disposed": 1}

    assert (versions(cloud), cloud.objects(SFTP), cards(cloud)) == ([], {}, [])
    assert ends(cloud, card["name"]) == ["disposed"]
    ((key, (line,)),) = records(cloud).items()
    assert key.startswith("disposals/acme/2027-02-22/default/0001")
    salt = cloud.dynamodb.get_item(TableName=TABLE, Key={"tenant": {"S": "acme"}, "id": {"S": "salt"}})
    name = hashlib.sha256(bytes.fromhex(salt["Item"]["salt"]["S"]) + card["name"].encode()).hexdigest()
    files = [{"version": file["version"], "sha256": file["sha256"], "size": file["size"]} for file in stored.values()]
    assert sorted(line.pop("files"), key=str) == sorted(files, key=str)
    assert line.pop("deleted_at")[:16] == "2027-02-22T00:01"
    assert line == {
        "id": card["id"], "name": name, "class": "default", "policy": card["policy"]["version"],
        "ended": "2026-11-23T08:12:58.000Z", "dispose_on": "2027-02-22T00:00:00.000Z",
    }  # fmt: skip
    (event,) = cloud.audit_details("RecordingsDisposed")
    data = cloud.objects(AUDIT)[key]
    assert event["tenant"] == "acme"
    assert (event["law"]["object"], event["law"]["sha256"]) == (key, hashlib.sha256(data).hexdigest())
    assert event["law"]["counts"] == {"calls": 1, "files": 2}
    head = cloud.s3.head_object(Bucket=AUDIT, Key=key)
    assert head["ObjectLockMode"] == "GOVERNANCE"
    assert head["ObjectLockRetainUntilDate"] > END + timedelta(days=2556)
    assert state(cloud, "disposed#2027-02-22")["calls"] == "1"
    assert state(cloud, "run") == {}
    assert run(dispose_recordings) == {}


def test_all_versions_of_a_key_go_and_no_longer_key(cloud: Stack, dispose_recordings: ModuleType, clock: Clock) -> None:
    put_call(cloud, "1", ".wav", is_version_known=False)
    put_object(cloud, "acme/1.wav", b"written again")
    cloud.s3.delete_object(Bucket=ARCHIVE, Key="acme/1.wav")
    other = put_object(cloud, "acme/1.wav.p7m.bak"), put_object(cloud, "acme/1.wave")

    assert run(dispose_recordings) == {"disposed": 1}

    assert sorted(versions(cloud)) == [("acme/1.wav.p7m.bak", other[0]), ("acme/1.wave", other[1])]
    ((line,),) = records(cloud).values()
    assert sorted(file["size"] for file in line["files"]) == [4, 13]


def test_a_version_that_the_card_does_not_know_has_the_hash_of_the_only_delivery(
    cloud: Stack, dispose_recordings: ModuleType
) -> None:
    card = put_call(cloud, "1", ".wav", is_version_known=False)
    delivery = replace(card.files[0].deliveries[0], sha256="b" * 64)
    put_cards(cloud, card.with_delivery(card.files[0].place, replace(delivery, time="2025-10-01T00:00:00.000Z")))
    ((_, version),) = versions(cloud)
    run(dispose_recordings)
    ((line,),) = records(cloud).values()
    assert line["files"] == [{"version": version, "sha256": "b" * 64, "size": 4}]


def test_the_waveforms_of_a_call_go_with_it(cloud: Stack, dispose_recordings: ModuleType) -> None:
    table, kept = f"{STACK}-archive-waveforms", place_of("c" * 32, 0, ".wav1")
    card = put_call(cloud, "1", ".wav")
    for place in (place_of(card.call.id, 0, ".wav1"), kept):
        cloud.dynamodb.put_item(TableName=table, Item={"tenant": {"S": "acme"}, "place": {"S": place}})
    run(dispose_recordings)
    assert [each["place"]["S"] for each in cloud.dynamodb.scan(TableName=table)["Items"]] == [kept]


UNTIL = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": datetime(2099, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("members", "count"),
    [({"decided": outcome(LATER)}, None), ({"decided": outcome(None)}, None), ({"holds": ["case"]}, "held"),
     ({"decided": outcome(keep_until=LATER)}, "kept"), (UNTIL, "held"),
     ({"ObjectLockLegalHoldStatus": "ON"}, "held")],
    ids=["later", "never", "a hold", "must be kept", "a lock that the card does not know", "a bit alone"],
)  # fmt: skip
def test_a_call_that_must_stay_stays_wholly(
    cloud: Stack, dispose_recordings: ModuleType, members: dict[str, Any], count: str | None
) -> None:
    card = put_call(cloud, "1", **members)
    before = versions(cloud)
    put_call(cloud, "2")

    assert run(dispose_recordings) == {"disposed": 1, **({count: 1} if count else {})}

    assert versions(cloud) == before
    assert sorted(cloud.objects(SFTP)) == ["acme/1.wav", "acme/1.xml"]
    assert (card_of(cloud, "1"), ends(cloud, "2")) == (card, ["disposed"])
    ((line,),) = records(cloud).values()
    assert line["id"] == card_of(cloud, "2").call.id


def test_a_lock_that_the_card_knows_is_not_tried(
    cloud: Stack, dispose_recordings: ModuleType, network: Network
) -> None:
    card = put_call(cloud, "1", ".wav")
    delivery = Delivery("2", DUE, 4, None, "none", version="v", until="2099-01-01T00:00:00Z")
    put_cards(cloud, card.with_delivery(card.files[0].place, delivery))
    assert run(dispose_recordings) == {"locked": 1}
    assert network.asked("DeleteObjects") == []


def test_a_call_that_waits_for_its_erasure_is_left_to_it(cloud: Stack, dispose_recordings: ModuleType) -> None:
    put_cards(cloud, put_call(cloud, "1").with_erasure(pending=True))
    assert run(dispose_recordings) == {"erasing": 1}
    assert len(versions(cloud)) == 2


def test_each_class_and_each_tenant_has_a_record_of_its_own(cloud: Stack, dispose_recordings: ModuleType) -> None:
    put_call(cloud, "1")
    put_call(cloud, "2", decided=outcome(**{"class": "order books"}))
    put_call(cloud, "1", tenant="beta")
    assert run(dispose_recordings) == {"disposed": 3}
    found = {(key.split("/")[1], key.split("/")[3]): len(lines) for key, lines in records(cloud).items()}
    assert found == {("acme", "default"): 1, ("acme", "order books"): 1, ("beta", "default"): 1}
    assert len({detail["id"] for detail in cloud.audit_details("RecordingsDisposed")}) == 3


def test_calls_without_an_archive_go_too(cloud: Stack, dispose_recordings: ModuleType) -> None:
    """Their tenant is found by its settings."""
    cloud.tenant("acme", settings={})
    card = put_call(cloud, "1", ".wav")
    put_cards(cloud, replace(card, files=card.files[1:]))
    for key, version in versions(cloud):
        cloud.s3.delete_object(Bucket=ARCHIVE, Key=key, VersionId=version)
    assert run(dispose_recordings) == {"disposed": 1}
    assert cloud.objects(SFTP) == {}
    assert ends(cloud, "1") == ["disposed"]


def test_a_call_that_lands_again_meanwhile_keeps_its_new_card(
    cloud: Stack, dispose_recordings: ModuleType, network: Network
) -> None:
    card = put_call(cloud, "1", ".wav")
    new = Delivery("new", timestamp(datetime.now(UTC) + timedelta(minutes=1)), 4, None, "none", version="v2")
    network.before("PutEvents", lambda _: put_cards(cloud, card_of(cloud, "1").with_delivery(card.files[0].place, new)))
    run(dispose_recordings)
    assert card_of(cloud, "1").files[0].current == new


OPERATIONS = {
    "ListObjectsV2": None, "GetParametersByPath": None, "Query": None, "BatchGetItem": None, "UpdateItem": None,
    "GetItem": None, "DeleteObjects": None, "PutObject": None, "PutEvents": None, "TransactWriteItems": None,
}  # fmt: skip


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_a_run_that_is_killed_at_any_request_repeats_nothing(
    cloud: Stack, dispose_recordings: ModuleType, network: Network, clock: Clock, operation: str, when: str, skip: int
) -> None:
    cloud.tenant("acme", settings={})
    for name in ("1", "2"):
        put_call(cloud, name)
    put_call(cloud, "3", decided=outcome(**{"class": "other"}))
    (network.before if when == "before" else network.after)(operation, crash, skip=skip)
    try:
        run(dispose_recordings)
    except Crash:
        clock.pass_by(minutes=16)
    network.mend()

    run(dispose_recordings)

    assert versions(cloud) == []
    assert ends(cloud, "1", "2", "3") == ["disposed"] * 3
    lines = [line for lines in records(cloud).values() for line in lines]
    assert sorted(line["id"] for line in lines) == sorted(card_of(cloud, name).call.id for name in "123")
    events = {detail["id"]: detail for detail in cloud.audit_details("RecordingsDisposed")}
    assert {event["law"]["object"] for event in events.values()} == set(records(cloud))
    assert sum(event["law"]["counts"]["calls"] for event in events.values()) == 3
    day = next(iter(records(cloud))).split("/")[2]
    assert state(cloud, f"disposed#{day}")["calls"] == "3"
    assert state(cloud, "run") == {}


def crash(_: Any) -> None:
    raise Crash


@pytest.mark.parametrize("operation", [*OPERATIONS])
def test_a_request_that_fails_is_repeated_by_the_next_run(
    cloud: Stack, dispose_recordings: ModuleType, network: Network, operation: str
) -> None:
    cloud.tenant("acme", settings={})
    for name in ("1", "2"):
        put_call(cloud, name)
    network.fail(operation, 500, "InternalError")
    try:
        run(dispose_recordings)
    except Exception as exc:
        assert type(exc).__name__ in ("DisposalIncompleteError", "TransientError")
    network.mend()
    run(dispose_recordings)
    lines = [line["id"] for lines in records(cloud).values() for line in lines]
    assert sorted(lines) == sorted(card_of(cloud, name).call.id for name in "12")
    assert (versions(cloud), ends(cloud, "1", "2")) == ([], ["disposed"] * 2)
    assert state(cloud, "run") == {}


def test_two_runs_do_not_work_on_one_tenant(
    cloud: Stack, dispose_recordings: ModuleType, network: Network, clock: Clock
) -> None:
    put_call(cloud, "1")
    put_call(cloud, "1", tenant="beta")
    seen = list[dict[str, int]]()
    network.before("DeleteObjects", lambda _: seen.append(run(dispose_recordings)))
    run(dispose_recordings)
    assert seen[0]["busy"] == 1
    assert [len(lines) for lines in records(cloud).values()] == [1, 1]


def test_a_run_without_time_left_is_continued_by_the_next_run(
    cloud: Stack, dispose_recordings: ModuleType, clock: Clock, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.retention.due_calls.BATCH", 2)
    for name in "12345":
        put_call(cloud, name, decided=outcome(f"2026-01-0{name}T00:00:00.000Z"), holds=["case"] if name < "3" else ())
    network.after("BatchGetItem", lambda _: clock.pass_by(minutes=9), skip=3)
    first = run(dispose_recordings)
    assert first["cut_short"] == 1
    counts = run(dispose_recordings)
    assert "cut_short" not in counts
    assert ends(cloud, *"12345") == [None, None, *["disposed"] * 3]
    assert first.get("held", 0) + counts.get("held", 0) == 2, "the second run begins where the first one ended"
    assert run(dispose_recordings) == {"held": 2}


def test_part_of_a_call_that_s3_does_not_delete_fails_the_run(
    cloud: Stack, dispose_recordings: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    put_call(cloud, "1")
    cloud.s3.put_object_legal_hold(Bucket=ARCHIVE, Key="acme/1.xml", LegalHold={"Status": "ON"})
    with pytest.raises(DisposalIncompleteError):
        run(dispose_recordings)
    assert [key for key, _ in versions(cloud)] == ["acme/1.xml"]
    assert (ends(cloud, "1"), records(cloud)) == ([None], {})
    assert "call deleted in part" in caplog.messages

    cloud.s3.put_object_legal_hold(Bucket=ARCHIVE, Key="acme/1.xml", LegalHold={"Status": "OFF"})
    assert run(dispose_recordings) == {"disposed": 1}
    ((line,),) = records(cloud).values()
    assert len(line["files"]) == 2


def test_metrics(cloud: Stack, dispose_recordings: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    put_call(cloud, "1")
    for count in (1.0, 0.0):
        run(dispose_recordings)
        (metrics,) = emitted(capsys)
        assert (metrics["CallsDisposed"], metrics["DisposalsStopped"]) == ([count], [0.0])


def test_no_name_is_in_a_record(cloud: Stack, dispose_recordings: ModuleType) -> None:
    put_call(cloud, "2026/+4790000001")
    run(dispose_recordings)
    assert "4790000001" not in json.dumps(records(cloud)) + json.dumps(cloud.audit())


@pytest.mark.parametrize("endings", [(".xml",), ()], ids=["metadata was delivered", "nothing was delivered"])
def test_a_call_whose_recording_is_held_in_landing_is_not_disposed_of(
    cloud: Stack, dispose_recordings: ModuleType, endings: tuple[str, ...]
) -> None:
    cloud.tenant("acme", settings=BOTH)
    put_call(cloud, "0")
    if endings:
        put_call(cloud, "1", *endings)
    else:
        card = replace(put_call(cloud, "1", ".wav"), files=())
        put_cards(cloud, card)
        for key, version in versions(cloud)[2:]:
            cloud.s3.delete_object(Bucket=ARCHIVE, Key=key, VersionId=version)
        cloud.s3.delete_object(Bucket=SFTP, Key="acme/1.wav")
    before = len(versions(cloud))
    for key in ("acme/1.wav", "acme/1.b.wav"):
        cloud.land(key, b"said")

    assert run(dispose_recordings) == {"disposed": 1, "undelivered": 1}
    assert run(dispose_recordings) == {"undelivered": 1}
    assert (ends(cloud, "0", "1"), len(versions(cloud))) == (["disposed", None], before - 2)

    cloud.s3.delete_object(Bucket=LANDING, Key="acme/1.wav")
    assert run(dispose_recordings) == {"disposed": 1}
    assert list(cloud.objects(LANDING)) == ["acme/1.b.wav"]
