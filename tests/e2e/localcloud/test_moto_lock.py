"""moto applies the rules of S3 Object Lock. Each test states S3's rule and its source.

UG is https://docs.aws.amazon.com/AmazonS3/latest/userguide/, API https://docs.aws.amazon.com/AmazonS3/latest/API/.
s3-tests is https://github.com/ceph/s3-tests, s3tests/functional/test_s3.py, which was written against S3 itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.moto_process import MotoProcess

NOW = datetime.now(UTC).replace(microsecond=0)
SOON, LATER = NOW + timedelta(days=1), NOW + timedelta(days=2)
PART = b"x" * 5 * 1024**2
GOVERNED: dict[str, Any] = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": LATER}
HELD: dict[str, Any] = {"ObjectLockLegalHoldStatus": "ON"}
LOCKS = {"governance": GOVERNED, "compliance": {**GOVERNED, "ObjectLockMode": "COMPLIANCE"}, "hold": HELD}
_numbers = count()


@pytest.fixture(scope="module")
def clock_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clock") / "ahead"


@pytest.fixture(scope="module")
def s3(clock_file: Path) -> Iterator[Any]:
    process = MotoProcess(0, "eu-north-1", lambda line: None, clock_file=str(clock_file))
    yield process.client("s3")
    process.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    return make_bucket(s3)


def make_bucket(s3: Any, *, lock: bool = True, days: int | None = None) -> str:
    name = f"bucket-{next(_numbers)}"
    s3.create_bucket(
        Bucket=name,
        CreateBucketConfiguration={"LocationConstraint": "eu-north-1"},
        ObjectLockEnabledForBucket=lock,
    )
    if days:
        put_default(s3, name, days)
    return name


def put_default(s3: Any, bucket: str, days: int) -> None:
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": days}}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)


def put(s3: Any, bucket: str, key: str = "k", **lock: Any) -> str:
    answer = s3.put_object(Bucket=bucket, Key=key, Body=b"x", ChecksumAlgorithm="SHA256", **lock)
    return str(answer["VersionId"])


def upload_parts(s3: Any, bucket: str, **lock: Any) -> str:
    target = {"Bucket": bucket, "Key": "k"}
    upload = target | {"UploadId": s3.create_multipart_upload(**target, ChecksumAlgorithm="CRC32", **lock)["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=PART)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    return str(s3.complete_multipart_upload(**upload, MultipartUpload=parts)["VersionId"])


def lock_of(s3: Any, bucket: str, version: str) -> tuple[Any, Any, Any]:
    head = s3.head_object(Bucket=bucket, Key="k", VersionId=version)
    return tuple(
        head.get(name) for name in ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")
    )  # type: ignore[return-value]


def retain(s3: Any, bucket: str, version: str, mode: str | None, until: datetime | None, **options: Any) -> None:
    retention = {name: value for name, value in (("Mode", mode), ("RetainUntilDate", until)) if value}
    s3.put_object_retention(Bucket=bucket, Key="k", VersionId=version, Retention=retention, **options)


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\)")


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_multipart_upload_has_the_lock_that_it_was_created_with(s3: Any, bucket: str, lock: dict[str, Any]) -> None:
    """API_CreateMultipartUpload has the three headers. s3-tests: test_object_lock_delete_multipart_object_with_*."""
    version = upload_parts(s3, bucket, **lock)
    wanted = (lock.get("ObjectLockMode"), lock.get("ObjectLockRetainUntilDate"), lock.get("ObjectLockLegalHoldStatus"))
    assert lock_of(s3, bucket, version) == wanted
    with refused("AccessDenied"):
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version)


def test_multipart_upload_has_the_default_retention(s3: Any) -> None:
    """UG object-lock-configure: a default retention applies to all new objects in the bucket."""
    bucket = make_bucket(s3, days=1)
    mode, until, _ = lock_of(s3, bucket, upload_parts(s3, bucket))
    assert mode == "GOVERNANCE"
    assert until > NOW + timedelta(hours=23)


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_copy_has_the_lock_of_its_own_headers(s3: Any, bucket: str, lock: dict[str, Any]) -> None:
    """API_CopyObject: the headers are of the copy. It has no body, and asks for no checksum of one."""
    put(s3, bucket, "source")
    source = {"Bucket": bucket, "Key": "source"}
    version = s3.copy_object(Bucket=bucket, Key="k", CopySource=source, **lock)["VersionId"]
    wanted = (lock.get("ObjectLockMode"), lock.get("ObjectLockRetainUntilDate"), lock.get("ObjectLockLegalHoldStatus"))
    assert lock_of(s3, bucket, version) == wanted


def test_copy_that_may_not_overwrite_is_refused_if_the_object_exists(s3: Any, bucket: str) -> None:
    """API_CopyObject: If-None-Match. A delete marker is no object."""
    s3.put_object(Bucket=bucket, Key="source", Body=b"x")
    copy = {"Bucket": bucket, "Key": "k", "CopySource": {"Bucket": bucket, "Key": "source"}, "IfNoneMatch": "*"}
    s3.copy_object(**copy)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.copy_object(**copy)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.copy_object(**copy)


def test_copy_into_a_bucket_with_a_default_retention_has_that(s3: Any, bucket: str) -> None:
    """UG object-lock-configure: a default retention applies to all new objects. The source's lock is not copied."""
    put(s3, bucket, "source", **LOCKS["compliance"])
    other = make_bucket(s3, days=1)
    source = {"Bucket": bucket, "Key": "source"}
    version = s3.copy_object(Bucket=other, Key="k", CopySource=source)["VersionId"]
    mode, until, hold = lock_of(s3, other, version)
    assert (mode, hold) == ("GOVERNANCE", None)
    assert until < LATER - timedelta(hours=1)


