"""Logins at the SFTP front, by AWS Transfer Family's documented events: which session opens, and what is audited."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections import Counter
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from callseal.sftp.authenticate_sftp import ANSWER_SECONDS
from callseal.sftp.login import Refusal
from callseal.sftp.login_settings import CLAIM_TIME, FRESH_TIME
from callseal.sftp.refusals import MAX_ADDRESSES, RefusedLogin, write_notice
from callseal.sftp.session import MAX_POLICY_CHARACTERS
from tests.functions.test_events import load
from tests.support import functions
from tests.support.clock import Clock, StillClock
from tests.support.functions import ROOT
from tests.support.network import Network
from tests.support.stack import REGION, SFTP, STACK, Stack, failures, sqs_event
from tests.unit.sftp.test_sftp_keys import line, private

VALIDATOR = Draft202012Validator(json.loads((ROOT / "schemas/audit-event.schema.json").read_text()))
SESSION = {
    "server": "s-0123456789abcdef0", "address": "192.0.2.7", "id": None, "key_fingerprint": None, "operation": None,
    "path": None, "attempts": None,
}  # fmt: skip


def login(module: ModuleType, name: str = "sftp-login-key", **changes: Any) -> dict[str, Any]:
    return dict(module.lambda_handler(load(name) | changes, None))


def take_on(cloud: Stack, keys: str, settings: dict[str, Any] | str | None = None, tenant: str = "acme") -> None:
    cloud.put_key(tenant, keys, "sftp-keys")
    cloud.tenant(tenant, settings=settings)


def notices(cloud: Stack) -> dict[str, Any]:
    """Receive all notices from the queue, as one batch."""
    url, bodies = cloud.environment["LOGIN_NOTICE_QUEUE_URL"], []
    while messages := cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in messages]
        for message in messages:
            cloud.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return sqs_event(*bodies)


def audited(cloud: Stack) -> list[dict[str, Any]]:
    """Return the audit events, with counted notices. Each fits the schema, and none contains key material."""
    if (waiting := notices(cloud))["Records"]:
        assert functions.load("audit_sftp").lambda_handler(waiting, None) == {"batchItemFailures": []}
    events = cloud.audit()
    for event in events:
        VALIDATOR.validate(event["detail"])
        assert "AAAA" not in json.dumps(event)
    return events


def refusal(cloud: Stack) -> dict[str, Any]:
    """Return the detail of the only event, a refused login."""
    (event,) = audited(cloud)
    assert event["detail-type"] == "SftpLoginRefused"
    return dict(event["detail"])


def test_known_tenant_gets_its_own_folder_and_its_public_keys(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    take_on(cloud, f"{line()} laptop\n{line('p256')}\n")

    answer = login(authenticate_sftp)

    assert set(answer) == {"Role", "Policy", "HomeDirectoryType", "HomeDirectoryDetails", "PublicKeys"}
    assert answer["Role"] == f"arn:aws:iam::123456789012:role/{STACK}-sftp-session"
    assert answer["HomeDirectoryType"] == "LOGICAL"
    # Documented as JSON text, not as a list.
    assert json.loads(answer["HomeDirectoryDetails"]) == [{"Entry": "/", "Target": f"/{SFTP}/acme"}]
    assert answer["PublicKeys"] == [line(), line("p256")]


def test_policy_allows_one_folder_and_no_deletion(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    take_on(cloud, line())
    policy = login(authenticate_sftp)["Policy"]
    assert len(policy) <= MAX_POLICY_CHARACTERS
    own = f"arn:aws:s3:::{SFTP}/acme"
    assert {one["Sid"]: (one["Action"], one["Resource"]) for one in json.loads(policy)["Statement"]} == {
        "Find": ("s3:GetBucketLocation", f"arn:aws:s3:::{SFTP}"),
        "List": ("s3:ListBucket", f"arn:aws:s3:::{SFTP}"),
        "Read": ("s3:GetObject", f"{own}/*"),
        "Answer": (
            "s3:PutObject",
            [
                *(f"{own}/key-check/{'?' * digits}.answer" for digits in (40, 64)),
                f"{own}/notices/erasure-{'?' * 16}.done",
            ],
        ),
        "NoFolderBelow": ("s3:PutObject", [f"{own}/key-check/*/*", f"{own}/notices/*/*"]),
        "AtRest": (["kms:Decrypt", "kms:GenerateDataKey"], f"arn:aws:kms:{REGION}:123456789012:key/stack"),
    }  # fmt: skip
    denied = [one["Sid"] for one in json.loads(policy)["Statement"] if one["Effect"] != "Allow"]
    assert denied == ["NoFolderBelow"]
    conditions = [one["Condition"] for one in json.loads(policy)["Statement"] if "Condition" in one]
    assert conditions == [
        # Not "acme", which would also list the files of acme-two.
        {"StringLike": {"s3:prefix": ["acme/*"]}},
        {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}},
    ]


def test_session_may_delete_in_its_folder_when_the_setting_allows_it(
    cloud: Stack, authenticate_sftp: ModuleType
) -> None:
    take_on(cloud, line(), {"sftp_may_delete": True})
    statements = json.loads(login(authenticate_sftp)["Policy"])["Statement"]
    deleting = [one for one in statements if "s3:DeleteObject" in one["Action"]]
    assert [one["Resource"] for one in deleting] == [f"arn:aws:s3:::{SFTP}/acme/*"]


def test_the_longest_tenants_policy_fits(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    name = "a" * 63
    take_on(cloud, line(), {"sftp_may_delete": True}, name)
    assert len(login(authenticate_sftp, username=name)["Policy"]) <= MAX_POLICY_CHARACTERS


def test_offered_keys_are_logged_and_not_audited(
    cloud: Stack, authenticate_sftp: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    """Anyone may ask for a tenant's keys. Only the server knows whether the login succeeded: see its log below."""
    take_on(cloud, line())
    login(authenticate_sftp)
    assert audited(cloud) == []
    (record,) = [vars(record) for record in caplog.records]
    assert (record["msg"], record["tenant"], record["keys_offered"]) == ("keys offered", "acme", 1)
    assert record["key_version"]


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
def test_refused_login_gets_an_empty_answer_for_every_reason(
    cloud: Stack, authenticate_sftp: ModuleType, what: str
) -> None:
    take_on(cloud, line())
    name, changes, reason = REFUSALS[what]
    assert login(authenticate_sftp, name, **changes) == {}
    assert refusal(cloud)["reason"] == reason


