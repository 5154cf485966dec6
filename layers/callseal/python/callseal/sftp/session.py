"""The answer that lets a server open a tenant's session: its home folder, its keys, and what it may do.

https://docs.aws.amazon.com/transfer/latest/userguide/custom-lambda-idp.html (the answer) and
https://docs.aws.amazon.com/transfer/latest/userguide/users-policies-session.html (the policy). The policy restricts the
session's role, and cannot grant a permission that the role does not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# The fingerprints of a certificate (SHA-256) and of OpenPGP keys (SHA-1 and, of version 5 and 6, SHA-256) in hex.
FINGERPRINT_DIGITS = (40, 64)
# The id of a request for erasure in hex.
REQUEST_DIGITS = 16
# Transfer Family's limit for a session policy.
MAX_POLICY_CHARACTERS = 2048


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What all sessions of a stack share: the ARNs of role, bucket and KMS key, the bucket's name and the region."""

    role_arn: str
    bucket: str
    bucket_arn: str
    key_arn: str
    region: str


def session_answer(settings: SessionSettings, tenant: str, keys: Iterable[str], *, may_delete: bool) -> dict[str, Any]:
    """Return the answer that lets a server open a session with one of the keys (each `type base64`)."""
    home = [{"Entry": "/", "Target": f"/{settings.bucket}/{tenant}"}]
    policy = session_policy(settings, tenant, may_delete=may_delete)
    return {
        "Role": settings.role_arn,
        "Policy": json.dumps(policy, separators=(",", ":")),
        "HomeDirectoryType": "LOGICAL",
        "HomeDirectoryDetails": json.dumps(home),
        "PublicKeys": list(keys),
    }


def session_policy(settings: SessionSettings, tenant: str, *, may_delete: bool) -> dict[str, Any]:
    """Return a session's policy: list and read its tenant's folder, answer in it, and delete if allowed."""
    bucket, own = settings.bucket_arn, f"{settings.bucket_arn}/{tenant}"
    # A prefix without the slash would also list the folders of tenants whose names begin with this one's, and with the
    # delimiter `/` their names.
    listing = {"StringLike": {"s3:prefix": [f"{tenant}/*"]}}
    answers = [f"{own}/key-check/{'?' * digits}.answer" for digits in FINGERPRINT_DIGITS]
    answers.append(f"{own}/notices/erasure-{'?' * REQUEST_DIGITS}.done")
    at_rest = {"StringEquals": {"kms:ViaService": f"s3.{settings.region}.amazonaws.com"}}
    statements = [
        _allow("Find", "s3:GetBucketLocation", bucket),
        _allow("List", "s3:ListBucket", bucket) | {"Condition": listing},
        _allow("Read", "s3:GetObject", f"{own}/*"),
        *([_allow("Delete", "s3:DeleteObject", f"{own}/*")] if may_delete else []),
        _allow("Answer", "s3:PutObject", answers),
        # IAM's `?` also matches a slash: this restricts answers to the folders themselves.
        _allow("NoFolderBelow", "s3:PutObject", [f"{own}/key-check/*/*", f"{own}/notices/*/*"]) | {"Effect": "Deny"},
        _allow("AtRest", ["kms:Decrypt", "kms:GenerateDataKey"], settings.key_arn) | {"Condition": at_rest},
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(sid: str, actions: str | list[str], resources: str | list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