def test_copy_from_a_locked_object_is_not_locked(s3: Any, bucket: str) -> None:
    """UG object-lock-managing: a copy has no lock but the one that its request asks for."""
    put(s3, bucket, "source", **GOVERNED, **HELD)
    version = s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "source"})["VersionId"]
    assert lock_of(s3, bucket, version) == (None, None, None)


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_retention_can_be_made_longer(s3: Any, bucket: str, mode: str) -> None:
    """UG object-lock: a principal that may place a retention may extend it. s3-tests: ..._increase_period."""
    version = put(s3, bucket, ObjectLockMode=mode, ObjectLockRetainUntilDate=SOON)
    retain(s3, bucket, version, mode, LATER)
    assert lock_of(s3, bucket, version)[:2] == (mode, LATER)


@pytest.mark.parametrize(
    "change", [("GOVERNANCE", SOON), (None, None), ("COMPLIANCE", LATER)], ids=["shorter", "removed", "another mode"]
)
def test_governance_is_weakened_with_the_bypass_only(s3: Any, bucket: str, change: tuple[Any, Any]) -> None:
    """UG object-lock: shortening and removing need s3:BypassGovernanceRetention and the header.

    A change of the mode needs it as well (https://github.com/ceph/ceph/pull/42505, found by use of S3, and s3-tests:
    test_object_lock_changing_mode_from_governance_without_bypass).
    """
    version = put(s3, bucket, **GOVERNED)
    for bypass in ({}, {"BypassGovernanceRetention": False}):
        with refused("AccessDenied"):
            retain(s3, bucket, version, *change, **bypass)
    assert lock_of(s3, bucket, version)[:2] == ("GOVERNANCE", LATER)
    retain(s3, bucket, version, *change, BypassGovernanceRetention=True)
    assert lock_of(s3, bucket, version)[:2] == change


@pytest.mark.parametrize(
    "change", [("COMPLIANCE", SOON), (None, None), ("GOVERNANCE", LATER)], ids=["shorter", "removed", "another mode"]
)
def test_compliance_is_never_weakened(s3: Any, bucket: str, change: tuple[Any, Any]) -> None:
    """UG object-lock: its mode cannot be changed, and its period cannot be shortened, not even by the root user."""
    version = put(s3, bucket, **LOCKS["compliance"])
    with refused("AccessDenied"):
        retain(s3, bucket, version, *change, BypassGovernanceRetention=True)
    assert lock_of(s3, bucket, version)[:2] == ("COMPLIANCE", LATER)


def test_retention_that_has_ended_can_be_replaced(s3: Any, bucket: str, clock_file: Path) -> None:
    """UG object-lock: after the period an object version can be deleted, and a new period can be placed."""
    version = put(s3, bucket, **LOCKS["compliance"])
    try:
        clock_file.write_text(str(int(timedelta(days=3).total_seconds())), encoding="utf-8")
        retain(s3, bucket, version, "GOVERNANCE", NOW + timedelta(days=4))
    finally:
        clock_file.unlink()
    assert lock_of(s3, bucket, version)[0] == "GOVERNANCE"


@pytest.mark.parametrize(
    ("retention", "code"),
    [
        ({"Mode": "GOVERNANCE"}, "MalformedXML"),
        ({"RetainUntilDate": LATER}, "MalformedXML"),
        ({"Mode": "governance", "RetainUntilDate": LATER}, "MalformedXML"),
        ({"Mode": "GOVERNANCE", "RetainUntilDate": NOW - timedelta(days=1)}, "InvalidArgument"),
    ],
    ids=["no date", "no mode", "unknown mode", "past date"],
)
def test_malformed_retention_is_refused(s3: Any, bucket: str, retention: dict[str, Any], code: str) -> None:
    """s3-tests: test_object_lock_put_obj_retention_invalid_mode, and API_ObjectLockRetention. The date is future."""
    version = put(s3, bucket)
    with refused(code):
        s3.put_object_retention(Bucket=bucket, Key="k", VersionId=version, Retention=retention)
    assert lock_of(s3, bucket, version) == (None, None, None)


