"""Erasure on request: what is deleted where, what stays and why, and what is reported."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pytest

from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.classes import parse_duration
from callseal.core.audit import timestamp
from callseal.retention.erasure import ErasureRefusedError, NothingFoundError, SecondPersonNeededError
from callseal.retention.hold import PLACING, Hold
from callseal.retention.hold_table import HoldTable
from callseal.retention.scope import Scope
from tests.functions.test_call_policy import BOTH, WAV, XML, metadata
from tests.support import calls
from tests.support.clock import Clock
from tests.support.erasures import BASIS, KARI, RETENTION, Desk
from tests.support.flow import Flow
from tests.support.keys import openpgp_tenant, x509_tenant
from tests.support.metrics import emitted
from tests.support.network import Crash, Network, Request
from tests.support.stack import ARCHIVE, AUDIT, LANDING, SFTP, STACK, Stack, failures, sqs_event

CALL = CallName("acme", "2026/4711_1")
NUMBER = "+4790000001"
OTHER = "acme/2026/4711_1b.wav"


@pytest.fixture
def desk(cloud: Stack, erase_recordings: ModuleType, clock: Clock) -> Desk:
    return Desk(cloud, erase_recordings, clock)


@pytest.fixture(params=["plain", "blind"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def flow(cloud: Stack, encrypt_recording: ModuleType, read_metadata: ModuleType) -> Flow:
    cloud.tenant("acme", x509_tenant().public_text, BOTH | {"call_index": "blind"})
    return Flow(cloud, encrypt_recording, read_metadata)


@pytest.fixture
def deliver(flow: Flow, index_calls: ModuleType) -> Any:
    """Return a function that delivers a call to both buckets, and indexes it."""

    def deliver(name: str = WAV.removesuffix(".wav"), number: str = NUMBER) -> None:
        flow.land(f"{name}.xml", metadata().replace(NUMBER.encode(), number.encode()))
        flow.land(f"{name}.wav", b"what was said")
        calls.index(flow.cloud, index_calls.lambda_handler)

    return deliver


def versions(cloud: Stack) -> list[Any]:
    found = cloud.s3.list_object_versions(Bucket=ARCHIVE)
    return [*found.get("Versions", []), *found.get("DeleteMarkers", [])]


def card(cloud: Stack, clock: Clock) -> Card:
    found = calls.table(cloud, clock).get(CALL)
    assert found
    return found


def laws(cloud: Stack, kind: str) -> list[dict[str, Any]]:
    return [detail["law"] for detail in cloud.audit_details(kind)]


def test_start_deletes_nothing_and_shows_what_would_be_done(cloud: Stack, desk: Desk, deliver: Any) -> None:
    deliver()
    before = cloud.objects(SFTP), versions(cloud)

    started = desk.start()

    assert (cloud.objects(SFTP), versions(cloud)) == before
    assert (started["state"], started["counts"]) == ("requested", {"pending": 4})
    assert {(file["place"], file["state"]) for file in started["files"]} == {
        ("archive", "pending"),
        ("sftp", "pending"),
    }
    assert started["files"][0] == {"call": CALL.id, "place": "archive", "state": "pending", "until": None}
    assert started["coverage_from"] == "2026-11-23T08:12:44.000Z"
    assert started["due"] == timestamp(parse_duration("1m").after(datetime.fromisoformat(started["created"])))
    (law,) = laws(cloud, "ErasureRequested")
    assert (law["request"], law["counts"], law["state"]) == (started["request"], {"pending": 4}, "requested")
    desk.run()
    assert (cloud.objects(SFTP), versions(cloud)) == before


def test_the_same_again_gives_the_open_request(desk: Desk, deliver: Any) -> None:
    deliver()
    first = desk.start()
    desk.clock.pass_by(days=3)
    assert desk.start() == first
    assert desk.start(call=CALL.id)["request"] != first["request"]


def test_what_is_not_found_is_not_kept(cloud: Stack, desk: Desk, deliver: Any) -> None:
    deliver()
    for subject in ({"caller": "+4790000009"}, {"call": "0" * 32}, {"call": "4712"}):
        with pytest.raises(NothingFoundError):
            desk.start(**subject)
    assert list(desk.table.requests()) == []


@pytest.mark.parametrize("basis", ["", " ", "x" * 501, "asked by +47 900 00 001", "asked by +4790000001"])
def test_a_basis_that_cannot_be_kept_is_refused(desk: Desk, deliver: Any, basis: str) -> None:
    deliver()
    with pytest.raises(ErasureRefusedError):
        desk.requests.start("acme", KARI, basis.replace(" 900 00 ", "90000"), caller=NUMBER)


def test_the_person_who_started_cannot_approve(desk: Desk, deliver: Any) -> None:
    deliver()
    request = desk.start()["request"]
    with pytest.raises(SecondPersonNeededError):
        desk.requests.approve("acme", request, KARI)
    assert desk.status(request)["state"] == "requested"


def test_a_call_waits_hidden_from_its_approval_on(cloud: Stack, desk: Desk, deliver: Any, clock: Clock) -> None:
    deliver()
    assert desk.approve(desk.start()["request"])["state"] == "running"
    assert card(cloud, clock).erasure_pending


def test_every_place_is_erased(cloud: Stack, desk: Desk, deliver: Any, clock: Clock) -> None:
    deliver()
    deliver(OTHER.removesuffix(".wav"), "+4790000002")
    kept = {key for key in cloud.objects(SFTP) if "4711_1b" in key}
    assert len(kept) == 2

    done = desk.erase()

    assert (
        set(cloud.objects(SFTP)) - {key for key in cloud.objects(SFTP) if "/notices/" in key or "/proof/" in key}
        == kept
    )
    assert {each["Key"] for each in versions(cloud)} == {OTHER, OTHER.replace(".wav", ".xml")}
    assert (done["state"], done["counts"]) == ("done", {"erased": 4})
    ended = card(cloud, clock)
    assert (ended.gone, ended.known, ended.files, ended.erasure_pending) == ("erased", None, (), False)
    assert len(cloud.audit_details("RecordingErased")) == 4
    (law,) = laws(cloud, "ErasureCompleted")
    assert (law["request"], law["counts"], law["state"]) == (done["request"], {"erased": 4}, "done")
    with pytest.raises(NothingFoundError):
        desk.start()


def test_the_ledger_is_written_before_the_first_delete(desk: Desk, deliver: Any, network: Network) -> None:
    deliver()
    request = desk.start()["request"]
    desk.approve(request)
    for key in list(desk.cloud.dynamodb.scan(TableName=RETENTION)["Items"]):
        if key["id"]["S"].startswith(f"erasure#{request}#"):
            desk.cloud.dynamodb.delete_item(TableName=RETENTION, Key={name: key[name] for name in ("tenant", "id")})
    seen = []
    network.before("DeleteObject", lambda _: seen.append(desk.status(request)["counts"]), times=None)
    desk.run()
    assert seen[0] == {"pending": 4}


@pytest.mark.parametrize(
    "operation", ["DeleteObject", "PutEvents", "TransactWriteItems", "PutItem", "PutObject", "Sign", "DeleteItem"]
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_crashes_is_continued_by_the_next(
    cloud: Stack, desk: Desk, deliver: Any, network: Network, operation: str, when: str
) -> None:
    deliver()
    register(cloud)
    request = desk.start()["request"]
    desk.approve(request)
    network.crash(when, operation)
    try:
        desk.run()
    except BaseException as exc:  # what the crash leads to is not the test's matter
        assert isinstance(exc, Exception | Crash)
    network.mend()

    desk.run()

    assert desk.status(request)["state"] == "done"
    assert versions(cloud) == []
    assert len({detail["id"] for detail in cloud.audit_details("RecordingErased")}) == 4
    assert desk.status(request)["counts"] == {"erased": 4}
    assert registered(cloud) == set()


def test_a_run_that_crashes_after_its_certificate_writes_the_same_one_again(
    cloud: Stack, desk: Desk, deliver: Any, network: Network, clock: Clock
) -> None:
    deliver()
    request = desk.start()["request"]
    desk.approve(request)

    def end(_: Request) -> None:
        raise Crash

    network.after("PutObject", end, bucket=AUDIT, skip=1)
    with pytest.raises(Crash):
        desk.run()
    (written,) = certificates(cloud, request)
    network.mend()
    clock.pass_by(hours=1)

    desk.run()

    assert certificates(cloud, request) == [written]
    assert (desk.status(request)["state"], desk.status(request)["certificates"]) == ("done", 1)
    (law,) = laws(cloud, "ErasureCompleted")
    assert law["sha256"] == sha256(written).hexdigest()


def register(cloud: Stack) -> None:
    """Put rows of the files in the SFTP area into the register, as track_files does."""
    for key in cloud.objects(SFTP):
        row = {"tenant": {"S": "acme"}, "key": {"S": key}}
        cloud.dynamodb.put_item(TableName=f"{STACK}-files", Item=row)


def registered(cloud: Stack) -> set[str]:
    return {item["key"]["S"] for item in cloud.dynamodb.scan(TableName=f"{STACK}-files")["Items"]}


def test_what_was_deleted_before_a_listing_failed_is_erased(
    cloud: Stack, desk: Desk, deliver: Any, network: Network
) -> None:
    deliver()
    register(cloud)
    request = desk.start()["request"]
    desk.approve(request)
    refuse = partial(network.fail, "ListObjectVersions", 503, "SlowDown", times=None)
    network.before("DeleteObject", lambda _: refuse())
    desk.run()
    assert (versions(cloud), desk.status(request)["counts"]) == ([], {"pending": 4})
    network.mend()

    desk.run()

    assert (desk.status(request)["state"], desk.status(request)["counts"]) == ("done", {"erased": 4})
    assert registered(cloud) == set()


def test_what_cannot_be_deleted_is_failed_and_tried_again(
    cloud: Stack, desk: Desk, deliver: Any, network: Network
) -> None:
    deliver()
    request = desk.start()["request"]
    desk.approve(request)
    network.fail("DeleteObject", 403, "AccessDenied", times=None)
    desk.run()
    assert (desk.status(request)["state"], desk.status(request)["counts"]) == ("running", {"failed": 4})
    network.mend()
    desk.run()
    assert (desk.status(request)["state"], desk.status(request)["counts"]) == ("done", {"erased": 4})


def lock(cloud: Stack, mode: str, days: int, clock: Clock) -> None:
    for each in versions(cloud):
        cloud.s3.put_object_retention(
            Bucket=ARCHIVE, Key=each["Key"], VersionId=each["VersionId"],
            Retention={"Mode": mode, "RetainUntilDate": clock() + timedelta(days=days)},
        )  # fmt: skip


def test_a_lock_of_governance_is_passed(cloud: Stack, desk: Desk, deliver: Any, clock: Clock) -> None:
    deliver()
    lock(cloud, "GOVERNANCE", 100, clock)
    assert desk.erase()["state"] == "done"
    assert versions(cloud) == []


def test_a_duty_to_keep_refuses_until_it_ends(cloud: Stack, desk: Desk, deliver: Any, clock: Clock) -> None:
    deliver()
    lock(cloud, "COMPLIANCE", 30, clock)

    refused = desk.erase()

    until = timestamp(clock().replace(microsecond=0) + timedelta(days=30))
    assert (refused["state"], refused["counts"]) == ("partly", {"erased": 2, "retained": 2})
    assert {file["until"][:10] for file in refused["files"] if file["state"] == "retained"} == {until[:10]}
    assert [key for key in cloud.objects(SFTP) if key.endswith(".p7m") and "/notices/" not in key] == []
    assert card(cloud, clock).erasure_pending
    (law,) = laws(cloud, "ErasureRefused")
    assert (law["state"], law["counts"], law["until"][:10]) == ("retained", refused["counts"], until[:10])

    desk.run()
    assert len(laws(cloud, "ErasureRefused")) == len({each["id"] for each in cloud.audit_details("ErasureRefused")}) + 1
    for each in versions(cloud):  # as if the time of S3 had passed
        head = cloud.s3.head_object(Bucket=ARCHIVE, Key=each["Key"], VersionId=each["VersionId"])
        assert head["ObjectLockMode"] == "COMPLIANCE"


def test_a_hold_refuses_until_it_is_released(cloud: Stack, desk: Desk, deliver: Any, clock: Clock) -> None:
    deliver()
    calls.table(cloud, clock).apply({CALL: [lambda card: card.with_holds(["case-7"])]})

    assert desk.start()["counts"] == {"held": 2, "pending": 2}
    held = desk.erase()

    assert (held["state"], held["counts"]) == ("partly", {"erased": 2, "held": 2})
    assert len(versions(cloud)) == 2
    assert [law["state"] for law in laws(cloud, "ErasureRefused")] == ["held"]
    calls.table(cloud, clock).apply({CALL: [lambda card: card.with_holds([])]})
    desk.run()
    assert (desk.status(held["request"])["state"], versions(cloud)) == ("done", [])


def test_a_hold_that_is_being_placed_protects_its_scope(
    cloud: Stack, desk: Desk, deliver: Any, clock: Clock, flow: Flow
) -> None:
    """The scope of the hold has a hash, and the card has the number."""
    cloud.tenant("acme", x509_tenant().public_text, BOTH | {"call_index": "plain"})
    deliver()
    number = calls.blind_index(cloud, clock).hashed("acme", "number", NUMBER)
    hold = Hold("acme", "case-7", "Claim 7", Scope(party=number, is_blind=True), PLACING, KARI, timestamp(clock()))
    request = desk.start()["request"]
    desk.approve(request)
    HoldTable(cloud.dynamodb, RETENTION).create(hold)
    desk.run()
    assert desk.status(request)["counts"] == {"erased": 2, "held": 2}
    assert len(versions(cloud)) == 2


def test_a_legal_hold_that_no_table_knows_is_found(cloud: Stack, desk: Desk, deliver: Any) -> None:
    deliver()
    for each in versions(cloud):
        cloud.s3.put_object_legal_hold(
            Bucket=ARCHIVE, Key=each["Key"], VersionId=each["VersionId"], LegalHold={"Status": "ON"}
        )
    assert desk.erase()["counts"] == {"erased": 2, "held": 2}


def test_a_landed_file_of_the_call_is_erased_too(cloud: Stack, desk: Desk, deliver: Any) -> None:
    deliver()
    cloud.land("acme/2026/4711_1.mp3", b"held")
    cloud.land("acme/2026/4711_1b.mp3", b"of another call")
    assert desk.start()["counts"] == {"pending": 5}
    assert desk.erase()["counts"] == {"erased": 5}
    assert set(cloud.objects(LANDING)) == {"acme/2026/4711_1b.mp3"}


def test_a_landed_file_that_is_never_delivered_is_erased_too(cloud: Stack, desk: Desk, deliver: Any) -> None:
    """Such as one with another extension, which is held as UnsupportedFile."""
    deliver()
    others = {"acme/2026/4711_1b.flac", "acme/2026/4711_1.2.txt", "acme/2026/4711_1.2.wav", "acme/2026/4711_1.x/1.txt"}
    for key in ("acme/2026/4711_1.flac", "acme/2026/4711_1.wav.gz", "acme/2026/4711_1.WAV.part", *others):
        cloud.land(key, b"of no kind")
    assert desk.erase()["counts"] == {"erased": 7}
    assert set(cloud.objects(LANDING)) == others


@pytest.mark.parametrize("key", [WAV, XML])
@pytest.mark.parametrize("done", [True, False], ids=["erased", "waiting"])
def test_a_file_that_lands_again_is_held(
    cloud: Stack, desk: Desk, deliver: Any, flow: Flow, key: str, done: bool
) -> None:
    deliver()
    request = desk.start()["request"]
    desk.approve(request)
    if done:
        desk.run()

    flow.land(key, metadata())

    assert cloud.tags(key)["callseal-reason"] == "Erased"
    if done:
        desk.run()
        assert key in cloud.objects(LANDING)
        assert not [each for each in cloud.objects(SFTP) if each.startswith(key)]


def test_a_tenant_without_an_index_makes_no_request_more(
    cloud: Stack, encrypt_recording: ModuleType, read_metadata: ModuleType, network: Network
) -> None:
    cloud.tenant("acme", x509_tenant().public_text, {})
    Flow(cloud, encrypt_recording, read_metadata).land(WAV)
    assert network.asked("GetItem") == []


def test_what_a_slow_worker_delivers_after_the_end_is_erased(cloud: Stack, desk: Desk, deliver: Any) -> None:
    deliver()
    request = desk.erase()["request"]
    cloud.s3.put_object(Bucket=ARCHIVE, Key=WAV, Body=b"late", IfNoneMatch="*")
    desk.run()
    assert versions(cloud) == []
    assert desk.status(request)["counts"] == {"erased": 5}


def test_waveforms_shares_and_register_rows_go(cloud: Stack, desk: Desk, deliver: Any, track_files: ModuleType) -> None:
    deliver()
    events = [event for event in cloud.audit() if event["detail-type"] == "RecordingDelivered"]
    assert failures(track_files.lambda_handler(sqs_event(*events), None)) == []
    put = cloud.dynamodb.put_item
    for call in (CALL.id, "0" * 32):
        place = {"tenant": {"S": "acme"}, "place": {"S": f"{call}#0#etag"}}
        put(TableName=f"{STACK}-archive-waveforms", Item=place)
        share = {"id": {"S": call}, "tenant": {"S": "acme"}, "created": {"S": "2026"}, "call": {"S": call}}
        put(TableName=f"{STACK}-archive-shares", Item=share)

    desk.erase()

    def items(name: str) -> list[Any]:
        return list(cloud.dynamodb.scan(TableName=f"{STACK}-{name}")["Items"])

    assert [each["place"]["S"] for each in items("archive-waveforms")] == [f"{'0' * 32}#0#etag"]
    assert [each["id"]["S"] for each in items("archive-shares") if "cancelled" in each] == [CALL.id]
    assert items("files") == []


@pytest.mark.parametrize("has_ended", [False, True], ids=["expired", "expired, and the call was disposed of"])
def test_the_register_rows_of_copies_that_had_expired_go(
    cloud: Stack, desk: Desk, deliver: Any, track_files: ModuleType, has_ended: bool
) -> None:
    deliver()
    deliver(OTHER.removesuffix(".wav"), "+4790000002")
    events = [event for event in cloud.audit() if event["detail-type"] == "RecordingDelivered"]
    assert failures(track_files.lambda_handler(sqs_event(*events), None)) == []
    for key in cloud.objects(SFTP):
        cloud.s3.delete_object(Bucket=SFTP, Key=key)
    request = desk.start()["request"]
    if has_ended:
        for each in versions(cloud):
            cloud.s3.delete_object(Bucket=ARCHIVE, Key=each["Key"], VersionId=each["VersionId"])
        now = timestamp(desk.clock())
        assert calls.table(cloud, desk.clock).apply({CALL: [lambda card: card.ended_by("disposed", now)]}) == {}

    desk.approve(request)
    desk.run()

    rows = {each["key"]["S"] for each in cloud.dynamodb.scan(TableName=f"{STACK}-files")["Items"]}
    assert {key.partition(".")[0] for key in rows} == {OTHER.removesuffix(".wav")}


def fetch(cloud: Stack, desk: Desk) -> None:
    """Note on the card that the recording was fetched."""
    key = f"{WAV}.p7m"
    moment = timestamp(desk.clock())
    table = calls.table(cloud, desk.clock)
    assert table.apply({CALL: [lambda card: card.with_fetch(("sftp", SFTP, key), moment)]}) == {}


def notice(cloud: Stack, request: str) -> dict[str, Any]:
    sealed = cloud.objects(SFTP)[f"acme/notices/erasure-{request}.json.p7m"]
    opened: dict[str, Any] = json.loads(x509_tenant().open(sealed))
    return opened


def test_the_recipient_is_given_a_sealed_notice_and_answers(cloud: Stack, desk: Desk, deliver: Any) -> None:
    deliver()
    fetch(cloud, desk)

    done = desk.erase()

    assert (done["state"], done["counts"]) == ("done", {"at_recipient": 1, "erased": 3})
    found = notice(cloud, done["request"])
    assert (found["request"], found["tenant"]) == (done["request"], "acme")
    assert [(file["name"], file["fetched"]) for file in found["files"]] == [
        ("2026/4711_1.wav.p7m", True), ("2026/4711_1.xml.p7m", None),
    ]  # fmt: skip
    delivered = {
        output["key"]: output for detail in cloud.audit_details("RecordingDelivered") for output in detail["outputs"]
    }
    for file in found["files"]:
        output = delivered[f"acme/{file['name']}"]
        assert (file["sha256"], file["size"]) == (output["sha256"], output["size"])

    answer(cloud, desk, done["request"])
    answer(cloud, desk, done["request"])

    assert [law["request"] for law in laws(cloud, "RecipientNotified")] == [done["request"]]
    assert desk.status(done["request"])["counts"] == {"erased": 4}
    assert desk.status(done["request"])["certificates"] == done["certificates"] + 1
    assert not [key for key in cloud.objects(SFTP) if key.endswith(".done")]


def answer(cloud: Stack, desk: Desk, request: str, tenant: str = "acme") -> None:
    key = f"{tenant}/notices/erasure-{request}.done"
    cloud.s3.put_object(Bucket=SFTP, Key=key, Body=b"")
    record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": SFTP}, "object": {"key": key}}}
    assert desk.run(sqs_event({"Records": [record]})) == {"batchItemFailures": []}


def test_an_answer_to_no_notice_is_only_removed(cloud: Stack, desk: Desk, deliver: Any) -> None:
    deliver()
    request = desk.start()["request"]
    for name, tenant in ((request, "acme"), ("0" * 16, "acme"), (request, "beta"), ("x/y", "acme")):
        answer(cloud, desk, name, tenant)
    assert laws(cloud, "RecipientNotified") == []
    assert not [key for key in cloud.objects(SFTP) if key.endswith(".done")]


def test_without_a_usable_key_the_notice_waits_and_so_does_the_end(
    cloud: Stack, desk: Desk, deliver: Any, clock: Clock
) -> None:
    deliver()
    cloud.put_key("acme", "no key")
    waiting = desk.erase()
    assert (waiting["state"], waiting["noticed"]) == ("running", None)
    assert card(cloud, clock).erasure_pending
    cloud.put_key("acme", x509_tenant().public_text)
    desk.run()
    assert desk.status(waiting["request"])["state"] == "done"
    assert len(notice(cloud, waiting["request"])["files"]) == 2


def certificates(cloud: Stack, request: str) -> list[bytes]:
    """Return a request's certificates, each after openssl has verified its signature with the tenant's key file."""
    found, stored = [], cloud.objects(AUDIT)
    for name in sorted(key for key in stored if request in key and key.endswith(".json")):
        found.append(stored[name])
        key = json.loads(stored[name])["key"]
        assert verified(stored[name], stored[f"{name}.sig"], cloud.objects(SFTP)[f"acme/proof/keys/{key}.pem"])
        assert not verified(
            stored[name] + b" ", stored[f"{name}.sig"], cloud.objects(SFTP)[f"acme/proof/keys/{key}.pem"]
        )
    return found


def verified(data: bytes, signature: bytes, pem: bytes) -> bool:
    with TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in ("data", "sig", "pem")}
        for name, content in (("data", data), ("sig", signature), ("pem", pem)):
            paths[name].write_bytes(content)
        command = ["openssl", "dgst", "-sha256", "-verify", paths["pem"], "-signature", paths["sig"], paths["data"]]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_each_change_of_a_state_has_a_certificate_in_a_chain(
    cloud: Stack, desk: Desk, deliver: Any, clock: Clock
) -> None:
    deliver()
    calls.table(cloud, clock).apply({CALL: [lambda card: card.with_holds(["case-7"])]})
    request = desk.erase()["request"]
    desk.run()
    (first,) = certificates(cloud, request)
    calls.table(cloud, clock).apply({CALL: [lambda card: card.with_holds([])]})
    desk.run()
    desk.run()

    one, two = certificates(cloud, request)

    assert one == first
    documents = [json.loads(each) for each in (one, two)]
    assert [each["previous"] for each in documents] == [None, sha256(one).hexdigest()]
    assert [each["certificate"] for each in documents] == [1, 2]
    assert {each["request"] for each in documents} == {request}
    assert sorted(file["state"] for file in documents[0]["files"]) == ["erased", "erased", "held", "held"]
    assert {file["state"] for file in documents[1]["files"]} == {"erased"}
    assert set(documents[0]) == {"certificate", "request", "tenant", "time", "basis", "files", "previous", "key"}
    assert {*documents[0]["files"][0]} == {"call", "place", "version", "sha256", "state", "until"}
    assert b"4711_1" not in one + two
    assert documents[1]["basis"] == BASIS
    outputs = [output for detail in cloud.audit_details("RecordingDelivered") for output in detail["outputs"]]
    assert {file["sha256"] for file in documents[1]["files"]} == {output["sha256"] for output in outputs}
    (law,) = laws(cloud, "ErasureCompleted")
    assert law["sha256"] == sha256(two).hexdigest()
    assert cloud.objects(AUDIT)[law["object"]] == two


def test_a_notice_is_sealed_to_the_key_that_the_rotation_selects(
    cloud: Stack, desk: Desk, deliver: Any, network: Network
) -> None:
    deliver()
    cloud.tenant("acme", settings=BOTH | {"call_index": "blind", "rotation_overlap_days": 7})
    done = desk.erase()
    assert [request for request in network.asked("Query") if b"key-register" in request.body]
    assert len(notice(cloud, done["request"])["files"]) == 2


def test_a_notice_to_an_openpgp_tenant_opens_with_gpg(cloud: Stack, desk: Desk, deliver: Any) -> None:
    cloud.put_key("acme", openpgp_tenant().public_text)
    deliver()
    request = desk.erase()["request"]
    sealed = cloud.objects(SFTP)[f"acme/notices/erasure-{request}.json.pgp"]
    found = json.loads(openpgp_tenant().open(sealed))
    assert [file["name"] for file in found["files"]] == ["2026/4711_1.wav.pgp", "2026/4711_1.xml.pgp"]
    assert NUMBER[1:] not in json.dumps(found)


def test_a_message_has_a_request_carried_out_at_once(cloud: Stack, desk: Desk, deliver: Any) -> None:
    deliver()
    request = desk.start()["request"]
    desk.approve(request)
    for body in ({"tenant": "beta"}, {"tenant": "acme", "request": "0" * 16}, {"tenant": "acme", "request": request}):
        assert desk.run(sqs_event(body)) == {"batchItemFailures": []}
    assert desk.status(request)["state"] == "done"


def test_a_released_holds_message_takes_up_what_was_left(cloud: Stack, desk: Desk, deliver: Any) -> None:
    deliver()
    request = desk.start()["request"]
    desk.approve(request)
    assert desk.run(sqs_event({"tenant": "acme"})) == {"batchItemFailures": []}
    assert desk.status(request)["state"] == "done"


@pytest.mark.parametrize("body", ["{", "[]", '{"tenant": 1}', '{"tenant": "acme", "request": 1}'])
def test_a_message_of_another_form_fails_alone(desk: Desk, body: str) -> None:
    assert failures(desk.run(sqs_event(body))) == ["m0"]


def test_late_requests_are_named_and_counted(
    desk: Desk, deliver: Any, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver()
    request = desk.start()["request"]
    seen = []
    for days in (20, 1, 6, 1):
        clock.pass_by(days=days)
        capsys.readouterr()
        answer = desk.run()
        (metrics,) = emitted(capsys)
        seen.append((answer, metrics["ErasuresLate"], metrics["ErasuresOverdue"]))
    late = {"late": [request]}
    assert seen == [({}, [0.0], [0.0]), (late, [1.0], [0.0]), (late, [1.0], [0.0]), (late, [1.0], [1.0])]
    desk.approve(request)
    desk.run()
    assert desk.run() == {}


def test_what_a_hold_protects_is_late_but_raises_no_alarm(
    cloud: Stack, desk: Desk, deliver: Any, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver()
    calls.table(cloud, clock).apply({CALL: [lambda card: card.with_holds(["case-7"])]})
    request = desk.erase()["request"]
    clock.pass_by(days=29)
    capsys.readouterr()
    assert desk.run() == {"late": [request]}
    (metrics,) = emitted(capsys)
    assert (metrics["ErasuresLate"], metrics["ErasuresOverdue"]) == ([0.0], [0.0])


def test_a_replay_erases_what_a_restore_brought_back(cloud: Stack, desk: Desk, deliver: Any, clock: Clock) -> None:
    deliver()
    cards = list(cloud.dynamodb.scan(TableName=calls.TABLE)["Items"])
    request = desk.erase()["request"]
    clock.pass_by(days=2)
    desk.run()
    for item in cards:
        cloud.dynamodb.put_item(TableName=calls.TABLE, Item=item)
    cloud.s3.put_object(Bucket=ARCHIVE, Key=WAV, Body=b"restored", IfNoneMatch="*")
    desk.run()
    assert len(versions(cloud)) == 1

    desk.run({"replay": True})

    assert (versions(cloud), card(cloud, clock).gone) == ([], "erased")
    assert desk.status(request)["state"] == "done"


def test_anonymised_calls_leave_a_row_without_a_person(cloud: Stack, desk: Desk, deliver: Any) -> None:
    deliver()
    desk.erase(anonymise=True)
    desk.run()
    (row,) = desk.table.anonymised("acme")
    assert row == {"day": "2026-11-23", "queue": None, "direction": None, "seconds": 14, "class": None}


def everything(cloud: Stack, logs: str) -> Iterator[tuple[str, bytes]]:
    """Yield all that the stack has kept: tables, buckets with all versions, audit events, and the functions' logs."""
    for table in cloud.dynamodb.list_tables()["TableNames"]:
        yield table, json.dumps(cloud.dynamodb.scan(TableName=table)["Items"]).encode()
    for bucket in (LANDING, SFTP, ARCHIVE, AUDIT):
        for each in cloud.s3.list_object_versions(Bucket=bucket).get("Versions", []):
            found = cloud.s3.get_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
            yield f"{bucket}/{each['Key']}", found["Body"].read() + json.dumps(found["Metadata"]).encode()
    yield "audit", json.dumps(cloud.audit()).encode()
    yield "logs", logs.encode()


@pytest.mark.parametrize("mode", ["plain", "blind"])
def test_neither_number_nor_recording_is_left_anywhere(
    cloud: Stack, desk: Desk, flow: Flow, deliver: Any, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH | {"call_index": mode})
    deliver()
    before = dict(everything(cloud, ""))
    assert [name for name, data in before.items() if b"what was said" in data], "the search finds a recording"
    assert mode == "blind" or [name for name, data in before.items() if b"4790000001" in data]

    assert desk.erase()["state"] == "done"

    for name, data in everything(cloud, capsys.readouterr().out):
        assert b"4790000001" not in data, name
        assert b"90000001" not in data, name
        assert b"what was said" not in data, name
