"""The verdict on recorded calls: it names exactly the refused calls and the unused permissions."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from localcloud.template import load_template
from tests.support.stack import LANDING, REGION, SFTP, STACK
from tests.template.permissions import calls as recorded
from tests.template.permissions.calls import Call, call
from tests.template.permissions.stack import FUNCTIONS, TEMPLATE, Deployed, resolve
from tests.template.permissions.verdict import judge

WAV = "acme/1_1.wav"
# Minimal roles, with calls that use each of their permissions.
STATEMENTS: dict[str, list[dict[str, Any]]] = {
    "EncryptRecordingRole": [
        {"Sid": "Purge", "Effect": "Allow", "Action": "s3:DeleteObject",
         "Resource": {"Fn::Sub": "${LandingBucket.Arn}/*"}},
        {"Sid": "Take", "Effect": "Allow", "Resource": {"Fn::GetAtt": ["EncryptQueue", "Arn"]},
         "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]},
        {"Sid": "Logs", "Effect": "Allow", "Resource": {"Fn::GetAtt": ["EncryptRecordingLogGroup", "Arn"]},
         "Action": ["logs:CreateLogStream", "logs:PutLogEvents"]},
    ],
    "SweepLandingRole": [
        {"Sid": "Keys", "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource":
         f"arn:aws:secretsmanager:{REGION}:123456789012:secret:{STACK}/tenants/*/public-key*"},
        {"Sid": "Audit", "Effect": "Allow", "Action": "events:PutEvents",
         "Resource": {"Fn::GetAtt": ["AuditBus", "Arn"]}, "Condition": {"StringEquals": {"events:source": "callseal"}}},
        {"Sid": "Logs", "Effect": "Allow", "Resource": {"Fn::GetAtt": ["SweepLandingLogGroup", "Arn"]},
         "Action": ["logs:CreateLogStream", "logs:PutLogEvents"]},
    ],
}  # fmt: skip
PURGE = call("encrypt_recording", "s3", "DeleteObject", bucket=LANDING, key=WAV, if_match="*")
KEY = call("sweep_landing", "secrets-manager", "GetSecretValue", name=f"{STACK}/tenants/acme/public-key")
AUDIT = call("sweep_landing", "eventbridge", "PutEvents", name=f"{STACK}-audit", source="callseal")
CALLS = {PURGE, KEY, AUDIT}


@pytest.fixture(scope="module")
def translated() -> dict[str, Any]:
    return load_template(TEMPLATE, REGION)


def small(translated: dict[str, Any], **statements: list[dict[str, Any]]) -> Deployed:
    """Return the stack with the minimal roles, or with these."""
    template, whole = copy.deepcopy(translated), resolve(translated)
    others = {whole.role(one).name: of_lambda_alone(whole, one) for one in FUNCTIONS}
    for role, those in {**others, **STATEMENTS, **statements}.items():
        template["Resources"][role]["Properties"]["Policies"] = [{"PolicyDocument": {"Statement": those}}]
    return resolve(template)


def of_lambda_alone(stack: Deployed, function: str) -> list[dict[str, Any]]:
    """Return statements for what Lambda itself does with a function's role."""
    needs = stack.needs_of_lambda(function)
    return [{"Sid": "Lambda", "Effect": "Allow", "Action": each.action, "Resource": each.resource} for each in needs]


def test_calls_that_fit_their_roles_hold(translated: dict[str, Any]) -> None:
    verdict = judge(CALLS, small(translated))
    assert (verdict.not_allowed, verdict.unused, verdict.holds) == ((), (), True)
    assert verdict.line == "permissions: 3 kinds of calls, 0 not allowed, 0 permissions unused"


def test_kind_of_a_call_does_not_depend_on_its_file_or_tenant(translated: dict[str, Any]) -> None:
    others = {
        call("encrypt_recording", "s3", "DeleteObject", bucket=LANDING, key="other/2.wav", if_match="*"),
        call("sweep_landing", "secrets-manager", "GetSecretValue", name=f"{STACK}/tenants/other/public-key"),
    }
    assert judge(CALLS | others, small(translated)).kinds == judge(CALLS, small(translated)).kinds


