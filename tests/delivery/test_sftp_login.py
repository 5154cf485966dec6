"""Logins at the SFTP front, by AWS Transfer Family's documented events: who gets which session, and what is audited."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from callseal.sftp.login import Refusal
from callseal.sftp.session import MAX_POLICY_CHARACTERS
from callseal.sftp_login import ANSWER_SECONDS
from tests.delivery.test_events import load
from tests.support.clock import Clock
from tests.support.functions import ROOT
from tests.support.network import Network
from tests.support.stack import REGION, SFTP, STACK, Stack
from tests.unit.test_sftp_keys import line, private

VALIDATOR = Draft202012Validator(json.loads((ROOT / "schemas/audit-event.schema.json").read_text()))
CONTEXT = SimpleNamespace(aws_request_id="8f5c")
SESSION = {
    "server": "s-0123456789abcdef0", "address": "192.0.2.7", "id": None, "key_fingerprint": None, "operation": None,
    "path": None,
}  # fmt: skip


def login(module: ModuleType, name: str = "sftp-login-key", **changes: Any) -> dict[str, Any]:
    return dict(module.lambda_handler(load(name) | changes, CONTEXT))


def take_on(cloud: Stack, keys: str, settings: dict[str, Any] | str | None = None, tenant: str = "acme") -> None:
    cloud.put_key(tenant, keys, "sftp-keys")
    cloud.tenant(tenant, settings=settings)


def audited(cloud: Stack, *, keep: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Give the audit events; each fits the schema and none has anything of a key."""
    events = cloud.audit()
    for event in events:
        VALIDATOR.validate(event["detail"])
        assert "AAAA" not in json.dumps(event)
    return events


def refusal(cloud: Stack) -> dict[str, Any]:
    """Give the detail of the one event there is, which tells of a refused login."""
    (event,) = audited(cloud)
    assert event["detail-type"] == "SftpLoginRefused"
    return dict(event["detail"])


def test_a_known_tenant_gets_a_session_in_its_own_folder_and_its_keys_to_compare(
    cloud: Stack, authenticate_sftp: ModuleType
) -> None:
    take_on(cloud, f"{line()} laptop\n{line('p256')}\n")

    answer = login(authenticate_sftp)

    assert set(answer) == {"Role", "Policy", "HomeDirectoryType", "HomeDirectoryDetails", "PublicKeys"}
    assert answer["Role"] == f"arn:aws:iam::123456789012:role/{STACK}-sftp-session"
    assert answer["HomeDirectoryType"] == "LOGICAL"
    # Documented as a text of JSON, not as a list.
    assert json.loads(answer["HomeDirectoryDetails"]) == [{"Entry": "/", "Target": f"/{SFTP}/acme"}]
    assert answer["PublicKeys"] == [line(), line("p256")]


def test_the_policy_names_one_folder_and_nothing_may_be_deleted(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    take_on(cloud, line())
    policy = login(authenticate_sftp)["Policy"]
    assert len(policy) <= MAX_POLICY_CHARACTERS
    own = f"arn:aws:s3:::{SFTP}/acme"
    assert {one["Sid"]: (one["Action"], one["Resource"]) for one in json.loads(policy)["Statement"]} == {
        "Find": ("s3:GetBucketLocation", f"arn:aws:s3:::{SFTP}"),
        "List": ("s3:ListBucket", f"arn:aws:s3:::{SFTP}"),
        "Read": ("s3:GetObject", f"{own}/*"),
        "AnswerKeyCheck": ("s3:PutObject", [f"{own}/key-check/{'?' * digits}.answer" for digits in (40, 64)]),
        "AtRest": (["kms:Decrypt", "kms:GenerateDataKey"], f"arn:aws:kms:{REGION}:123456789012:key/stack"),
    }  # fmt: skip
    conditions = [one["Condition"] for one in json.loads(policy)["Statement"] if "Condition" in one]
    assert conditions == [
        # Not "acme": that would list what belongs to acme-two as well.
        {"StringLike": {"s3:prefix": ["acme/*"]}},
        {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}},
    ]


