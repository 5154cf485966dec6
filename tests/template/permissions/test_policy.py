"""The evaluation refuses what IAM refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.template.permissions.needs import Need
from tests.template.permissions.policy import Role, permissions_of

BUS = "arn:aws:events:eu-north-1:123456789012:event-bus/audit"
READ: dict[str, Any] = {
    "Sid": "Read",
    "Effect": "Allow",
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::landing/*",
}
KEYS = {
    "Sid": "Keys",
    "Effect": "Allow",
    "Action": ["secretsmanager:GetSecretValue"],
    "Resource": "arn:aws:secretsmanager:eu-north-1:123456789012:secret:stack/tenants/*/public-key-??????",
}
AUDIT = {
    "Sid": "Audit",
    "Effect": "Allow",
    "Action": "events:PutEvents",
    "Resource": BUS,
    "Condition": {"StringEquals": {"events:source": "callseal"}},
}


def role(*statements: dict[str, Any]) -> Role:
    return Role("role", tuple(one for statement in statements for one in permissions_of(statement)))


def secret(name: str) -> Need:
    return Need("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:eu-north-1:123456789012:secret:{name}")


def put(*context: tuple[str, str], bus: str = BUS) -> Need:
    return Need("events:PutEvents", bus, frozenset(context))


@pytest.mark.parametrize(
    "need",
    [
        Need("s3:GetObject", "arn:aws:s3:::landing/acme/2026/1.wav"),
        Need("S3:getobject", "arn:aws:s3:::landing/x"),
        secret("stack/tenants/acme/public-key-AbC12x"),
        put(("events:source", "callseal")),
        put(("events:source", "callseal"), ("aws:securetransport", "true")),
    ],
    ids=str,
)
def test_requests_named_in_a_statement_are_allowed(need: Need) -> None:
    assert role(READ, KEYS, AUDIT).allows(need)


@pytest.mark.parametrize(
    "need",
    [
        Need("s3:GetObject", "arn:aws:s3:::sftp/acme/1.wav"),
        Need("s3:GetObject", "arn:aws:s3:::landing"),
        Need("s3:GetObject", "arn:aws:s3:::landing-too/acme/1.wav"),
        Need("s3:GetObjectVersion", "arn:aws:s3:::landing/acme/1.wav"),
        Need("s3:PutObject", "arn:aws:s3:::landing/acme/1.wav"),
        secret("stack/tenants/acme/public-key-old-AbC12x"),
        secret("stack/tenants/acme/sftp-keys-AbC12x"),
        secret("stackXtenants/acme/public-key-AbC12x"),
        secret("other/tenants/acme/public-key-AbC12x"),
        put(),
        put(("events:source", "other")),
        put(("events:source", "Callseal")),
        put(("events:detail-type", "callseal")),
        put(("events:source", "callseal"), bus=f"{BUS}-too"),
    ],
    ids=str,
)
def test_requests_named_in_no_statement_are_refused(need: Need) -> None:
    assert not role(READ, KEYS, AUDIT).allows(need)


def test_deny_overrides_allow() -> None:
    need = Need("s3:GetObject", "arn:aws:s3:::landing/acme/1.wav")
    assert not role(READ, READ | {"Effect": "Deny", "Action": "s3:*"}).allows(need)


MINE, OTHER = "arn:aws:iam::123456789012:role/mine", "arn:aws:iam::123456789012:role/other"
ALONE = AUDIT | {"Effect": "Deny", "Condition": {"ArnNotEquals": {"aws:PrincipalArn": [MINE]}}}


@pytest.mark.parametrize(("arn", "goes"), [(MINE, True), (OTHER, False), ("", False)])
def test_deny_by_exclusion_spares_the_excluded_principal(arn: str, goes: bool) -> None:
    permissions = role(AUDIT, ALONE).permissions
    assert Role("role", permissions, arn).allows(put(("events:source", "callseal"))) is goes


def test_a_negated_condition_matches_a_request_without_the_key() -> None:
    (denial,) = permissions_of(ALONE)
    assert denial.covers(put())


def test_each_event_type_is_a_separate_permission() -> None:
    kinds = {"StringEquals": {"events:source": "callseal", "events:detail-type": ["A", "B"]}}
    both = role(AUDIT | {"Condition": kinds})
    (told, untold), source = (put(("events:source", "callseal"), ("events:detail-type", one)) for one in "AB"), "x"
    assert both.allows(told) and both.allows(untold)
    assert not both.allows(put(("events:source", source), ("events:detail-type", "A")))
    assert not both.allows(put(("events:source", "callseal"), ("events:detail-type", "A and B")))
    assert [one.tests[-1] for one in both.unused({told})] == [("StringEquals", "events:detail-type", ("B",))]


def test_an_empty_role_allows_nothing() -> None:
    assert not role().allows(put(("events:source", "callseal")))


@pytest.mark.parametrize(
    "statement",
    [
        READ | {"NotAction": "s3:PutObject"},
        READ | {"Condition": {"ForAllValues:StringEquals": {"events:source": "callseal"}}},
        READ | {"Principal": "*"},
    ],
    ids=["NotAction", "operator", "Principal"],
)
def test_unsupported_policy_elements_are_an_error(statement: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="does not know"):
        permissions_of(statement)


def test_permissions_are_counted_one_by_one() -> None:
    both = READ | {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"]}
    needs = {Need("s3:GetObject", "arn:aws:s3:::a/1"), Need("s3:PutObject", "arn:aws:s3:::b/1")}

    unused = {(one.action, one.resource) for one in role(both).unused(needs)}

    assert unused == {("s3:GetObject", "arn:aws:s3:::b/*"), ("s3:PutObject", "arn:aws:s3:::a/*")}


def test_a_permission_whose_condition_is_never_met_is_unused() -> None:
    assert len(role(AUDIT).unused({put(("events:source", "other"))})) == 1
