"""check_keys: what it reports on a tenant's key when the key is stored, daily, and on request."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.keys.check_keys import KeysUncheckedError
from tests.functions.scene import SECRET, check, current, label_updated, told
from tests.support.clock import Clock
from tests.support.families import FAMILIES
from tests.support.issuing import issue
from tests.support.keys import OpenPgpTenant, X509Tenant, run, tool, x509_tenant
from tests.support.metrics import emitted
from tests.support.network import FOREIGN_WORDS, Network
from tests.support.stack import SFTP, STACK, Stack


def verdicts(cloud: Stack) -> list[tuple[str, dict[str, Any]]]:
    """Return the verdicts only: the tests' keys are made for 30 days, which is a threshold."""
    return [(kind, detail) for kind, detail in told(cloud) if kind != "KeyExpiring"]


@pytest.mark.parametrize("family", FAMILIES)
def test_good_key_is_accepted_with_its_details(cloud: Stack, check_keys: ModuleType, family: str) -> None:
    tenant = FAMILIES[family].make("tenant")
    cloud.tenant("acme", tenant.public_text)

    assert check(check_keys) == {"accepted": 1}

    ((kind, detail),) = verdicts(cloud)
    (key,) = detail["recipients"]
    assert kind == "KeyAccepted"
    assert detail["tenant"] == "acme"
    assert detail["source"] is detail["outputs"] is detail["reason"] is None
    assert detail["key_version"] == current(cloud)
    assert "Recordings are sealed to it within 60 seconds" in detail["message"]
    assert (key["kind"], key["algorithm"], key["strength"]) == (family, *STRENGTHS[family])
    assert key["fingerprint"] == fingerprint(tenant)
    assert timedelta(days=27) < datetime.fromisoformat(key["not_after"]) - datetime.now().astimezone() <= timedelta(30)


def test_issuer_in_the_text_is_left_out_and_audited(cloud: Stack, check_keys: ModuleType) -> None:
    ca = x509_tenant("p256", "ca")
    leaf = issue(ca)
    cloud.tenant("acme", leaf.public_text + ca.public_text)

    assert check(check_keys) == {"accepted": 1}

    ((kind, detail),) = verdicts(cloud)
    assert kind == "KeyAccepted"
    assert [key["fingerprint"] for key in detail["recipients"]] == [fingerprint(leaf)]
    assert detail["message"].endswith(f"issued another certificate of this key (its chain): {fingerprint(ca)}.")


STRENGTHS = {"x509": ("RSA", 2048), "openpgp": ("Curve25519", 255)}


def fingerprint(tenant: X509Tenant | OpenPgpTenant) -> str:
    """Return the key's fingerprint as the tenant's own tool prints it."""
    if isinstance(tenant, OpenPgpTenant):
        return tenant.fingerprint
    shown = run(tool("openssl"), "x509", "-in", tenant.certificate, "-noout", "-fingerprint", "-sha256").decode()
    return shown.strip().rpartition("=")[2].replace(":", "")


REJECTED: dict[str, tuple[str, str]] = {
    "KeyTooWeak": ("rsa1024", "1024 bits, too weak"),
    "KeyExpired": ("expired", "expired on"),
    "KeyUnreadable": ("", "cannot be read"),
}


