"""Exactly once: after repeats, crashes, reordering and concurrency, the first commit is the only one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from threading import Barrier
from types import ModuleType
from typing import Any

import pytest

from tests.support import functions
from tests.support.clock import Clock
from tests.support.families import FAMILIES
from tests.support.keys import OpenPgpTenant, X509Tenant
from tests.support.network import Crash, Network, Request
from tests.support.recordings import MIB, land_large, recording
from tests.support.stack import ARCHIVE, LANDING, SFTP, Stack, failures, sqs_event

KEY = "acme/4711_1.wav"
BOTH = {"deliver_to_archive": True, "archive_formats": ["wav"]}
MIXED = {**BOTH, "only_encrypt_sftp": True}
WRITES = ["PutObject", "CopyObject", "DeleteObject"]
PLAIN = {**BOTH, "encrypt": False}
DATA = b"RIFF what was said"
STRANGER = b"of somebody else"
# Every request that changes state while a small file goes to both buckets, in order.
STEPS = [
    ("GetObject", LANDING),
    ("PutObject", ARCHIVE),
    ("CopyObject", SFTP),
    ("PutEvents", None),
    ("DeleteObject", LANDING),
]


def tenant(family: str = "x509", name: str = "tenant") -> X509Tenant | OpenPgpTenant:
    return FAMILIES[family].make(name)


def handle(module: ModuleType, *notifications: dict[str, Any]) -> None:
    """Pass messages to a function. It must acknowledge each."""
    assert failures(module.lambda_handler(sqs_event(*notifications), None)) == []


def handle_again(*notifications: dict[str, Any]) -> None:
    """Pass messages to a new execution environment."""
    handle(functions.load("encrypt_recording"), *notifications)


def stored(cloud: Stack) -> dict[str, dict[str, bytes]]:
    return {bucket: cloud.objects(bucket) for bucket in (ARCHIVE, SFTP)}


def delivered_once(cloud: Stack) -> dict[str, Any]:
    """Check that all delivered events are equal and match the outputs. Return the first event's detail."""
    first, *others = cloud.audit_details("RecordingDelivered")
    for other in others:
        assert {**other, "time": first["time"]} == first
    for output in first["outputs"]:
        data = cloud.objects(output["bucket"])[output["key"]]
        metadata = cloud.metadata(output["bucket"], output["key"])
        assert output["size"] == len(data)
        assert output["sealed"] == metadata["callseal-sealed"]
        assert output["sha256"] == (None if output["sealed"] == "none" else sha256(data).hexdigest())
        assert metadata["callseal-source-etag"] == first["source"]["etag"]
        if output["sealed"] != "none":
            fingerprints = [recipient["fingerprint"] for recipient in first["recipients"]]
            assert metadata["callseal-recipients"] == ",".join(fingerprints)
    return first


# ---- repeats --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("settings", [BOTH, MIXED, PLAIN], ids=["both", "mixed", "plain"])
def test_repeat_of_a_delivery_changes_nothing(
    cloud: Stack, encrypt_recording: ModuleType, family: str, settings: dict[str, Any]
) -> None:
    cloud.tenant("acme", tenant(family).public_text, settings)
    landed = cloud.land(KEY, DATA)
    handle(encrypt_recording, landed)
    before, times = stored(cloud), landing_times(cloud)
    assert delivered_once(cloud)["recipients"] is None or settings is not PLAIN

    handle(encrypt_recording, landed, landed)
    handle_again(landed)

    assert stored(cloud) == before
    assert landing_times(cloud) == times
    assert [event["detail-type"] for event in cloud.audit()] == ["RecordingDelivered"]


def landing_times(cloud: Stack) -> dict[str, Any]:
    """Return when each output was written."""
    return {
        item["Key"] + bucket: item["LastModified"]
        for bucket in (ARCHIVE, SFTP)
        for item in cloud.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    }


