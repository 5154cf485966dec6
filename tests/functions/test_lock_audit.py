"""lock_audit: each announced object of the audit bucket is locked, counted from its own time."""

from __future__ import annotations

from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from callseal.core.errors import UnreadableNotificationError
from tests.support.network import Network
from tests.support.stack import AUDIT, LANDING, Stack, failures, sqs_event
from tests.support.trail import FOREVER, announced, deliver, envelope, lock, locked_for, remove, versions

FOR_SEVEN_YEARS = timedelta(days=2557)


def test_an_announced_object_is_locked_and_cannot_be_deleted(cloud: Stack, lock_audit: ModuleType) -> None:
    key = deliver(cloud, [envelope()], locked=False)
    (version,) = versions(cloud, key)

    assert failures(lock_audit.lambda_handler(sqs_event(announced(cloud, key)), None)) == []

    assert locked_for(cloud, key) == ("GOVERNANCE", FOR_SEVEN_YEARS)
    with pytest.raises(ClientError, match="AccessDenied"):
        cloud.s3.delete_object(Bucket=AUDIT, Key=key, VersionId=version)


def test_lock_uses_mode_and_days_of_the_parameters(
    cloud: Stack, lock_audit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIT_LOCK_MODE", "COMPLIANCE")
    monkeypatch.setenv("AUDIT_RETENTION_DAYS", "3")
    key = deliver(cloud, [envelope()], locked=False)
    lock_audit.lambda_handler(sqs_event(announced(cloud, key)), None)
    assert locked_for(cloud, key) == ("COMPLIANCE", timedelta(days=3))


def test_repeated_event_locks_once(cloud: Stack, lock_audit: ModuleType, network: Network) -> None:
    key = deliver(cloud, [envelope()], locked=False)
    twice = sqs_event(announced(cloud, key), announced(cloud, key))
    assert failures(lock_audit.lambda_handler(twice, None)) == []
    assert len(network.asked("PutObjectRetention")) == 1


def test_longer_lock_is_kept_and_shorter_lock_is_extended(cloud: Stack, lock_audit: ModuleType) -> None:
    longer, shorter = deliver(cloud, [envelope()], locked=False), deliver(cloud, [envelope()], locked=False)
    lock(cloud, longer, FOREVER)
    lock(cloud, shorter, cloud.s3.head_object(Bucket=AUDIT, Key=shorter)["LastModified"] + timedelta(days=1))
    both = sqs_event(announced(cloud, longer), announced(cloud, shorter))
    assert failures(lock_audit.lambda_handler(both, None)) == []
    assert cloud.s3.head_object(Bucket=AUDIT, Key=longer)["ObjectLockRetainUntilDate"] == FOREVER
    assert locked_for(cloud, shorter) == ("GOVERNANCE", FOR_SEVEN_YEARS)


@pytest.mark.parametrize(
    "changes", [{"bucket": LANDING}, {"versionId": None}, {"versionId": "gone"}], ids=lambda each: next(iter(each))
)
def test_a_message_that_names_no_version_of_the_bucket_fails_alone(
    cloud: Stack, lock_audit: ModuleType, changes: dict[str, Any]
) -> None:
    key = deliver(cloud, [envelope()], locked=False)
    batch = sqs_event(announced(cloud, key, **changes), announced(cloud, key), "no JSON", {"Event": "s3:TestEvent"})
    assert failures(lock_audit.lambda_handler(batch, None)) == ["m0", "m2"]
    assert locked_for(cloud, key) == ("GOVERNANCE", FOR_SEVEN_YEARS)


def test_an_object_that_was_deleted_before_its_lock_is_a_failure(cloud: Stack, lock_audit: ModuleType) -> None:
    key = deliver(cloud, [envelope()], locked=False)
    message = announced(cloud, key)
    remove(cloud, key)
    assert failures(lock_audit.lambda_handler(sqs_event(message), None)) == ["m0"]


@pytest.mark.parametrize("operation", ["HeadObject", "PutObjectRetention"])
def test_a_refused_request_brings_the_message_back(
    cloud: Stack, lock_audit: ModuleType, network: Network, operation: str
) -> None:
    key = deliver(cloud, [envelope()], locked=False)
    network.fail(operation, 503, "SlowDown")
    message = sqs_event(announced(cloud, key))
    assert failures(lock_audit.lambda_handler(message, None)) == ["m0"]
    assert failures(lock_audit.lambda_handler(message, None)) == []
    assert locked_for(cloud, key) == ("GOVERNANCE", FOR_SEVEN_YEARS)


def test_event_that_is_not_a_queue_batch_is_refused(lock_audit: ModuleType) -> None:
    with pytest.raises(UnreadableNotificationError, match="not a batch"):
        lock_audit.lambda_handler({}, None)
