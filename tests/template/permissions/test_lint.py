"""Every policy document of the translated template, linted by parliament. Findings are fixed or explained here."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.template.permissions.stack import FUNCTIONS, Deployed

# By policy and finding: why it stays.
KEY_POLICY, TRUST = "StackKey.KeyPolicy", "AssumeRolePolicyDocument"
EXPLAINED = {
    (KEY_POLICY, "RESOURCE_STAR"): "In a key's policy `*` is that key alone, and nothing else can be written.",
    (KEY_POLICY, "PERMISSIONS_MANAGEMENT_ACTIONS"): "AWS's default statement: IAM administers the key, and without it "
    "nobody could.",
    (KEY_POLICY, "UNKNOWN_CONDITION_FOR_ACTION"): "As CloudWatch Logs' guide has it, kms:DescribeKey under the "
    "encryption context, where it grants nothing.",
    (
        KEY_POLICY,
        "MISMATCHED_TYPE",
    ): "The encryption context is a text that holds an ARN: ArnLike, as that guide has it.",
    (
        "EraseRecordingsRole.Policies[0].PolicyDocument",
        "PERMISSIONS_MANAGEMENT_ACTIONS",
    ): "s3:BypassGovernanceRetention, which an erasure on request needs, and which only this role has.",
} | {
    (
        f"{bucket}BucketPolicy.PolicyDocument",
        "MISMATCHED_TYPE_BUT_USABLE",
    ): "Compared as a text, a key id or an alias in place of the key's ARN differs from it, and is denied."
    for bucket in ("Landing", "Sftp", "Archive")
}
# The wildcards in Allow statements, with their reasons. IAM's `*` includes slashes, and its `?` is one character.
WILDCARDS = {
    "kms:*": "the key's own policy: the account's administrators, through IAM",
    "kms:ReEncrypt*": "the key's own policy: CloudWatch Logs, as its guide has it, for this account's log groups",
    "kms:GenerateDataKey*": "the key's own policy: CloudWatch Logs, as its guide has it, for this account's log groups",
    "*": "the key's own policy: the key itself; and the names of all secrets, for ListSecrets knows no resource",
    "landing/*": "the files of one bucket",
    **dict.fromkeys(
        ("landing/*.??l", "landing/*.??L", "landing/*.???n", "landing/*.???N"),
        "the metadata files of one bucket: IAM distinguishes cases, and no recording's name ends so",
    ),
    "sftp/*": "the files of one bucket",
    "tenants/*/sftp-keys": "the same, if AWS evaluates a secret that does not exist by its bare name",
    "tenants/*/public-key": "the same, if AWS evaluates a secret that does not exist by its bare name",
    "tenants/*/sftp-keys-??????": "any tenant's SFTP keys; Secrets Manager chooses the last six characters",
    "archive/*": "the files of one bucket",
    "web/*": "the files of one bucket, the archive's page",
    **dict.fromkeys(
        ("archive/*.?a?", "archive/*.?A?", "archive/*.?p3", "archive/*.?P3"),
        "the plain recordings of one bucket: a sealed one ends in .p7m or .pgp",
    ),
    **{
        f"arn:aws:dynamodb:eu-north-1:123456789012:table/callseal-test-{name}/index/*": "the indexes of one table"
        for name in ("calls", "archive-trail")
    },
    "oidc-client-secret-??????": "the archive's secret; Secrets Manager chooses the last six characters",
    "tenants/*/access": "any tenant's access",
    "audit/*": "the files of one bucket",
    "audit/disposals/*": "the records of disposals",
    "audit/audit/*": "the files of one bucket that hold events",
    "tenants/*/public-key-??????": "any tenant's public key; Secrets Manager chooses the last six characters",
    "sftp/*/key-check/*.txt.*": "any tenant's challenges",
    "audit/erasures/*": "the files of one bucket that are certificates",
    "sftp/*/notices/erasure-*.json*": "any tenant's notices of erasures",
    "sftp/*/notices/*.done": "any tenant's answers to them; the session policy narrows it to one tenant's",
    "sftp/*/proof/keys/*.pem": "the stack's public key in any tenant's area",
    "sftp/*/key-check/*.answer": "any tenant's answers to them; the session policy narrows it to one tenant's",
    "tenants/*/settings": "any tenant's settings",
    "tenants/*/policy": "any tenant's policy",
    "log-group:/aws/kinesisfirehose/callseal-test-audit:*": "the streams of one log group",
    "log-group:/callseal-test/sftp:*": "the streams of one log group",
    "log-group:/callseal-test/audit:*": "the streams of one log group",
    "log-group:/callseal-test/archive-api:*": "the streams of one log group",
} | {
    f"log-group:/aws/lambda/callseal-test-{function.replace('_', '-')}:*": "the streams of one log group"
    for function in FUNCTIONS
}


def lint(linters: Path, policies: dict[str, Any]) -> list[tuple[str, str, str]]:
    script = Path(__file__).with_name("lint_policies.py")
    ran = subprocess.run([linters / "python", script], input=json.dumps(policies), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return [tuple(found) for found in json.loads(ran.stdout)]


def allowing(stack: Deployed) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, policy in stack.policies():
        yield from ((name, one) for one in policy["Statement"] if one["Effect"] == "Allow")


def as_list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def shortened(resource: str) -> str:
    """Return the last parts of a resource pattern, without the account."""
    name = resource.split(":::")[-1].split(":secret:callseal-test/")[-1].split(":parameter/callseal-test/")[-1]
    return name[name.index("log-group:") :] if "log-group:" in name else name


def test_every_finding_of_the_linter_is_explained(linters: Path, stack: Deployed) -> None:
    policies = {name: policy for name, policy in stack.policies() if not name.endswith(TRUST)}
    found = lint(linters, policies)
    assert {(name, issue) for name, issue, _ in found} == set(EXPLAINED), found


@pytest.mark.parametrize(
    ("broken", "issue"),
    [
        ({"Action": "s3:GetObjekt"}, "UNKNOWN_ACTION"),
        ({"Action": "s3:ListBucket"}, "RESOURCE_MISMATCH"),
        ({"Action": "iam:CreateAccessKey", "Resource": "*"}, "CREDENTIALS_EXPOSURE"),
        ({"Action": "s3:PutObject", "Resource": "*"}, "RESOURCE_STAR"),
        ({"Condition": {"StringEquals": {"s3:no-such-key": "x"}}}, "UNKNOWN_CONDITION_FOR_ACTION"),
        ({"Effect": "Perhaps"}, "MALFORMED"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_linter_detects_broken_policies(linters: Path, broken: dict[str, Any], issue: str) -> None:
    good = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::landing/*"}
    assert lint(linters, {"good": {"Version": "2012-10-17", "Statement": [good]}}) == []
    assert issue in {
        found[1] for found in lint(linters, {"p": {"Version": "2012-10-17", "Statement": [good | broken]}})
    }


def test_every_wildcard_is_explained(stack: Deployed) -> None:
    found = {action for _, one in allowing(stack) for action in as_list(one["Action"]) if set("*?") & set(action)}
    resources = {resource for _, one in allowing(stack) for resource in as_list(one.get("Resource", []))}
    found |= {shortened(resource) for resource in resources if set("*?") & set(resource)}
    assert found == set(WILDCARDS)


def test_only_the_keys_policy_and_a_listing_name_all_resources_or_all_actions(stack: Deployed) -> None:
    wide = {
        name
        for name, one in allowing(stack)
        if "*" in as_list(one.get("Resource", [])) or any("*" in action for action in as_list(one["Action"]))
    }
    assert wide == {KEY_POLICY, "CheckKeysRole.Policies[0].PolicyDocument"}


def test_no_statement_allows_by_exclusion(stack: Deployed) -> None:
    assert not [name for name, one in allowing(stack) if {"NotAction", "NotResource", "NotPrincipal"} & set(one)]


def test_each_role_is_assumed_by_one_service_only(stack: Deployed) -> None:
    trusts = {name.partition(".")[0]: one for name, one in allowing(stack) if name.endswith(TRUST)}
    services = {"AuditStreamRole": "firehose", "AuditRuleRole": "events", "SftpSessionRole": "transfer"} | {
        stack.role(function).name: "lambda" for function in FUNCTIONS
    }
    assert {name: (one["Principal"], one["Action"]) for name, one in trusts.items()} == {
        name: ({"Service": f"{service}.amazonaws.com"}, "sts:AssumeRole") for name, service in services.items()
    }


def test_resource_policies_allow_no_other_account(stack: Deployed) -> None:
    """A public service may act only for this account's own resources: limited by account or by source ARN."""
    for name, one in allowing(stack):
        service = one.get("Principal", {}).get("Service")
        if service and not name.endswith(TRUST):
            conditions = json.dumps(one.get("Condition", {}))
            assert "aws:SourceAccount" in conditions or ":123456789012:" in conditions, name
