"""Two workers on one file around a change: each output is named by an event, and a broken key blocks no delivery."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.tenants.directory import CACHE_TIME, CLOCK_SKEW
from tests.functions.test_once import (
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
# When every cache of values from before a change has expired.
LONG_AFTER = CACHE_TIME + CLOCK_SKEW + timedelta(seconds=1)
SECRET = "callseal-test/tenants/acme/public-key"


def commit_slowly(cloud: Stack, landed: dict[str, Any], bucket: str = SFTP) -> None:
    """Commit as a worker with the earlier X.509 key in its cache does, and then die."""
    source = landed["Records"][0]["s3"]["object"]["eTag"]
    metadata = {"callseal-source-etag": source, "callseal-sealed": "cms", "callseal-recipients": BEFORE}
    cloud.s3.put_object(Bucket=bucket, Key=SLOW, Body=b"sealed to the key of before", Metadata=metadata)


def recheck(cloud: Stack) -> list[str]:
    """Deliver all recheck messages, and return those that failed."""
    module = functions.load("recheck_delivery")
    return failures(module.lambda_handler(sqs_event(*cloud.rechecks()), None))


def die(cloud: Stack, network: Network, module: ModuleType, *point: str) -> dict[str, Any]:
    """Land a file, and kill its worker at a request. Return the notification."""
    landed = land_now(cloud, DATA)
    network.crash(*point)
    with pytest.raises(Crash):
        module.lambda_handler(sqs_event(landed), None)
    return landed


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


# ---- the recheck ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mishap", ["none", "key broken", "settings gone", "proof asked for"])
def test_output_that_was_committed_after_the_purge_is_named_by_the_recheck(
    cloud: Stack, encrypt_recording: ModuleType, mishap: str
) -> None:
    """A worker commits after the other acknowledged the message, and dies, so the message never returns."""
    cloud.tenant("acme", tenant("openpgp").public_text)
    landed = land_now(cloud, DATA)
    handle(encrypt_recording, landed)
    commit_slowly(cloud, landed)
    if mishap == "key broken":
        cloud.put_key("acme", BROKEN)
    elif mishap == "settings gone":
        cloud.ssm.delete_parameter(Name="/callseal-test/tenants/acme/settings")
    elif mishap == "proof asked for":
        cloud.tenant("acme", settings={"require_key_proof": True})

    assert recheck(cloud) == []

    first, second = cloud.audit_details("RecordingDelivered")
    assert first["id"] == second["id"]
    assert named(second) == standing(cloud) == {(SFTP, SLOW), (SFTP, f"{KEY}.pgp")}
    assert {one["kind"] for one in second["recipients"]} == {"x509", "openpgp"}
    assert cloud.rechecks() == []


@pytest.mark.parametrize("settings", [{}, BOTH, MIXED], ids=["sftp", "both", "mixed"])
def test_worker_that_knows_of_the_change_requests_a_recheck_before_it_commits(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, settings: dict[str, Any]
) -> None:
    """The worker dies before its event, and the other, whose cache is old, purges and acknowledges."""
    cloud.tenant("acme", tenant().public_text, settings)
    die(cloud, network, encrypt_recording, "after", "CopyObject" if settings is MIXED else "PutObject")
    committed = standing(cloud)
    assert committed
    cloud.s3.delete_object(Bucket=LANDING, Key=KEY)

    assert recheck(cloud) == []

    (detail,) = cloud.audit_details("RecordingDelivered")
    assert named(detail) == committed == standing(cloud)


def test_nothing_is_committed_when_no_recheck_can_be_requested(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", tenant().public_text, BOTH)
    landed = land_now(cloud, DATA)
    network.fail("SendMessage", 503, "SlowDown")

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == ["m0"]

    assert standing(cloud) == set()
    assert list(cloud.objects(LANDING)) == [KEY]
    handle(encrypt_recording, landed)
    assert named(delivered_once(cloud)) == standing(cloud)


def test_ordinary_delivery_needs_no_recheck(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", tenant().public_text, BOTH)
    handle(encrypt_recording, land_now(cloud, DATA, (datetime.now(UTC) + LONG_AFTER).isoformat()))
    assert cloud.rechecks() == []


def test_recheck_leaves_a_pending_file_alone(cloud: Stack, network: Network, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", tenant().public_text)
    die(cloud, network, encrypt_recording, "before", "PutEvents")

    assert recheck(cloud) == []

    assert list(cloud.objects(LANDING)) == [KEY]
    assert cloud.audit() == []
    assert cloud.rechecks() == []


def test_recheck_without_outputs_reports_nothing(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", tenant().public_text)
    handle(encrypt_recording, land_now(cloud, DATA))
    cloud.s3.delete_object(Bucket=SFTP, Key=SLOW)

    assert recheck(cloud) == []

    assert len(cloud.audit()) == 1


def test_failed_recheck_returns_to_the_queue(cloud: Stack, network: Network, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", tenant().public_text)
    handle(encrypt_recording, land_now(cloud, DATA))
    bodies = cloud.rechecks()
    network.fail("PutEvents", 500, "InternalError", times=None)
    module = functions.load("recheck_delivery")

    assert failures(module.lambda_handler(sqs_event(*bodies), None)) == ["m0"]

    (delayed,) = [one.members for one in network.requests if one.operation == "ChangeMessageVisibility"]
    assert delayed["QueueUrl"] == cloud.recheck_url


def test_recheck_misses_no_output(cloud: Stack, network: Network, encrypt_recording: ModuleType) -> None:
    """The last event must never name fewer outputs than the first.

    An output that is listed but not found is retried.
    """
    cloud.tenant("acme", tenant().public_text, BOTH)
    handle(encrypt_recording, land_now(cloud, DATA))
    bodies = cloud.rechecks()
    network.fail("HeadObject", 404, "NoSuchKey", bucket=SFTP)
    module = functions.load("recheck_delivery")

    assert failures(module.lambda_handler(sqs_event(*bodies), None)) == ["m0"]
    assert len(cloud.audit()) == 1

    assert failures(module.lambda_handler(sqs_event(*bodies), None)) == []
    assert len(cloud.audit()) == 2
    assert named(delivered_once(cloud)) == standing(cloud)


def test_recheck_reports_outputs_of_a_missing_file_when_head_is_refused(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", tenant().public_text)
    handle(encrypt_recording, land_now(cloud, DATA))
    bodies = cloud.rechecks()
    network.fail("HeadObject", 403, "Forbidden", bucket=LANDING)
    module = functions.load("recheck_delivery")

    assert failures(module.lambda_handler(sqs_event(*bodies), None)) == []

    assert len(cloud.audit()) == 2
    assert named(delivered_once(cloud)) == standing(cloud)


def test_recheck_of_an_overwritten_file_reports_its_outputs(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", tenant().public_text)
    landed = die(cloud, network, encrypt_recording, "before", "PutEvents")
    cloud.land(KEY, b"another call under the same name")

    assert recheck(cloud) == []

    (detail,) = cloud.audit_details("RecordingDelivered")
    assert detail["source"]["etag"] == landed["Records"][0]["s3"]["object"]["eTag"]


def test_restoring_an_earlier_key_is_a_change(cloud: Stack, network: Network) -> None:
    """The version is old, and its label came back from a newer version around the time of landing."""
    cloud.tenant("acme", tenant().public_text)
    (before,) = versions(cloud)
    landed = land_now(cloud, DATA, (datetime.now(UTC) + LONG_AFTER).isoformat())
    handle_again(landed)
    assert cloud.rechecks() == [], "nothing has changed about then"

    time.sleep(2.1)  # moto records changes of secrets to the second
    cloud.put_key("acme", tenant("openpgp").public_text)
    (after,) = versions(cloud) - {before}
    cloud.secrets.update_secret_version_stage(
        SecretId=SECRET, VersionStage="AWSCURRENT", RemoveFromVersionId=after, MoveToVersionId=before
    )
    cloud.land(KEY, DATA)
    handle_again(landed)

    assert list(cloud.objects(SFTP)) == [f"{KEY}.p7m"]
    assert len(cloud.rechecks()) == 1


def versions(cloud: Stack) -> set[str]:
    return set(cloud.secrets.describe_secret(SecretId=SECRET)["VersionIdsToStages"])


# ---- a broken key ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["x509", "openpgp"])
@pytest.mark.parametrize("told", [False, True], ids=["before the audit", "before the purge"])
@pytest.mark.parametrize("settings", [{}, BOTH, MIXED], ids=["sftp", "both", "mixed"])
def test_sealed_file_is_finished_although_its_key_broke(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, family: str, told: bool, settings: dict[str, Any]
) -> None:
    cloud.tenant("acme", tenant(family).public_text, settings)
    landed = die(cloud, network, encrypt_recording, "before", "DeleteObject" if told else "PutEvents")
    committed = standing(cloud)
    cloud.put_key("acme", BROKEN)
    cloud.rechecks()

    handle_again(landed)

    assert len(cloud.rechecks()) == 1
    assert cloud.objects(LANDING) == {}
    assert cloud.audit_details("RecordingHeld") == []
    assert named(cloud.audit_details("RecordingDelivered")[-1]) == standing(cloud) == committed
    assert {detail["id"] for detail in cloud.audit_details("RecordingDelivered")} == {delivered_id(cloud)}


def delivered_id(cloud: Stack) -> str:
    return str(cloud.audit_details("RecordingDelivered")[0]["id"])


@pytest.mark.parametrize("before", [BOTH, PLAIN], ids=["one sealed, one missing", "plain"])
def test_file_without_all_sealed_outputs_is_held_for_its_broken_key(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, before: dict[str, Any]
) -> None:
    """A plain output, from before sealing was requested, does not satisfy a sealed route."""
    cloud.tenant("acme", tenant().public_text, before)
    landed = die(
        cloud, network, encrypt_recording, "before", *(("PutEvents",) if before is PLAIN else ("CopyObject", SFTP))
    )
    cloud.tenant("acme", BROKEN, BOTH)

    handle_again(landed)

    assert list(cloud.objects(LANDING)) == [KEY]
    assert cloud.tags(KEY)["callseal-reason"] == "KeyUnreadable"
    assert cloud.audit_details("RecordingDelivered") == []

    cloud.put_key("acme", tenant().public_text)
    handle_again(landed)
    assert cloud.objects(LANDING) == {}
    assert named(delivered_once(cloud)) == standing(cloud)