@pytest.mark.parametrize(
    "typed", ["correct horse battery", "Acme!2026", "acme@example.com", "../acme", "hunter2-secret", "acme-two"]
)
def test_unknown_username_is_neither_logged_nor_audited(
    cloud: Stack, authenticate_sftp: ModuleType, caplog: pytest.LogCaptureFixture, typed: str
) -> None:
    take_on(cloud, line())
    login(authenticate_sftp, username=typed)
    assert typed not in json.dumps(notices(cloud))
    login(authenticate_sftp, username=typed)
    assert refusal(cloud)["tenant"] is None
    logged = [vars(record) for record in caplog.records]
    assert logged
    assert typed not in json.dumps(cloud.audit()) + str(logged)


def test_no_part_of_a_password_is_logged_or_audited(
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
def test_setting_limits_source_addresses_of_logins(
    cloud: Stack, authenticate_sftp: ModuleType, settings: list[str], address: str, comes_in: bool
) -> None:
    take_on(cloud, line(), {"sftp_source_addresses": settings})
    assert bool(login(authenticate_sftp, sourceIp=address)) is comes_in
    if not comes_in:
        assert refusal(cloud)["reason"] == "SourceNotAllowed"


def test_key_is_offered_only_to_addresses_of_its_from_option(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    take_on(cloud, f'from="198.51.100.0/24" {line()}\nfrom="192.0.2.0/24" {line("p256")}\n')
    assert login(authenticate_sftp)["PublicKeys"] == [line("p256")]
    assert login(authenticate_sftp, sourceIp="203.0.113.1") == {}


def test_expired_key_is_not_offered(cloud: Stack, authenticate_sftp: ModuleType, clock: Clock) -> None:
    take_on(cloud, f'expiry-time="20271231" {line()}')
    assert login(authenticate_sftp)["PublicKeys"] == [line()]
    clock.put_to(datetime(2028, 1, 1, tzinfo=UTC))
    assert login(authenticate_sftp) == {}


def test_bad_line_is_reported_once_and_good_lines_still_work(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    take_on(cloud, f'{line()}\ncommand="ls" {line("p256")}\n')
    answers = [login(authenticate_sftp)["PublicKeys"] for _ in range(3)]
    assert answers == [[line()]] * 3
    reported = [event for event in audited(cloud) if event["detail-type"] == "SftpKeyLineRefused"]
    (message,) = [event["detail"]["message"] for event in reported]
    assert "SFTP keys: line 2: the option command cannot be honoured" in message


def test_many_bad_lines_are_one_notice_and_delay_no_login(
    cloud: Stack, network: Network, authenticate_sftp: ModuleType
) -> None:
    take_on(cloud, "\n".join([line(), *["no key"] * 40]))
    assert login(authenticate_sftp)["PublicKeys"] == [line()]
    assert (len(network.asked("SendMessageBatch")), len(network.asked("PutEvents"))) == (1, 0)
    (event,) = audited(cloud)
    message = event["detail"]["message"]
    assert (
        "line 2: " in message and "line 21: " in message and "line 22: " not in message and "; and 20 more." in message
    )


def test_each_version_with_bad_lines_has_one_event_id(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    """Another execution environment sends its own notice: its event has the same id."""
    take_on(cloud, f"{line()}\nno key")
    login(authenticate_sftp)
    audited(cloud)
    login(functions.load("authenticate_sftp"))
    cloud.put_key("acme", f"{line()}\nno key either\n", "sftp-keys")
    login(authenticate_sftp)
    ids = [event["detail"]["id"] for event in audited(cloud)]
    assert (len(ids), len(set(ids))) == (3, 2)


def test_login_is_refused_when_the_secret_has_a_private_key(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pasted = private("p256").private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    take_on(cloud, f"{line()}\n{pasted}")
    assert login(authenticate_sftp) == {}
    detail = refusal(cloud)
    assert detail["reason"] == "PrivateKeyPasted"
    assert pasted.splitlines()[2] not in json.dumps(cloud.audit())


@pytest.mark.parametrize("settings", [None, "{", '{"no_such": 1}'])
def test_tenant_without_settings_is_refused_like_an_unknown_user(
    cloud: Stack, authenticate_sftp: ModuleType, settings: str | None
) -> None:
    cloud.put_key("acme", line(), "sftp-keys")
    if settings:
        cloud.tenant("acme", settings=settings)
    assert login(authenticate_sftp) == {}
    assert refusal(cloud)["reason"] == "TenantNotSetUp"


def test_removed_key_opens_no_further_session(cloud: Stack, authenticate_sftp: ModuleType, clock: Clock) -> None:
    take_on(cloud, line())
    assert login(authenticate_sftp)["PublicKeys"] == [line()]
    cloud.put_key("acme", line("p384"), "sftp-keys")
    assert login(authenticate_sftp)["PublicKeys"] == [line("p384")]
    cloud.tenant("acme", settings={"sftp_source_addresses": ["198.51.100.1"]})
    clock.pass_by(seconds=FRESH_TIME.total_seconds())
    assert login(authenticate_sftp) == {}


def test_tenant_is_not_offered_keys_of_another_tenant(cloud: Stack, authenticate_sftp: ModuleType) -> None:
    take_on(cloud, line())
    take_on(cloud, line("p256"), tenant="nordlys")
    assert login(authenticate_sftp, username="nordlys")["PublicKeys"] == [line("p256")]


@pytest.mark.parametrize("operation", ["GetSecretValue", "GetItem", "GetParameters", "PutItem"])
def test_login_fails_while_a_service_does_not_answer(
    cloud: Stack, network: Network, authenticate_sftp: ModuleType, operation: str
) -> None:
    take_on(cloud, line())
    network.fail(operation, 500, "InternalError", times=None)
    with pytest.raises(Exception, match="InternalError"):
        login(authenticate_sftp)


def test_refusal_that_cannot_be_queued_raises(cloud: Stack, network: Network, authenticate_sftp: ModuleType) -> None:
    network.fail("SendMessageBatch", 500, "InternalError", times=None)
    with pytest.raises(Exception, match="Sending notices of refused logins failed"):
        login(authenticate_sftp, username="nobody")


# ---- cached settings -------------------------------------------------------------------------------------------------


@pytest.fixture
def still(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> StillClock:
    """Stop the functions' clock."""
    still = StillClock()
    monkeypatch.setattr("callseal.wiring.container.now", still)
    return still


def reads(network: Network) -> int:
    return len(network.asked("GetParameters"))


def test_changed_settings_apply_within_seconds(
    cloud: Stack, network: Network, authenticate_sftp: ModuleType, still: StillClock
) -> None:
    take_on(cloud, line())
    login(authenticate_sftp)
    cloud.tenant("acme", settings={"sftp_may_delete": True})
    still.pass_by(seconds=FRESH_TIME.total_seconds() - 0.1)
    assert "s3:DeleteObject" not in login(authenticate_sftp)["Policy"]
    still.pass_by(seconds=0.1)
    assert "s3:DeleteObject" in login(authenticate_sftp)["Policy"]
    assert reads(network) == 2


def test_missing_settings_apply_once_they_exist(cloud: Stack, authenticate_sftp: ModuleType, still: StillClock) -> None:
    cloud.put_key("acme", line(), "sftp-keys")
    assert login(authenticate_sftp) == {}
    cloud.tenant("acme")
    still.pass_by(seconds=FRESH_TIME.total_seconds())
    assert login(authenticate_sftp)["PublicKeys"] == [line()]


def test_cached_settings_allow_logins_while_parameter_store_does_not_answer(
    cloud: Stack, network: Network, authenticate_sftp: ModuleType, still: StillClock
) -> None:
    take_on(cloud, line(), {"sftp_may_delete": True})
    login(authenticate_sftp)
    network.fail("GetParameters", 400, "ThrottlingException", times=None)
    still.pass_by(days=1)
    assert "s3:DeleteObject" in login(authenticate_sftp)["Policy"]


# ---- floods ----------------------------------------------------------------------------------------------------------


def operations(network: Network) -> Counter[str]:
    return Counter(request.operation for request in network.requests)


def test_hundred_logins_of_unknown_users_use_no_quota_that_sealing_needs(
    cloud: Stack, network: Network, authenticate_sftp: ModuleType
) -> None:
    for number in range(100):
        assert login(authenticate_sftp, username=f"scanner-{number}") == {}
    assert operations(network) == {"GetSecretValue": 100, "SendMessageBatch": 100}


def test_hundred_logins_of_a_tenant_use_no_quota_that_sealing_needs(
    cloud: Stack, network: Network, authenticate_sftp: ModuleType, still: StillClock
) -> None:
    """The server compares the key after the answer, so an attempt with a wrong key is answered like any other."""
    take_on(cloud, line())
    login(authenticate_sftp)
    network.requests.clear()
    for _ in range(100):
        assert login(functions.load("authenticate_sftp"))["PublicKeys"] == [line()]
    assert operations(network) == {"GetSecretValue": 100, "GetItem": 100}


def test_attempts_under_all_tenants_names_read_settings_at_a_bounded_rate(
    cloud: Stack, network: Network, authenticate_sftp: ModuleType, still: StillClock
) -> None:
    names = [f"tenant-{number}" for number in range(20)]
    for name in names:
        take_on(cloud, line(), tenant=name)
        login(authenticate_sftp, username=name)
    still.pass_by(days=1)  # all cached settings have expired
    network.requests.clear()
    for number in range(200):  # in 4 seconds
        assert login(authenticate_sftp, username=names[number % len(names)])["PublicKeys"] == [line()]
        still.pass_by(seconds=0.02)
    assert reads(network) <= 4 / CLAIM_TIME.total_seconds()
    assert len(network.asked("PutEvents")) == 0


def flood(count: int, **members: Any) -> list[str]:
    """Return notices of this many refusals in one minute. `address` may contain `{}`."""
    made = {
        "time": "2026-11-24T12:20:27.000Z", "address": "192.0.2.7", "server": "s-1", "tenant": None,
        "reason": "TenantUnknown", "message": "None.",
    } | members  # fmt: skip
    return [
        write_notice(RefusedLogin(**{**made, "address": made["address"].format(number)})) for number in range(count)
    ]


def test_a_hundred_refusals_of_an_address_in_a_minute_are_one_event(
    cloud: Stack, network: Network, authenticate_sftp: ModuleType, audit_sftp: ModuleType
) -> None:
    for number in range(100):
        login(authenticate_sftp, username=f"scanner-{number}")
    detail = refusal(cloud)
    assert (detail["reason"], detail["tenant"]) == ("TenantUnknown", None)
    assert detail["session"] == SESSION | {"attempts": 100}
    assert len(network.asked("PutEvents")) == 1


def test_refusals_are_counted_by_minute_address_tenant_and_reason(cloud: Stack, audit_sftp: ModuleType) -> None:
    bodies = [
        *flood(3),
        *flood(2, time="2026-11-24T12:21:00.000Z"),
        *flood(4, address="192.0.2.8"),
        *flood(5, tenant="acme", reason="SourceNotAllowed"),
        *flood(6, tenant="acme", reason="NoKeyUsable"),
    ]
    assert audit_sftp.lambda_handler(sqs_event(*bodies), None) == {"batchItemFailures": []}
    assert sorted(event["detail"]["session"]["attempts"] for event in audited(cloud)) == [2, 3, 4, 5, 6]


def test_flood_from_many_addresses_makes_few_events_that_count_all_attempts(
    cloud: Stack, network: Network, audit_sftp: ModuleType
) -> None:
    bodies = [
        *flood(2000, address="2001:db8::{}"),
        *flood(500, address="2001:db8:1::{}", reason="PasswordNotTaken"),
        *flood(50, address="192.0.2.9"),
        *flood(1, tenant="acme", reason="SourceNotAllowed"),
    ]
    assert audit_sftp.lambda_handler(sqs_event(*bodies), None) == {"batchItemFailures": []}
    details = [event["detail"] for event in audited(cloud)]
    assert len(details) <= MAX_ADDRESSES + 2
    assert len(network.asked("PutEvents")) == 4
    assert sum(detail["session"]["attempts"] for detail in details) == 2551
    assert [detail["session"]["attempts"] for detail in details if detail["tenant"] == "acme"] == [1]
    assert [detail["session"]["attempts"] for detail in details if detail["session"]["address"] == "192.0.2.9"] == [50]
    crowds = [detail for detail in details if detail["session"]["address"] is None]
    assert {detail["reason"] for detail in crowds} == {"TenantUnknown", "PasswordNotTaken"}
    assert all("addresses" in detail["message"] for detail in crowds)


def test_the_same_batch_makes_the_same_event_and_another_attempt_another(cloud: Stack, audit_sftp: ModuleType) -> None:
    for count in (3, 3, 4):
        audit_sftp.lambda_handler(sqs_event(*flood(count)), None)
    ids = [event["detail"]["id"] for event in audited(cloud)]
    assert (len(ids), len(set(ids))) == (3, 2)


def test_notices_return_to_the_queue_when_the_bus_rejects_their_events(
    cloud: Stack, network: Network, audit_sftp: ModuleType
) -> None:
    """15 addresses need two requests. The second request fails, and only its messages return to the queue."""
    network.fail("PutEvents", 500, "InternalError", skip=1)
    failed = failures(audit_sftp.lambda_handler(sqs_event(*flood(15, address="192.0.2.{}")), None))
    assert (len(failed), len(audited(cloud))) == (5, 10)


@pytest.mark.parametrize(
    "body", ["{", "[]", "{}", '{"kind": "login"}', flood(1, reason="Sabotage")[0], flood(1, time="now")[0]]
)
def test_malformed_notice_fails_alone(cloud: Stack, audit_sftp: ModuleType, body: str) -> None:
    answer = audit_sftp.lambda_handler(sqs_event(body, *flood(2)), None)
    assert failures(answer) == ["m0"]
    assert refusal(cloud)["session"]["attempts"] == 2


@pytest.mark.parametrize("name", ["acme", "nobody", "No Name"])
@pytest.mark.parametrize("took", [0.0, 0.1, ANSWER_SECONDS + 1])
def test_unknown_user_waits_as_long_as_a_tenant(
    cloud: Stack, authenticate_sftp: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, took: float
) -> None:
    take_on(cloud, line())
    waited, moments = [], iter([10.0, 10.0 + took])
    monkeypatch.setattr("callseal.wiring.container.sleep", waited.append)
    monkeypatch.setattr("callseal.sftp.authenticate_sftp.time", SimpleNamespace(monotonic=lambda: next(moments)))

    login(authenticate_sftp, username=name)

    assert waited == [pytest.approx(max(0.0, ANSWER_SECONDS - took))]


# ---- the server's log ------------------------------------------------------------------------------------------------


def logged(*lines: dict[str, Any]) -> dict[str, Any]:
    """Return lines of the server's log in the shape that CloudWatch Logs passes on."""
    entries = [
        {"id": str(number), "timestamp": 1795522827000, "message": json.dumps(members)}
        for number, members in enumerate(lines)
    ]
    batch = {"messageType": "DATA_MESSAGE", "logEvents": entries}
    return {"awslogs": {"data": b64encode(gzip.compress(json.dumps(batch).encode())).decode()}}


def test_server_log_becomes_login_events(cloud: Stack, audit_sftp: ModuleType, authenticate_sftp: ModuleType) -> None:
    take_on(cloud, line())
    login(authenticate_sftp)  # the server asked before it logged
    assert audit_sftp.lambda_handler(load("sftp-server-log"), None) == {"events": 2, "refused": 1}
    events = {event["detail-type"]: event["detail"] for event in audited(cloud)}
    assert set(events) == {"SftpLogin", "SftpLoginRefused", "SftpOperationRefused"}
    assert events["SftpLogin"]["session"] == SESSION | {
        "id": "9ca9a0e1cec6ad9d", "key_fingerprint": "SHA256:BY3gNMHwTfjd4n2VuT4pTyLOk82zWZj4KEYEu7y4r/0",
    }  # fmt: skip
    assert (events["SftpLoginRefused"]["reason"], events["SftpLoginRefused"]["tenant"]) == ("KeyRefused", "acme")
    assert events["SftpLoginRefused"]["session"]["address"] == "198.51.100.9"
    refused = events["SftpOperationRefused"]
    assert (refused["tenant"], refused["reason"], refused["session"]["operation"]) == ("acme", "AccessDenied", "OPEN")
    assert refused["session"]["path"].endswith("/acme/up.txt")


def test_a_batch_that_comes_again_makes_the_same_events(cloud: Stack, audit_sftp: ModuleType) -> None:
    for _ in range(2):
        audit_sftp.lambda_handler(load("sftp-server-log"), None)
    ids = [event["detail"]["id"] for event in audited(cloud)]
    # The two logins and the operations have their own ids. The refusal is counted with its repeat.
    assert (len(ids), len(set(ids))) == (5, 3)


@pytest.mark.parametrize("activity", ["AUTH_FAILURE", "ERROR", "CONNECTION_REJECTED"])
def test_a_line_repeats_its_user_only_if_such_a_tenant_exists(
    cloud: Stack, audit_sftp: ModuleType, authenticate_sftp: ModuleType, activity: str
) -> None:
    take_on(cloud, line())
    login(authenticate_sftp)
    lines = [{"activity-type": activity, "user": user, "source-ip": "192.0.2.7"} for user in ("acme", "hunter2")]
    audit_sftp.lambda_handler(logged(*lines), None)
    assert {event["detail"]["tenant"] for event in audited(cloud)} == {"acme", None}
    assert "hunter2" not in json.dumps(cloud.audit())


def test_a_rejected_connection_is_a_refused_login(cloud: Stack, audit_sftp: ModuleType) -> None:
    rejected = {
        "activity-type": "CONNECTION_REJECTED", "source-ip": "198.51.100.9", "message": "anything",
        "resource-arn": f"arn:aws:transfer:{REGION}:123456789012:server/s-1",
    }  # fmt: skip
    assert audit_sftp.lambda_handler(logged(rejected, rejected), None) == {"events": 0, "refused": 2}
    detail = refusal(cloud)
    assert (detail["reason"], detail["tenant"]) == ("ConnectionRejected", None)
    assert detail["session"] == SESSION | {"server": "s-1", "address": "198.51.100.9", "attempts": 2}


def test_log_lines_of_many_wrong_keys_are_counted(
    cloud: Stack, network: Network, audit_sftp: ModuleType, authenticate_sftp: ModuleType
) -> None:
    take_on(cloud, line())
    login(authenticate_sftp)
    wrong = {"activity-type": "AUTH_FAILURE", "user": "acme", "source-ip": "192.0.2.7", "message": "wrong key"}
    for _ in range(10):
        audit_sftp.lambda_handler(logged(*[wrong] * 10), None)
    assert len(network.asked("PutEvents")) == 0
    detail = refusal(cloud)
    assert (detail["tenant"], detail["reason"], detail["session"]["attempts"]) == ("acme", "KeyRefused", 100)


@pytest.mark.parametrize("event", [{}, {"awslogs": {}}, {"awslogs": {"data": "?"}}, {"awslogs": {"data": "eA=="}}])
def test_malformed_batch_raises(audit_sftp: ModuleType, event: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="not a batch of log lines"):
        audit_sftp.lambda_handler(event, None)


# ---- fetched files ---------------------------------------------------------------------------------------------------


def fetched_event() -> dict[str, Any]:
    event = load("sftp-file-fetched")
    event["detail"]["file-path"] = f"/{SFTP}/acme/2026/11/4711000000000001_1.wav.p7m"
    return event


def test_fetched_file_is_audited_with_its_session(cloud: Stack, audit_sftp: ModuleType) -> None:
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
def test_file_fetched_from_another_server_is_ignored(
    cloud: Stack, audit_sftp: ModuleType, member: str, value: str
) -> None:
    event = fetched_event()
    event["detail"][member] = value
    assert audit_sftp.lambda_handler(event, None) == {"events": 0}
    assert audited(cloud) == []


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (f"/{SFTP}/acme/2026/a.wav", "acme/2026/a.wav"),
        ("/2026/a.wav", "acme/2026/a.wav"),
        ("2026/a.wav", "acme/2026/a.wav"),
        ("/acme/2026/a.wav", "acme/2026/a.wav"),
        ("/a.wav", "acme/a.wav"),
        ("/acme", "acme/acme"),
    ],
)
def test_a_path_of_the_session_names_the_file_as_the_buckets_path_does(
    cloud: Stack, audit_sftp: ModuleType, path: str, key: str
) -> None:
    """AWS does not document which of these paths it announces for a logical home directory."""
    event = fetched_event()
    event["detail"] |= {"file-path": path, "server-id": cloud.environment["SFTP_SERVER_ID"]}
    assert audit_sftp.lambda_handler(event, None) == {"events": 1}
    (fetched,) = audited(cloud)
    assert (fetched["detail"]["source"]["key"], fetched["detail"]["tenant"]) == (key, "acme")


def test_path_without_bucket_is_accepted_only_from_our_own_server(
    cloud: Stack, audit_sftp: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = fetched_event()
    event["detail"] |= {"file-path": "/2026/a.wav"}
    assert audit_sftp.lambda_handler(event, None) == {"events": 0}
    event["detail"] |= {"server-id": cloud.environment["SFTP_SERVER_ID"], "username": "No Tenant"}
    assert audit_sftp.lambda_handler(event, None) == {"events": 0}
    monkeypatch.setenv("SFTP_SERVER_ID", "")
    event["detail"] |= {"server-id": "", "username": "acme"}
    assert functions.load("audit_sftp").lambda_handler(event, None) == {"events": 0}


def test_partly_fetched_file_is_not_audited(cloud: Stack, audit_sftp: ModuleType) -> None:
    event = fetched_event() | {"detail-type": "SFTP Server File Download Failed"}
    assert audit_sftp.lambda_handler(event, None) == {"events": 0}