REFUSED: dict[str, tuple[Call, str]] = {
    "another bucket": (
        call("encrypt_recording", "s3", "DeleteObject", bucket=SFTP, key=WAV),
        f"EncryptRecordingRole does not allow s3:DeleteObject on arn:aws:s3:::{SFTP}/{WAV}",
    ),
    "another action": (
        call("encrypt_recording", "s3", "PutObjectTagging", bucket=LANDING, key=WAV),
        "EncryptRecordingRole does not allow s3:PutObjectTagging",
    ),
    "a condition that asks for one right more": (
        call("encrypt_recording", "s3", "DeleteObject", bucket=LANDING, key=WAV, if_match='"etag"'),
        "EncryptRecordingRole does not allow s3:GetObject",
    ),
    "one key of a batch": (
        call("encrypt_recording", "s3", "DeleteObjects", bucket=SFTP, key="b"),
        f"EncryptRecordingRole does not allow s3:DeleteObject on arn:aws:s3:::{SFTP}/b",
    ),
    "the other function's right": (
        call("encrypt_recording", "secrets-manager", "GetSecretValue", name=f"{STACK}/tenants/acme/public-key"),
        "EncryptRecordingRole does not allow secretsmanager:GetSecretValue",
    ),
    "the SFTP keys": (
        call("sweep_landing", "secrets-manager", "GetSecretValue", name=f"{STACK}/tenants/acme/sftp-keys"),
        "SweepLandingRole does not allow secretsmanager:GetSecretValue",
    ),
    "another source": (
        call("sweep_landing", "eventbridge", "PutEvents", name=f"{STACK}-audit", source="other"),
        "SweepLandingRole does not allow events:PutEvents",
    ),
    "another parameter": (
        call("sweep_landing", "ssm", "GetParameters", name=f"/{STACK}/other"),
        "SweepLandingRole does not allow ssm:GetParameters",
    ),
    "an operation that nobody has looked up": (
        call("sweep_landing", "s3", "PutObjectAcl", bucket=SFTP, key=WAV),
        "s3.PutObjectAcl",
    ),
    "a request of nobody": (
        call("", "s3", "ListObjectsV2", bucket=LANDING),
        "nobody is no function",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_call_that_would_be_refused_is_named(translated: dict[str, Any], what: str) -> None:
    asked, words = REFUSED[what]
    verdict = judge(CALLS | {asked}, small(translated))
    assert not verdict.holds
    # A secret is requested by two names.
    assert [words in one for one in verdict.not_allowed] == [True] * (2 if "GetSecretValue" in words else 1)


@pytest.mark.parametrize(
    ("left_out", "words"),
    [
        (PURGE, f"EncryptRecordingRole has no use for Purge: s3:DeleteObject on arn:aws:s3:::{LANDING}/*"),
        (KEY, "SweepLandingRole has no use for Keys: secretsmanager:GetSecretValue on"),
        (AUDIT, "SweepLandingRole has no use for Audit: events:PutEvents on"),
    ],
)
def test_unused_permission_is_named(translated: dict[str, Any], left_out: Call, words: str) -> None:
    verdict = judge(CALLS - {left_out}, small(translated))
    assert not verdict.holds
    assert [one.startswith(words) for one in verdict.unused] == [True]


def test_permissions_that_lambda_itself_needs_are_required(translated: dict[str, Any]) -> None:
    without = [statement for statement in STATEMENTS["EncryptRecordingRole"] if statement["Sid"] == "Purge"]
    verdict = judge(CALLS, small(translated, EncryptRecordingRole=without))
    lacking = sorted(one.split()[5] for one in verdict.not_allowed)
    assert lacking == [
        "logs:CreateLogStream", "logs:PutLogEvents",
        "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage",
    ]  # fmt: skip


def test_verdict_without_any_calls_does_not_hold(translated: dict[str, Any]) -> None:
    assert not judge(set(), small(translated, EncryptRecordingRole=[], SweepLandingRole=[])).holds


def test_a_call_with_a_version_counts_once_landing_has_versions(translated: dict[str, Any]) -> None:
    asked = call("encrypt_recording", "s3", "DeleteObject", bucket=LANDING, key=WAV, version="v")
    assert judge(CALLS | {asked}, small(translated)).holds

    versioned = copy.deepcopy(translated)
    bucket = versioned["Resources"]["LandingBucket"]["Properties"]
    bucket["VersioningConfiguration"] = {"Status": "Enabled"}

    assert ["s3:DeleteObjectVersion" in one for one in judge(CALLS | {asked}, small(versioned)).not_allowed] == [True]


def test_delivery_tests_record_the_calling_function() -> None:
    """Requests without a function belong to no role. They are refused above; this test checks that there are none."""
    assert {one.function for one in recorded.NOTED} <= set(FUNCTIONS)