def test_repeat_without_etag_is_acknowledged_after_the_delivery(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", tenant().public_text)
    landed = cloud.land(KEY, DATA)
    handle(encrypt_recording, landed)
    del landed["Records"][0]["s3"]["object"]["eTag"], landed["Records"][0]["s3"]["object"]["size"]

    handle(encrypt_recording, landed)

    assert len(cloud.audit()) == 1


def test_repeat_is_acknowledged_when_key_and_settings_are_gone(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", tenant().public_text)
    landed = cloud.land(KEY, DATA)
    handle(encrypt_recording, landed)
    cloud.ssm.delete_parameter(Name="/callseal-test/tenants/acme/settings")

    handle_again(landed)

    assert [event["detail-type"] for event in cloud.audit()] == ["RecordingDelivered"]


def test_same_bytes_landed_again_are_a_repeat(cloud: Stack, encrypt_recording: ModuleType) -> None:
    """The same landing key and the same etag (moto's is a hash of the bytes; S3's is not under KMS)."""
    cloud.tenant("acme", tenant().public_text, BOTH)
    handle(encrypt_recording, cloud.land(KEY, DATA))
    before = stored(cloud)

    handle(encrypt_recording, cloud.land(KEY, DATA))

    assert stored(cloud) == before
    assert cloud.objects(LANDING) == {}
    assert len(cloud.audit()) == 2
    delivered_once(cloud)


# ---- crashes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("operation", "bucket"), STEPS, ids=lambda value: str(value))
def test_crash_at_each_step_is_healed_by_the_repeat(
    cloud: Stack,
    network: Network,
    encrypt_recording: ModuleType,
    family: str,
    when: str,
    operation: str,
    bucket: str | None,
) -> None:
    cloud.tenant("acme", tenant(family).public_text, BOTH)
    landed = cloud.land(KEY, DATA)
    network.crash(when, operation, bucket)

    with pytest.raises(Crash):
        encrypt_recording.lambda_handler(sqs_event(landed), None)
    at_crash = stored(cloud)
    purged = (operation, when) == ("DeleteObject", "after")
    assert (cloud.objects(LANDING) == {}) == purged
    assert bool(cloud.audit()) == (operation == "DeleteObject" or (operation, when) == ("PutEvents", "after"))
    handle_again(landed)

    for name, objects in at_crash.items():  # committed outputs stay as they are
        assert objects.items() <= cloud.objects(name).items()
    archived, fetched = (list(objects.values()) for objects in stored(cloud).values())
    assert archived == fetched
    assert [tenant(family).open(sealed) for sealed in fetched] == [DATA]
    assert cloud.objects(LANDING) == {}
    delivered_once(cloud)


@pytest.mark.parametrize(
    ("when", "operation"),
    [
        ("after", "CreateMultipartUpload"),
        ("before", "UploadPart"),
        ("after", "UploadPart"),
        ("before", "CompleteMultipartUpload"),
        ("after", "CompleteMultipartUpload"),
    ],
)
def test_crash_in_a_large_upload_is_healed_by_the_repeat(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, when: str, operation: str
) -> None:
    cloud.tenant("acme", tenant().public_text)
    data = recording(17 * MIB)
    landed = land_large(cloud, KEY, data)
    network.crash(when, operation, SFTP)

    with pytest.raises(Crash):
        encrypt_recording.lambda_handler(sqs_event(landed), None)
    assert bool(cloud.objects(SFTP)) == ((when, operation) == ("after", "CompleteMultipartUpload"))
    assert list(cloud.objects(LANDING)) == [KEY]
    handle_again(landed)

    assert tenant().open(cloud.objects(SFTP)[f"{KEY}.p7m"]) == data
    assert cloud.objects(LANDING) == {}
    delivered_once(cloud)


@pytest.mark.parametrize("family", FAMILIES)
def test_rotation_between_crash_and_repeat_leaves_the_first_commit(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, family: str
) -> None:
    old, new = tenant(family), tenant(family, "successor")
    cloud.tenant("acme", old.public_text, BOTH)
    landed = cloud.land(KEY, DATA)
    network.crash("after", "PutObject", ARCHIVE)
    with pytest.raises(Crash):
        encrypt_recording.lambda_handler(sqs_event(landed), None)
    ((name, sealed),) = cloud.objects(ARCHIVE).items()
    fingerprints = cloud.metadata(ARCHIVE, name)["callseal-recipients"].split(",")
    cloud.put_key("acme", new.public_text)

    handle_again(landed)

    assert stored(cloud) == {ARCHIVE: {name: sealed}, SFTP: {name: sealed}}
    assert old.open(sealed) == DATA
    assert cloud.metadata(SFTP, name)["callseal-recipients"].split(",") == fingerprints
    detail = delivered_once(cloud)
    assert [recipient["fingerprint"] for recipient in detail["recipients"]] == fingerprints
    assert detail["key_version"] is None  # not known any more, and certainly not the new one


CHANGES: dict[str, tuple[dict[str, Any], str, dict[str, Any], set[str], set[str]]] = {
    # The settings and the first commit; the operator's change; the final objects in archive and SFTP.
    "another family": (BOTH, "openpgp", BOTH, {f"{KEY}.p7m"}, {f"{KEY}.p7m"}),
    "another family, one of each": (MIXED, "openpgp", MIXED, {KEY}, {f"{KEY}.pgp"}),
    "archive off": (BOTH, "x509", {}, {f"{KEY}.p7m"}, {f"{KEY}.p7m"}),
    "archive off and another family": (MIXED, "openpgp", {}, {KEY}, {f"{KEY}.pgp"}),
    "sealed no more": (BOTH, "x509", PLAIN, {f"{KEY}.p7m"}, {KEY}),
    # The plain output stays, because the role may not delete here. A sealed output is requested, which the plain one
    # does not satisfy.
    "sealed from now on": (PLAIN, "x509", BOTH, {KEY, f"{KEY}.p7m"}, {f"{KEY}.p7m"}),
}


@pytest.mark.parametrize("size", [len(DATA), 150_000])
@pytest.mark.parametrize("change", CHANGES)
def test_change_between_crash_and_repeat_keeps_the_first_commit_and_audits_all(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, change: str, size: int
) -> None:
    """No file is delivered in two forms, and every object is named by an event."""
    before, family, after, archived, sent = CHANGES[change]
    cloud.tenant("acme", tenant().public_text, before)
    landed = land_now(cloud, recording(size))
    network.crash("after", "CopyObject" if KEY in archived else "PutObject", ARCHIVE)
    with pytest.raises(Crash):
        encrypt_recording.lambda_handler(sqs_event(landed), None)
    first = cloud.objects(ARCHIVE)
    cloud.tenant("acme", tenant(family).public_text if family != "x509" else None, after)

    handle_again(landed)

    assert first.items() <= cloud.objects(ARCHIVE).items()
    assert (set(cloud.objects(ARCHIVE)), set(cloud.objects(SFTP))) == (archived, sent)
    for name, data in {**cloud.objects(ARCHIVE), **cloud.objects(SFTP)}.items():
        by = {"p7m": tenant().open, "pgp": tenant("openpgp").open}.get(name[-3:], bytes)
        assert by(data) == recording(size)
    detail = delivered_once(cloud)
    named = {(output["bucket"], output["key"]) for output in detail["outputs"]}
    assert named == {(ARCHIVE, name) for name in archived} | {(SFTP, name) for name in sent}
    assert cloud.objects(LANDING) == {}


def test_small_output_from_before_a_change_is_found(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", tenant().public_text)
    landed = land_now(cloud, DATA)
    network.crash("after", "PutObject", SFTP)
    with pytest.raises(Crash):
        encrypt_recording.lambda_handler(sqs_event(landed), None)
    cloud.put_key("acme", tenant("openpgp").public_text)

    handle_again(landed)

    assert set(cloud.objects(SFTP)) == {f"{KEY}.p7m"}
    detail = delivered_once(cloud)
    assert [(one["kind"], one["not_after"]) for one in detail["recipients"]] == [("x509", None)]


def test_same_bytes_landed_again_after_a_change_are_delivered_by_the_new_settings(
    cloud: Stack, encrypt_recording: ModuleType
) -> None:
    """An output from before this landing is not from an earlier attempt, although it has the same source etag."""
    cloud.tenant("acme", tenant().public_text, {"encrypt": False})
    handle(encrypt_recording, land_now(cloud, DATA))
    assert set(cloud.objects(SFTP)) == {KEY}
    cloud.tenant("acme", None, {})
    later = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()

    handle_again(land_now(cloud, DATA, later))

    assert set(cloud.objects(SFTP)) == {KEY, f"{KEY}.p7m"}
    first, second = (detail["outputs"] for detail in cloud.audit_details("RecordingDelivered"))
    assert [[output["key"] for output in outputs] for outputs in (first, second)] == [[KEY], [f"{KEY}.p7m"]]


def test_output_of_another_file_in_another_form_is_not_an_earlier_output(
    cloud: Stack, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", tenant().public_text)
    landed = land_now(cloud, DATA)
    cloud.s3.put_object(Bucket=SFTP, Key=f"{KEY}.pgp", Body=STRANGER)

    handle(encrypt_recording, landed)

    assert set(cloud.objects(SFTP)) == {f"{KEY}.p7m", f"{KEY}.pgp"}
    assert [output["key"] for output in delivered_once(cloud)["outputs"]] == [f"{KEY}.p7m"]


def test_tenant_without_a_change_needs_no_requests_for_other_forms(
    cloud: Stack, clock: Clock, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", tenant().public_text)
    clock.pass_by(seconds=90)
    landed = land_now(cloud, DATA, clock().isoformat())

    handle(encrypt_recording, landed)

    assert not network.asked("HeadObject")


def land_now(cloud: Stack, data: bytes, moment: str | None = None) -> dict[str, Any]:
    """Land a file. Its notification has the time, as S3's do."""
    landed = cloud.land(KEY, data)
    landed["Records"][0]["eventTime"] = moment or datetime.now(UTC).isoformat()
    return landed


def test_several_recipients_are_named_in_order(cloud: Stack, encrypt_recording: ModuleType) -> None:
    members = [tenant(name="tenant"), tenant(name="successor")]
    cloud.tenant("acme", "".join(member.public_text for member in members))

    handle(encrypt_recording, cloud.land(KEY, DATA))

    assert [member.open(cloud.objects(SFTP)[f"{KEY}.p7m"]) for member in members] == [DATA, DATA]
    assert len(delivered_once(cloud)["recipients"]) == 2


# ---- concurrency ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("settings", [BOTH, MIXED], ids=["both", "mixed"])
@pytest.mark.parametrize(
    ("where", "operation"),
    [
        ("one batch", "PutObject"),
        ("one batch", "CopyObject"),
        # The events of a batch are sent together, and its files purged together.
        *[("two environments", name) for name in (*WRITES, "PutEvents")],
    ],
)
def test_duplicates_at_the_same_time(
    cloud: Stack,
    network: Network,
    encrypt_recording: ModuleType,
    family: str,
    settings: dict[str, Any],
    operation: str,
    where: str,
) -> None:
    """Both workers have reached the same request before either of them continues."""
    cloud.tenant("acme", tenant(family).public_text, settings)
    landed = cloud.land(KEY, DATA)
    meet = Barrier(2)

    def wait(_: Request) -> None:
        meet.wait(timeout=300)

    network.before(operation, wait, times=2)
    if where == "one batch":
        handle(encrypt_recording, landed, landed)
    else:
        with ThreadPoolExecutor(2) as workers:
            list(
                workers.map(
                    lambda module: handle(module, landed), [encrypt_recording, functions.load("encrypt_recording")]
                )
            )

    suffix = FAMILIES[family].suffix
    archive_key = KEY if settings is MIXED else KEY + suffix
    assert {bucket: list(objects) for bucket, objects in stored(cloud).items()} == {
        ARCHIVE: [archive_key], SFTP: [KEY + suffix]
    }  # fmt: skip
    assert tenant(family).open(cloud.objects(SFTP)[KEY + suffix]) == DATA
    if settings is BOTH:
        assert cloud.objects(ARCHIVE) == cloud.objects(SFTP)
    assert cloud.objects(LANDING) == {}
    delivered_once(cloud)


def test_large_duplicates_at_the_same_time(cloud: Stack, network: Network, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", tenant().public_text)
    data = recording(17 * MIB)
    landed = land_large(cloud, KEY, data)
    meet = Barrier(2)

    def wait(_: Request) -> None:
        meet.wait(timeout=300)

    network.before("CompleteMultipartUpload", wait, times=2)
    handle(encrypt_recording, landed, landed)

    assert tenant().open(cloud.objects(SFTP)[f"{KEY}.p7m"]) == data
    assert cloud.unfinished_uploads(SFTP) == []
    delivered_once(cloud)


# ---- out of order ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0, 1)])
@pytest.mark.parametrize("settings", [BOTH, MIXED, PLAIN], ids=["both", "mixed", "plain"])
def test_only_the_newest_file_is_delivered_when_overwritten_before_the_read(
    cloud: Stack, encrypt_recording: ModuleType, order: tuple[int, ...], settings: dict[str, Any]
) -> None:
    cloud.tenant("acme", tenant().public_text, settings)
    landed = [cloud.land(KEY, b"first"), cloud.land(KEY, b"second, and longer")]

    for number in order:
        handle(encrypt_recording, landed[number])

    (sealed,) = cloud.objects(SFTP).values()
    assert (sealed if settings is PLAIN else tenant().open(sealed)) == b"second, and longer"
    assert cloud.objects(LANDING) == {}
    assert [event["detail-type"] for event in cloud.audit()] == ["RecordingDelivered"]
    delivered_once(cloud)


def test_late_event_of_an_overwritten_file_leaves_the_new_file_alone(
    cloud: Stack, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", tenant().public_text)
    first = cloud.land(KEY, DATA)
    handle(encrypt_recording, first)
    cloud.land(KEY, b"landed later, and not announced yet")

    handle(encrypt_recording, first)

    assert cloud.objects(LANDING) == {KEY: b"landed later, and not announced yet"}
    assert cloud.tags(KEY) == {}
    # Reported once more, because it might have been overwritten between commit and audit: the same event with the same
    # id.
    delivered_once(cloud)
    assert {event["detail-type"] for event in cloud.audit()} == {"RecordingDelivered"}


@pytest.mark.parametrize("settings", [BOTH, MIXED, PLAIN], ids=["both", "mixed", "plain"])
def test_new_file_landed_during_the_delivery_is_not_purged(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, settings: dict[str, Any]
) -> None:
    cloud.tenant("acme", tenant().public_text, settings)
    network.before("DeleteObject", lambda _: cloud.land(KEY, STRANGER) and None)

    handle(encrypt_recording, cloud.land(KEY, DATA))

    assert cloud.objects(LANDING) == {KEY: STRANGER}
    delivered_once(cloud)


@pytest.mark.parametrize("settings", [BOTH, PLAIN], ids=["sealed", "plain"])
def test_nothing_is_delivered_when_overwritten_during_the_read(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, settings: dict[str, Any]
) -> None:
    """Between the check of the outputs and the read or copy."""
    cloud.tenant("acme", tenant().public_text, settings)
    landed = cloud.land(KEY, DATA)
    operation = "CopyObject" if settings is PLAIN else "GetObject"
    network.before(operation, lambda _: cloud.land(KEY, STRANGER) and None)

    handle(encrypt_recording, landed)

    assert stored(cloud) == {ARCHIVE: {}, SFTP: {}}
    assert cloud.objects(LANDING) == {KEY: STRANGER}


@pytest.mark.parametrize("settings", [{}, BOTH, MIXED, PLAIN], ids=["sftp", "both", "mixed", "plain"])
def test_delivery_is_audited_when_overwritten_between_commit_and_audit(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, settings: dict[str, Any]
) -> None:
    cloud.tenant("acme", tenant().public_text, settings)
    landed = cloud.land(KEY, DATA)
    network.crash("before", "PutEvents")
    with pytest.raises(Crash):
        encrypt_recording.lambda_handler(sqs_event(landed), None)
    assert not cloud.audit()
    cloud.land(KEY, STRANGER)

    handle_again(landed)

    (detail,) = cloud.audit_details("RecordingDelivered")
    assert detail["source"]["etag"] == landed["Records"][0]["s3"]["object"]["eTag"]
    named = {(output["bucket"], output["key"]) for output in detail["outputs"]}
    assert named == {(bucket, key) for bucket, objects in stored(cloud).items() for key in objects}
    assert cloud.objects(LANDING) == {KEY: STRANGER}


# ---- conflicts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("settings", [BOTH, MIXED, PLAIN], ids=["both", "mixed", "plain"])
@pytest.mark.parametrize("bucket", [ARCHIVE, SFTP])
@pytest.mark.parametrize("metadata", [{}, {"callseal-source-etag": "0" * 32, "callseal-sealed": "none"}])
def test_unrelated_object_at_an_output_holds_the_file(
    cloud: Stack,
    encrypt_recording: ModuleType,
    family: str,
    settings: dict[str, Any],
    bucket: str,
    metadata: dict[str, str],
) -> None:
    cloud.tenant("acme", tenant(family).public_text, settings)
    plain = settings is PLAIN or (settings is MIXED and bucket == ARCHIVE)
    name = KEY if plain else KEY + FAMILIES[family].suffix
    cloud.s3.put_object(Bucket=bucket, Key=name, Body=STRANGER, Metadata=metadata)
    landed = cloud.land(KEY, DATA)

    handle(encrypt_recording, landed)

    assert stored(cloud) == {ARCHIVE: {}, SFTP: {}, bucket: {name: STRANGER}}
    assert cloud.tags(KEY)["callseal-reason"] == "OutputConflict"
    (detail,) = cloud.audit_details("RecordingHeld")
    assert (detail["reason"], detail["outputs"]) == ("OutputConflict", None)
    assert bucket in detail["message"].lower()

    cloud.s3.delete_object(Bucket=bucket, Key=name)
    handle(encrypt_recording, landed)
    assert cloud.objects(LANDING) == {}
    delivered_once(cloud)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("settings", [BOTH, MIXED, PLAIN], ids=["both", "mixed", "plain"])
def test_unrelated_object_at_sftp_after_the_archive_commit(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, family: str, settings: dict[str, Any]
) -> None:
    cloud.tenant("acme", tenant(family).public_text, settings)
    sftp_key = KEY if settings is PLAIN else KEY + FAMILIES[family].suffix

    def intrude(_: Request) -> None:
        cloud.s3.put_object(Bucket=SFTP, Key=sftp_key, Body=STRANGER)

    network.before("PutObject" if settings is MIXED else "CopyObject", intrude, bucket=SFTP)
    landed = cloud.land(KEY, DATA)
    handle(encrypt_recording, landed)

    archived = cloud.objects(ARCHIVE)
    ((archive_key, data),) = archived.items()
    assert cloud.objects(SFTP) == {sftp_key: STRANGER}
    assert cloud.tags(KEY)["callseal-reason"] == "OutputConflict"
    assert cloud.audit_details("RecordingDelivered") == []
    (detail,) = cloud.audit_details("RecordingHeld")
    sealed = "none" if settings in (MIXED, PLAIN) else FAMILIES[family].envelope
    assert detail["outputs"] == [
        {
            "destination": "archive",
            "bucket": ARCHIVE,
            "key": archive_key,
            "size": len(data),
            "sha256": None if sealed == "none" else sha256(data).hexdigest(),
            "sealed": sealed,
            "version": cloud.s3.head_object(Bucket=ARCHIVE, Key=archive_key)["VersionId"],
        }
    ]

    handle_again(landed)  # held still: the same event, and the archive copy stays as it is
    assert [one["id"] for one in cloud.audit_details("RecordingHeld")] == [detail["id"]] * 2
    cloud.s3.delete_object(Bucket=SFTP, Key=sftp_key)
    handle_again(landed)
    assert cloud.objects(ARCHIVE) == archived
    assert settings is MIXED or cloud.objects(SFTP)[sftp_key] == data
    delivered_once(cloud)


def test_new_content_under_a_delivered_name_is_a_conflict(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", tenant().public_text, BOTH)
    handle(encrypt_recording, cloud.land(KEY, DATA))
    before = stored(cloud)

    handle(encrypt_recording, cloud.land(KEY, b"another call under the same name"))

    assert stored(cloud) == before
    assert cloud.tags(KEY)["callseal-reason"] == "OutputConflict"


def test_archive_copy_that_vanishes_before_its_second_copy_is_made_again(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    """The landed file still exists, so this is not a repeat of a delivery and must not be acknowledged as one."""
    cloud.tenant("acme", tenant().public_text, BOTH)
    landed = cloud.land(KEY, DATA)
    network.before("CopyObject", lambda _: cloud.s3.delete_object(Bucket=ARCHIVE, Key=f"{KEY}.p7m") and None)

    answer = encrypt_recording.lambda_handler(sqs_event(landed), None)

    assert failures(answer) == ["m0"]
    handle(encrypt_recording, landed)
    assert cloud.objects(ARCHIVE) == cloud.objects(SFTP) != {}
    delivered_once(cloud)


def test_ids_differ_by_event_and_file(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", None, {"encrypt": False})
    cloud.tenant("beta", None, {"encrypt": False})
    keys = [KEY, "acme/4711_2.wav", "beta/4711_1.wav"]

    handle(encrypt_recording, *(cloud.land(key, DATA) for key in keys))
    cloud.s3.delete_object(Bucket=SFTP, Key=KEY)
    handle(encrypt_recording, cloud.land(KEY, b"other bytes"))
    handle(encrypt_recording, cloud.land(KEY, b"held: a conflict"))

    ids = [event["detail"]["id"] for event in cloud.audit()]
    assert len(ids) == len(set(ids)) == 5