@pytest.mark.parametrize("reason", REJECTED)
def test_a_bad_key_is_rejected_with_its_reason_and_what_to_do(
    cloud: Stack, check_keys: ModuleType, clock: Clock, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    how, words = REJECTED[reason]
    text = x509_tenant("rsa1024").public_text if how == "rsa1024" else x509_tenant().public_text if how else "nothing"
    cloud.tenant("acme", text)
    if how == "expired":
        clock.pass_by(days=31)

    assert check(check_keys) == {"rejected": 1}

    ((kind, detail),) = told(cloud)
    assert (kind, detail["reason"]) == ("KeyRejected", reason)
    assert words in detail["message"]
    if how:
        (key,) = detail["recipients"]
        assert key["fingerprint"] in detail["message"]
        assert key["strength"] == (1024 if how == "rsa1024" else 2048)
    else:
        assert detail["recipients"] is None
    assert [line["KeysRejected"] for line in emitted(capsys) if line.get("Reason") == reason] == [[1.0]]


PRIVATE: dict[str, Callable[[str, str], str]] = {
    "pkcs8": lambda _, private: private,
    "certificate and key": lambda public, private: public + private,
    "in a certificate's frame": lambda _, private: private.replace("PRIVATE KEY", "CERTIFICATE"),
    "in a certificate's frame after a good one": lambda public, private: (
        public + private.replace("PRIVATE KEY", "CERTIFICATE")
    ),
    "damaged frame": lambda _, private: private.replace("-----", "--"),
}


@pytest.mark.parametrize("how", PRIVATE)
def test_private_key_is_rejected_alarmed_and_never_logged(
    cloud: Stack, check_keys: ModuleType, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    text = PRIVATE[how](x509_tenant().public_text, x509_tenant().private_key.read_text())
    cloud.tenant("acme", text)

    assert check(check_keys) == {"rejected": 1}

    ((kind, detail),) = told(cloud)
    assert (kind, detail["reason"], detail["recipients"]) == ("KeyRejected", "KeyIsPrivate", None)
    assert "must never leave the tenant" in detail["message"]
    written = (
        "".join(capfd.readouterr())
        + json.dumps(cloud.audit())
        + str(cloud.dynamodb.scan(TableName=f"{STACK}-key-register"))
    )
    assert '"Reason":"KeyIsPrivate"' in written.replace(" ", "")
    lines = [line for line in text.splitlines() if len(line) > 20 and not line.startswith("--")]
    assert lines
    assert not [line for line in lines if line[:20] in written]


def test_same_verdict_is_reported_once(cloud: Stack, check_keys: ModuleType, clock: Clock) -> None:
    cloud.tenant("acme", x509_tenant("p256", "acme", "-days", "365").public_text)

    for _ in range(3):
        check(check_keys)
        assert check(check_keys, {}) == {"accepted": 1}
        clock.pass_by(days=1)

    assert [kind for kind, _ in told(cloud)] == ["KeyAccepted"]


def test_restored_version_is_reported_again_with_its_own_id(cloud: Stack, check_keys: ModuleType) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    first = current(cloud)
    check(check_keys)
    cloud.put_key("acme", "a bad paste")
    check(check_keys)

    cloud.secrets.update_secret_version_stage(
        SecretId=SECRET, VersionStage="AWSCURRENT", MoveToVersionId=first, RemoveFromVersionId=current(cloud)
    )
    check(check_keys)

    (good, before), (bad, _), (again, after) = verdicts(cloud)
    assert (good, bad, again) == ("KeyAccepted", "KeyRejected", "KeyAccepted")
    assert before["id"] != after["id"], "a receiver that drops repeats would go on with the rejection"
    assert after["key_version"] == first


def test_each_expiry_threshold_is_reported_once_in_a_year(
    cloud: Stack, check_keys: ModuleType, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.tenant("acme", x509_tenant("p256", "yearly", "-days", "100").public_text)
    counted = 0.0
    for _ in range(100):
        check(check_keys, {})
        clock.pass_by(days=1)
        counted += sum(line["KeysExpiring"][0] for line in emitted(capsys) if "KeysExpiring" in line)
    check(check_keys, {})

    events = told(cloud)
    expiring = [detail for kind, detail in events if kind == "KeyExpiring"]
    assert [kind for kind, _ in events] == ["KeyAccepted", *["KeyExpiring"] * 6, "KeyRejected"]
    assert [int(detail["message"].split(", in ")[1].split()[0]) for detail in expiring] == [60, 30, 14, 7, 3, 1]
    assert len({detail["id"] for detail in expiring}) == 6
    assert all(detail["recipients"][0]["fingerprint"] in detail["message"] for detail in expiring)
    assert events[-1][1]["reason"] == "KeyExpired"
    assert counted == 6


def test_check_interrupted_before_its_record_reports_the_same_event_again(
    cloud: Stack, check_keys: ModuleType, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.keys.announcements.CLAIM", timedelta(seconds=2))
    cloud.tenant("acme", x509_tenant().public_text)  # 30 days: KeyAccepted and KeyExpiring
    network.fail("PutItem", 500, "InternalServerError", skip=1)
    with pytest.raises(KeysUncheckedError, match="1 of 1"):
        check(check_keys)

    monkeypatch.setattr("callseal.keys.check_keys.CLAIM_PAUSE_SECONDS", 1)

    assert check(check_keys) == {"accepted": 1}, "once the claim of the one that broke off is over"

    ids = [(kind, detail["id"]) for kind, detail in told(cloud)]
    assert [kind for kind, _ in ids] == ["KeyAccepted", "KeyExpiring"] * 2
    assert ids[:2] == ids[2:]


def test_concurrent_checks_report_once(cloud: Stack, check_keys: ModuleType) -> None:
    """A new tenant's secret and its parameter cause two events at about the same moment."""
    cloud.tenant("acme", x509_tenant().public_text)  # 30 days: KeyAccepted and KeyExpiring
    with ThreadPoolExecutor(6) as executor:
        assert list(executor.map(lambda _: check(check_keys), range(6))) == [{"accepted": 1}] * 6
    assert [kind for kind, _ in told(cloud)] == ["KeyAccepted", "KeyExpiring"]


def test_one_tenant_that_fails_does_not_stop_the_others(
    cloud: Stack, check_keys: ModuleType, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("acme", "beta", "gamma"):
        cloud.tenant(name, x509_tenant().public_text)
    cloud.secrets.create_secret(Name=f"{STACK}/tenants/acme/sftp-keys", SecretString="not ours")
    cloud.secrets.create_secret(Name="somebody/else", SecretString="not ours")
    network.fail("GetSecretValue", 400, "AccessDeniedException")

    with pytest.raises(KeysUncheckedError, match="1 of 3 tenants' keys could not be checked"):
        check(check_keys, {})

    assert len([kind for kind, _ in told(cloud) if kind == "KeyAccepted"]) == 2
    assert FOREIGN_WORDS not in capsys.readouterr().out
    assert check(check_keys, {}) == {"accepted": 3}
    assert {detail["tenant"] for _, detail in told(cloud)} == {"acme", "beta", "gamma"}


@pytest.mark.parametrize(
    "event",
    [
        label_updated(f"{STACK}/tenants/acme/sftp-keys"),
        label_updated(f"{STACK}/tenants/acme/public-key/more"),
        label_updated(f"{STACK}-prod/tenants/acme/public-key"),
        label_updated(f"{STACK}/tenants/Acme/public-key"),
        {"tenant": "../acme"},
        {"tenant": None},
    ],
)
def test_event_without_a_known_tenant_checks_nothing(
    cloud: Stack, check_keys: ModuleType, event: dict[str, Any]
) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    assert check(check_keys, event) == {}
    assert cloud.audit() == []


def test_tenant_without_a_key_is_not_reported(cloud: Stack, check_keys: ModuleType) -> None:
    cloud.tenant("acme")
    assert check(check_keys, {"tenant": "acme"}) == {"missing": 1}
    assert cloud.audit() == []


def test_no_challenge_when_the_settings_do_not_require_proof(cloud: Stack, check_keys: ModuleType) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    check(check_keys)
    assert cloud.objects(SFTP) == {}


def test_each_of_several_keys_is_reported(cloud: Stack, check_keys: ModuleType) -> None:
    texts = [x509_tenant(kind, "several").public_text for kind in ("rsa2048", "p384")]
    cloud.tenant("acme", "\n".join(texts))
    check(check_keys)
    detail = next(detail for kind, detail in told(cloud) if kind == "KeyAccepted")
    assert {(key["algorithm"], key["strength"]) for key in detail["recipients"]} == {("RSA", 2048), ("EC P-384", 384)}