def test_by_setting_a_session_may_delete_in_its_folder(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    take_on(cloud, line(), {"sftp_may_delete": True})
    statements = json.loads(login(authenticate_sftp)["Policy"])["Statement"]
    deleting = [one for one in statements if "s3:DeleteObject" in one["Action"]]
    assert [one["Resource"] for one in deleting] == [f"arn:aws:s3:::{SFTP}/acme/*"]


def test_the_longest_tenants_policy_fits(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    name = "a" * 63
    take_on(cloud, line(), {"sftp_may_delete": True}, name)
    assert len(login(authenticate_sftp, username=name)["Policy"]) <= MAX_POLICY_CHARACTERS


def test_an_offer_is_audited_as_what_it_is(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    """Whether the login came off is known to the server alone: see the server's log below."""
    take_on(cloud, line())
    login(authenticate_sftp)
    (event,) = audited(cloud)
    detail = event["detail"]
    assert (event["detail-type"], detail["tenant"], detail["source"]) == ("SftpKeysOffered", "acme", None)
    assert detail["session"] == SESSION
    assert detail["key_version"]


REFUSALS: dict[str, tuple[str, dict[str, Any], Refusal]] = {
    "a password": ("sftp-login-password", {}, Refusal.PASSWORD_NOT_TAKEN),
    "FTPS": ("sftp-login-ftps", {}, Refusal.PROTOCOL_NOT_OFFERED),
    "FTP without a password": ("sftp-login-key", {"protocol": "FTP"}, Refusal.PROTOCOL_NOT_OFFERED),
    "no protocol": ("sftp-login-key", {"protocol": None}, Refusal.PROTOCOL_NOT_OFFERED),
    "an unknown tenant": ("sftp-login-key", {"username": "nobody"}, Refusal.TENANT_UNKNOWN),
    "no tenant's name": ("sftp-login-key", {"username": "acme/../nordlys"}, Refusal.TENANT_UNKNOWN),
    "a name in capitals": ("sftp-login-key", {"username": "ACME"}, Refusal.TENANT_UNKNOWN),
    "no name": ("sftp-login-key", {"username": ""}, Refusal.TENANT_UNKNOWN),
    "a name that is none": ("sftp-login-key", {"username": ["acme"]}, Refusal.TENANT_UNKNOWN),
    "a wildcard": ("sftp-login-key", {"username": "*"}, Refusal.TENANT_UNKNOWN),
    "no address": ("sftp-login-key", {"sourceIp": None}, Refusal.SOURCE_UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_whatever_the_reason_the_answer_is_nothing(cloud: Stack, authenticate_sftp: ModuleType, what: str) -> None:
    take_on(cloud, line())
    name, changes, reason = REFUSALS[what]
    assert login(authenticate_sftp, name, **changes) == {}
    assert refusal(cloud)["reason"] == reason


@pytest.mark.parametrize("typed", ["correct horse battery", "Acme!2026", "acme@example.com", "../acme"])
def test_a_name_that_cannot_be_a_tenants_is_repeated_nowhere(
    cloud: Stack, authenticate_sftp: ModuleType, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    login(authenticate_sftp, username=typed)
    assert refusal(cloud)["tenant"] is None
    assert typed not in json.dumps(cloud.audit()) + capsys.readouterr().out


def test_no_part_of_a_password_is_repeated_anywhere(
    cloud: Stack, authenticate_sftp: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    take_on(cloud, line())
    login(authenticate_sftp, "sftp-login-password")
    assert "horse" not in json.dumps(cloud.audit()) + capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "address", "comes_in"),
    [
        (["192.0.2.0/24"], "192.0.2.7", True),
        (["198.51.100.0/24", "192.0.2.7"], "::ffff:192.0.2.7", True),
        (["192.0.2.0/24"], "192.0.3.7", False),
        (["2001:db8::/32"], "2001:db8::7", True),
        (["2001:db8::/32"], "192.0.2.7", False),
    ],
)
def test_the_setting_bounds_where_logins_come_from(
    cloud: Stack, authenticate_sftp: ModuleType, settings: list[str], address: str, comes_in: bool
) -> None:
    take_on(cloud, line(), {"sftp_source_addresses": settings})
    assert bool(login(authenticate_sftp, sourceIp=address)) is comes_in
    if not comes_in:
        assert refusal(cloud)["reason"] == "SourceNotAllowed"


def test_a_keys_own_from_is_honoured_and_only_keys_that_may_be_used_are_handed_out(
    cloud: Stack, authenticate_sftp: ModuleType
) -> None:
    take_on(cloud, f'from="198.51.100.0/24" {line()}\nfrom="192.0.2.0/24" {line("p256")}\n')
    assert login(authenticate_sftp)["PublicKeys"] == [line("p256")]
    assert login(authenticate_sftp, sourceIp="203.0.113.1") == {}


def test_an_expired_key_is_not_handed_out(cloud: Stack, authenticate_sftp: ModuleType, clock: Clock) -> None:
    take_on(cloud, f'expiry-time="20271231" {line()}')
    assert login(authenticate_sftp)["PublicKeys"] == [line()]
    clock.put_to(datetime(2028, 1, 1, tzinfo=UTC))
    assert login(authenticate_sftp) == {}


def test_a_bad_line_is_told_once_and_the_good_ones_go_on_working(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    take_on(cloud, f'{line()}\ncommand="ls" {line("p256")}\n')
    answers = [login(authenticate_sftp)["PublicKeys"] for _ in range(3)]
    assert answers == [[line()]] * 3
    told = [event for event in audited(cloud) if event["detail-type"] == "SftpKeyLineRefused"]
    (message,) = [event["detail"]["message"] for event in told]
    assert message.startswith("Line 2 of the tenant's SFTP keys opens nothing: the option command cannot be honoured")


def test_a_pasted_private_key_lets_nobody_in(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pasted = private("p256").private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    take_on(cloud, f"{line()}\n{pasted}")
    assert login(authenticate_sftp) == {}
    detail = refusal(cloud)
    assert detail["reason"] == "PrivateKeyPasted"
    assert pasted.splitlines()[2] not in json.dumps(cloud.audit())


@pytest.mark.parametrize("settings", [None, "{", '{"no_such": 1}'])
def test_a_tenant_that_is_not_set_up_is_refused_as_a_stranger_is(
    cloud: Stack, authenticate_sftp: ModuleType, settings: str | None
) -> None:
    cloud.put_key("acme", line(), "sftp-keys")
    if settings:
        cloud.tenant("acme", settings=settings)
    assert login(authenticate_sftp) == {}
    assert refusal(cloud)["reason"] == "TenantNotSetUp"


def test_a_key_that_is_taken_away_opens_nothing_from_then_on(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    take_on(cloud, line())
    assert login(authenticate_sftp)["PublicKeys"] == [line()]
    cloud.put_key("acme", line("p384"), "sftp-keys")
    assert login(authenticate_sftp)["PublicKeys"] == [line("p384")]
    cloud.tenant("acme", settings={"sftp_source_addresses": ["198.51.100.1"]})
    assert login(authenticate_sftp) == {}


def test_one_tenants_keys_are_not_anothers(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    take_on(cloud, line())
    take_on(cloud, line("p256"), tenant="nordlys")
    assert login(authenticate_sftp, username="nordlys")["PublicKeys"] == [line("p256")]


@pytest.mark.parametrize("operation", ["GetSecretValue", "GetParameter", "PutEvents"])
def test_nobody_comes_in_while_something_does_not_answer(
    cloud: Stack, network: Network, authenticate_sftp: ModuleType, operation: str
) -> None:
    """Not even where the audit alone does not answer: a login without a trace is none."""
    take_on(cloud, line())
    network.fail(operation, 500, "InternalError", times=None)
    with pytest.raises(Exception, match=r"InternalError|refused the event"):
        login(authenticate_sftp)


def test_a_repeat_of_one_request_is_one_event(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    take_on(cloud, line())
    login(authenticate_sftp)
    login(authenticate_sftp)
    assert len({event["detail"]["id"] for event in audited(cloud)}) == 1


@pytest.mark.parametrize("name", ["acme", "nobody", "No Name"])
@pytest.mark.parametrize("took", [0.0, 0.1, ANSWER_SECONDS + 1])
def test_a_stranger_waits_as_long_as_a_tenant(
    cloud: Stack, authenticate_sftp: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, took: float
) -> None:
    take_on(cloud, line())
    waited, moments = [], iter([10.0, 10.0 + took])
    monkeypatch.setattr("callseal.wiring.sleep", waited.append)
    monkeypatch.setattr("callseal.sftp_login.time", SimpleNamespace(monotonic=lambda: next(moments)))

    login(authenticate_sftp, username=name)

    assert waited == [pytest.approx(max(0.0, ANSWER_SECONDS - took))]


# ---- the server's log ------------------------------------------------------------------------------------------------


def test_the_servers_log_tells_what_became_of_logins(cloud: Stack, audit_sftp: ModuleType) -> None:
    assert audit_sftp.lambda_handler(load("sftp-server-log"), None) == {"events": 3}
    told = {event["detail-type"]: event["detail"] for event in audited(cloud)}
    assert set(told) == {"SftpLogin", "SftpLoginRefused", "SftpOperationRefused"}
    assert told["SftpLogin"]["session"] == SESSION | {
        "id": "9ca9a0e1cec6ad9d", "key_fingerprint": "SHA256:BY3gNMHwTfjd4n2VuT4pTyLOk82zWZj4KEYEu7y4r/0",
    }  # fmt: skip
    assert (told["SftpLoginRefused"]["reason"], told["SftpLoginRefused"]["tenant"]) == ("KeyRefused", "acme")
    assert told["SftpLoginRefused"]["session"]["address"] == "198.51.100.9"
    refused = told["SftpOperationRefused"]
    assert (refused["tenant"], refused["reason"], refused["session"]["operation"]) == ("acme", "AccessDenied", "OPEN")
    assert refused["session"]["path"].endswith("/acme/up.txt")


def test_a_batch_that_comes_again_makes_the_same_events(cloud: Stack, audit_sftp: ModuleType) -> None:
    for _ in range(2):
        audit_sftp.lambda_handler(load("sftp-server-log"), None)
    ids = [event["detail"]["id"] for event in audited(cloud)]
    assert (len(ids), len(set(ids))) == (6, 3)


@pytest.mark.parametrize("event", [{}, {"awslogs": {}}, {"awslogs": {"data": "?"}}, {"awslogs": {"data": "eA=="}}])
def test_what_is_no_batch_fails_and_is_kept_by_the_dead_letters(audit_sftp: ModuleType, event: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="no batch of log lines"):
        audit_sftp.lambda_handler(event, None)


# ---- files that were fetched -----------------------------------------------------------------------------------------


def fetched_event() -> dict[str, Any]:
    event = load("sftp-file-fetched")
    event["detail"]["file-path"] = f"/{SFTP}/acme/2026/11/4711000000000001_1.wav.p7m"
    return event


def test_a_file_that_was_fetched_is_told_with_its_session(cloud: Stack, audit_sftp: ModuleType) -> None:
    for _ in range(2):
        assert audit_sftp.lambda_handler(fetched_event(), None) == {"events": 1}
    first, again = audited(cloud)
    assert first["detail"]["id"] == again["detail"]["id"]
    assert (first["detail-type"], first["detail"]["tenant"]) == ("FileFetched", "acme")
    assert first["detail"]["source"] == {
        "bucket": SFTP, "key": "acme/2026/11/4711000000000001_1.wav.p7m", "etag": "b6d81b360a5672d80c27430f39153e2c",
        "size": 454327,
    }  # fmt: skip
    assert first["detail"]["session"] == SESSION | {"id": "9ca9a0e1cec6ad9d"}
    assert first["detail"]["time"] == "2026-11-24T12:20:27.000Z"


@pytest.mark.parametrize(
    ("member", "value"), [("file-path", "/another-bucket/acme/a.wav"), ("file-path", "/fs-1234abcd5678efghi/user0/a")]
)
def test_another_servers_file_is_passed_over(cloud: Stack, audit_sftp: ModuleType, member: str, value: str) -> None:
    event = fetched_event()
    event["detail"][member] = value
    assert audit_sftp.lambda_handler(event, None) == {"events": 0}
    assert audited(cloud) == []


def test_a_file_that_was_fetched_in_part_is_not_told(cloud: Stack, audit_sftp: ModuleType) -> None:
    event = fetched_event() | {"detail-type": "SFTP Server File Download Failed"}
    assert audit_sftp.lambda_handler(event, None) == {"events": 0}