@pytest.mark.parametrize(
    "headers",
    [
        {"ObjectLockMode": "GOVERNANCE"},
        {"ObjectLockRetainUntilDate": LATER},
        {"ObjectLockMode": "governance", "ObjectLockRetainUntilDate": LATER},
        {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": NOW - timedelta(days=1)},
        {"ObjectLockLegalHoldStatus": "on"},
    ],
    ids=["no date", "no mode", "unknown mode", "past date", "unknown hold"],
)
def test_malformed_lock_headers_are_refused(s3: Any, bucket: str, headers: dict[str, Any]) -> None:
    """UG object-lock-managing: mode and date come together, and the date is in the future: 400 InvalidArgument."""
    put(s3, bucket, "source")
    with refused("InvalidArgument"):
        put(s3, bucket, **headers)
    with refused("InvalidArgument"):
        s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "source"}, **headers)
    with refused("InvalidArgument"):
        s3.create_multipart_upload(Bucket=bucket, Key="k", **headers)


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_bucket_without_object_lock_refuses_locks(s3: Any, lock: dict[str, Any]) -> None:
    """API_PutObject and others: 400 InvalidRequest, Bucket is missing Object Lock Configuration."""
    bucket = make_bucket(s3, lock=False)
    s3.put_object(Bucket=bucket, Key="source", Body=b"x")
    with refused("InvalidRequest"):
        s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "source"}, **lock)
    with refused("InvalidRequest"):
        s3.create_multipart_upload(Bucket=bucket, Key="k", **lock)
    for call in (s3.get_object_retention, s3.get_object_legal_hold):
        with refused("InvalidRequest"):
            call(Bucket=bucket, Key="source")


def test_hold_does_not_replace_the_default_retention(s3: Any) -> None:
    """UG object-lock: a legal hold is independent of retention periods."""
    bucket = make_bucket(s3, days=1)
    mode, until, hold = lock_of(s3, bucket, put(s3, bucket, **HELD))
    assert (mode, hold) == ("GOVERNANCE", "ON")
    assert until


def test_retention_and_hold_are_returned(s3: Any, bucket: str) -> None:
    """API_GetObjectRetention, API_GetObjectLegalHold. Without one: 404 NoSuchObjectLockConfiguration."""
    version = {"Bucket": bucket, "Key": "k", "VersionId": put(s3, bucket)}
    for call in (s3.get_object_retention, s3.get_object_legal_hold):
        with refused("NoSuchObjectLockConfiguration"):
            call(**version)
    s3.put_object_retention(**version, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": LATER})
    s3.put_object_legal_hold(**version, LegalHold={"Status": "ON"})
    put(s3, bucket)
    assert s3.get_object_retention(**version)["Retention"] == {"Mode": "GOVERNANCE", "RetainUntilDate": LATER}
    assert s3.get_object_legal_hold(**version)["LegalHold"] == {"Status": "ON"}


def test_hold_and_retention_of_a_marker_or_of_nothing_are_refused(s3: Any, bucket: str) -> None:
    """UG DeleteMarker: a marker is no object and has no lock. Its version id: 405; the key without one: 404."""
    version = put(s3, bucket)
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    asked = [({"VersionId": marker}, "MethodNotAllowed"), ({}, "NoSuchKey"), ({"VersionId": "none"}, "NoSuchVersion")]
    for more, code in asked:
        with refused(code):
            s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "ON"}, **more)
        with refused(code):
            s3.put_object_retention(
                Bucket=bucket, Key="k", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": LATER}, **more
            )
    s3.put_object_legal_hold(Bucket=bucket, Key="k", VersionId=version, LegalHold={"Status": "ON"})
    with refused("MalformedXML"):
        s3.put_object_legal_hold(Bucket=bucket, Key="k", VersionId=version, LegalHold={"Status": "on"})


def test_delete_needs_a_true_bypass(s3: Any, bucket: str) -> None:
    """UG object-lock: the request must have `x-amz-bypass-governance-retention: true`."""
    version = {"Bucket": bucket, "Key": "k", "VersionId": put(s3, bucket, **GOVERNED)}
    with refused("AccessDenied"):
        s3.delete_object(**version, BypassGovernanceRetention=False)
    s3.delete_object(**version, BypassGovernanceRetention=True)


def test_batch_of_deletes_names_the_locked_versions(s3: Any, bucket: str) -> None:
    """API_DeleteObjects: an Error has the key and the version that could not be deleted; the others are deleted."""
    locked, free = put(s3, bucket, **GOVERNED), put(s3, bucket)
    objects = [{"Key": "k", "VersionId": version} for version in (locked, free)]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    (error,) = answer["Errors"]
    assert (error["Key"], error["VersionId"], error["Code"]) == ("k", locked, "AccessDenied")
    assert [each["VersionId"] for each in answer["Deleted"]] == [free]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects[:1]}, BypassGovernanceRetention=True)
    assert "Errors" not in answer


def test_default_retention_of_a_bucket_with_objects_can_be_set(s3: Any, bucket: str) -> None:
    """UG object-lock-configure: changing it touches no existing object."""
    before = put(s3, bucket)
    put_default(s3, bucket, 1)
    assert lock_of(s3, bucket, before) == (None, None, None)
    assert lock_of(s3, bucket, put(s3, bucket))[0] == "GOVERNANCE"


def test_versioning_of_a_locked_bucket_stays_on(s3: Any, bucket: str) -> None:
    """UG object-lock-configure: versioning cannot be suspended. s3-tests: test_object_lock_suspend_versioning."""
    with refused("InvalidBucketState"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
