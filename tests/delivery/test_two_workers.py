"""Two workers on one file, about a change: whatever either of them leaves is told of, and a broken key stops no end."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.delivery.test_once import (
    BOTH,
    DATA,
    KEY,
    MIXED,
    PLAIN,
    delivered_once,
    handle,
    handle_again,
    land_now,
    tenant,
)
from tests.support import functions
from tests.support.network import Crash, Network
from tests.support.stack import ARCHIVE, LANDING, SFTP, Stack, failures, sqs_event

BROKEN = "what somebody pasted by mistake"
BEFORE = "A0" * 32
SLOW = f"{KEY}.p7m"


def commit_slowly(cloud: Stack, landed: dict[str, Any], bucket: str = SFTP) -> None:
    """Commit as a worker does that still remembers the X.509 key of before, and then dies."""
    source = landed["Records"][0]["s3"]["object"]["eTag"]
    metadata = {"callseal-source-etag": source, "callseal-sealed": "cms", "callseal-recipients": BEFORE}
    cloud.s3.put_object(Bucket=bucket, Key=SLOW, Body=b"sealed to the key of before", Metadata=metadata)


def named(detail: dict[str, Any]) -> set[tuple[str, str]]:
    return {(output["bucket"], output["key"]) for output in detail["outputs"]}


def standing(cloud: Stack) -> set[tuple[str, str]]:
    return {(bucket, key) for bucket in (ARCHIVE, SFTP) for key in cloud.objects(bucket)}


@pytest.mark.parametrize("settings", [{}, BOTH, MIXED], ids=["sftp", "both", "mixed"])
def test_output_of_a_slower_worker_is_named_by_the_faster_ones_event(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, settings: dict[str, Any]
) -> None:
    cloud.tenant("acme", tenant("openpgp").public_text, settings)
    landed = land_now(cloud, DATA)
    last_write = "CopyObject" if settings is BOTH else "PutObject"
    network.after(last_write, lambda _: commit_slowly(cloud, landed), bucket=SFTP)

    handle(encrypt_recording, landed)

    (detail,) = cloud.audit_details("RecordingDelivered")
    assert (SFTP, SLOW) in named(detail)
    assert named(detail) == standing(cloud)
    kinds = {one["fingerprint"]: one["kind"] for one in detail["recipients"]}
    assert len(kinds) == 2
    assert kinds.pop(BEFORE) == "x509"
    assert list(kinds.values()) == ["openpgp"]
    assert detail["key_version"] is None
    assert cloud.objects(LANDING) == {}


@pytest.mark.parametrize("mishap", ["none", "key broken", "settings gone"])
def test_output_of_a_worker_that_died_after_the_purge_is_named_by_its_retry(
    cloud: Stack, encrypt_recording: ModuleType, mishap: str
) -> None:
    cloud.tenant("acme", tenant("openpgp").public_text)
    landed = land_now(cloud, DATA)
    handle(encrypt_recording, landed)
    commit_slowly(cloud, landed)
    if mishap == "key broken":
        cloud.put_key("acme", BROKEN)
    elif mishap == "settings gone":
        cloud.ssm.delete_parameter(Name="/callseal-test/tenants/acme/settings")

    again = functions.load("encrypt_recording")
    assert failures(again.lambda_handler(sqs_event(landed, receives=2), None)) == []

    first, second = cloud.audit_details("RecordingDelivered")
    assert first["id"] == second["id"]
    assert named(second) == standing(cloud) == {(SFTP, SLOW), (SFTP, f"{KEY}.pgp")}
    assert {one["kind"] for one in second["recipients"]} == {"x509", "openpgp"}


def test_retry_of_what_left_nothing_tells_nothing(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", tenant().public_text)
    landed = land_now(cloud, DATA)
    cloud.s3.delete_object(Bucket=LANDING, Key=KEY)

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed, receives=2), None)) == []

    assert cloud.audit() == []


@pytest.mark.parametrize("family", ["x509", "openpgp"])
@pytest.mark.parametrize("told", [False, True], ids=["before the audit", "before the purge"])
@pytest.mark.parametrize("settings", [{}, BOTH, MIXED], ids=["sftp", "both", "mixed"])
def test_file_that_is_sealed_already_is_finished_though_its_key_broke(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, family: str, told: bool, settings: dict[str, Any]
) -> None:
    cloud.tenant("acme", tenant(family).public_text, settings)
    landed = land_now(cloud, DATA)
    network.crash("before", "DeleteObject" if told else "PutEvents")
    with pytest.raises(Crash):
        encrypt_recording.lambda_handler(sqs_event(landed), None)
    committed = standing(cloud)
    cloud.put_key("acme", BROKEN)

    handle_again(landed)

    assert cloud.objects(LANDING) == {}
    assert cloud.audit_details("RecordingHeld") == []
    assert named(cloud.audit_details("RecordingDelivered")[-1]) == standing(cloud) == committed
    assert {detail["id"] for detail in cloud.audit_details("RecordingDelivered")} == {delivered_id(cloud)}


def delivered_id(cloud: Stack) -> str:
    return str(cloud.audit_details("RecordingDelivered")[0]["id"])


@pytest.mark.parametrize("before", [BOTH, PLAIN], ids=["one sealed, one missing", "plain"])
def test_file_that_is_not_all_sealed_is_held_for_its_broken_key(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, before: dict[str, Any]
) -> None:
    """A plain output, of before sealing was asked for, is no sealed one."""
    cloud.tenant("acme", tenant().public_text, before)
    landed = land_now(cloud, DATA)
    network.crash("before", *(("PutEvents",) if before is PLAIN else ("CopyObject", SFTP)))
    with pytest.raises(Crash):
        encrypt_recording.lambda_handler(sqs_event(landed), None)
    cloud.tenant("acme", BROKEN, BOTH)

    handle_again(landed)

    assert list(cloud.objects(LANDING)) == [KEY]
    assert cloud.tags(KEY)["callseal-reason"] == "KeyUnreadable"
    assert cloud.audit_details("RecordingDelivered") == []

    cloud.put_key("acme", tenant().public_text)
    handle_again(landed)
    assert cloud.objects(LANDING) == {}
    assert named(delivered_once(cloud)) == standing(cloud)
