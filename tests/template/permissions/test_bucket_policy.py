"""The uploads that the buckets' policies deny: objects are encrypted with the stack's key, or rejected."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.stack import ARCHIVE, LANDING, REGION, SFTP
from tests.template.permissions.bucket_policy import denied_by
from tests.template.permissions.stack import Deployed

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/StackKey"
OTHER_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
POLICIES = {LANDING: "LandingBucketPolicy", SFTP: "SftpBucketPolicy", ARCHIVE: "ArchiveBucketPolicy"}
ENCRYPTION, KEY_ID = "x_amz_server_side_encryption", "x_amz_server_side_encryption_aws_kms_key_id"
CUSTOMER = "x_amz_server_side_encryption_customer_algorithm"

TAKEN: dict[str, dict[str, str]] = {
    "no header": {},
    "the stack's key": {ENCRYPTION: "aws:kms", KEY_ID: KEY},
}
REFUSED: dict[str, tuple[str, dict[str, str]]] = {
    "aws:kms without a key, which is aws/s3": ("StackKeyOnly", {ENCRYPTION: "aws:kms"}),
    "another key of the account": ("StackKeyOnly", {ENCRYPTION: "aws:kms", KEY_ID: OTHER_KEY}),
    "a key of another account": (
        "StackKeyOnly",
        {ENCRYPTION: "aws:kms", KEY_ID: OTHER_KEY.replace("1234567", "7654321")},
    ),
    "a bare key id": ("StackKeyOnly", {ENCRYPTION: "aws:kms", KEY_ID: "StackKey"}),
    "an alias": ("StackKeyOnly", {ENCRYPTION: "aws:kms", KEY_ID: "alias/callseal-test"}),
    "an alias's ARN": (
        "StackKeyOnly",
        {ENCRYPTION: "aws:kms", KEY_ID: f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/callseal-test"},
    ),
    "S3's own key": ("StackKeyOnly", {ENCRYPTION: "AES256"}),
    "two layers under aws/s3": ("StackKeyOnly", {ENCRYPTION: "aws:kms:dsse"}),
    "two layers under another key": ("StackKeyOnly", {ENCRYPTION: "aws:kms:dsse", KEY_ID: OTHER_KEY}),
    "a key of the uploader's own": ("NoKeyOfTheUploader", {CUSTOMER: "AES256"}),
}


def denied(stack: Deployed, bucket: str, headers: dict[str, str], key: str = "acme/1.wav") -> set[str]:
    statements: list[dict[str, Any]] = stack.resources[POLICIES[bucket]]["Properties"]["PolicyDocument"]["Statement"]
    return denied_by(statements, "s3:PutObject", f"arn:aws:s3:::{bucket}/{key}", **headers)


# The context of each kind of request in the condition on overwriting. A copy has the same context as a put.
PUT = {"if_none_match": "*", "ObjectCreationOperation": "true"}
BEGIN_MULTIPART = {"ObjectCreationOperation": "false"}


@pytest.mark.parametrize("request_kind", [PUT, BEGIN_MULTIPART], ids=["put or copy", "multipart"])
@pytest.mark.parametrize("bucket", POLICIES)
@pytest.mark.parametrize("name", TAKEN)
def test_object_under_the_stacks_key_is_accepted(
    stack: Deployed, bucket: str, name: str, request_kind: dict[str, str]
) -> None:
    assert denied(stack, bucket, request_kind | TAKEN[name]) == set()


@pytest.mark.parametrize("request_kind", [PUT, BEGIN_MULTIPART], ids=["put or copy", "multipart"])
@pytest.mark.parametrize("bucket", POLICIES)
@pytest.mark.parametrize("name", REFUSED)
def test_an_object_under_another_key_is_refused(
    stack: Deployed, bucket: str, name: str, request_kind: dict[str, str]
) -> None:
    sid, headers = REFUSED[name]
    assert denied(stack, bucket, request_kind | headers) == {sid}


def test_answer_of_a_tenant_by_sftp_is_accepted(stack: Deployed) -> None:
    """Transfer Family sends no encryption header and no condition."""
    answer = f"acme/key-check/{'A' * 64}.answer"
    assert denied(stack, SFTP, {"ObjectCreationOperation": "true"}, answer) == set()
    assert denied(stack, SFTP, {"ObjectCreationOperation": "true"}) == {"NeverOverwrite"}
    assert denied(stack, SFTP, {"ObjectCreationOperation": "true", CUSTOMER: "AES256"}, answer) == {
        "NoKeyOfTheUploader"
    }


LOCKS = {
    "10 years": ("COMPLIANCE", 3653, set()),
    "10 years, rounded up": ("COMPLIANCE", 3654, set()),
    "longer": ("COMPLIANCE", 3655, {"ComplianceIsBounded"}),
    "governance": ("GOVERNANCE", 36500, set()),
}


@pytest.mark.parametrize(("mode", "days", "expected"), LOCKS.values(), ids=LOCKS)
def test_compliance_lasts_for_the_parameters_years_at_most(
    stack: Deployed, mode: str, days: int, expected: set[str]
) -> None:
    headers = {"object_lock_mode": mode, "object_lock_remaining_retention_days": str(days)}
    statements = stack.resources[POLICIES[ARCHIVE]]["Properties"]["PolicyDocument"]["Statement"]
    denied = denied_by(statements, "s3:PutObjectRetention", f"arn:aws:s3:::{ARCHIVE}/acme/1.wav", **headers)
    assert denied == expected


def test_the_key_of_the_policies_is_the_buckets_own_default(stack: Deployed) -> None:
    assert {stack.place.keys[bucket] for bucket in POLICIES} == {KEY}


@pytest.mark.parametrize(
    "statement",
    [
        {"NotAction": "s3:PutObject"},
        {"Principal": {"AWS": "123456789012"}},
        {"Effect": "Allow"},
        {"Condition": {"StringLike": {"s3:x-amz-acl": "*"}}},
    ],
    ids=str,
)
def test_unsupported_policy_elements_are_an_error(statement: dict[str, Any]) -> None:
    known = {"Sid": "One", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    with pytest.raises((ValueError, KeyError)):
        denied_by([known | statement], "s3:PutObject", "arn:aws:s3:::landing/1")
