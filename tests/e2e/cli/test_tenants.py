"""`callseal tenants`: what an operator sees, and what stands in the parameter and the secret afterwards."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from callseal.tenants.settings import TenantSettings
from tests.e2e.cli.conftest import Operator
from tests.support.keys import openpgp_tenant, x509_tenant
from tests.support.stack import STACK

DEFAULTS = {"encrypt": True, "deliver_to_sftp": True, "archive_formats": ["mp3"], "cms_profile": "authenveloped-gcm"}


def settings_of(operator: Operator, tenant: str) -> Any:
    name = f"/{STACK}/tenants/{tenant}/settings"
    return json.loads(operator.stack.ssm.get_parameter(Name=name)["Parameter"]["Value"])


def secret_of(operator: Operator, tenant: str) -> str:
    return str(operator.stack.secrets.get_secret_value(SecretId=f"{STACK}/tenants/{tenant}/public-key")["SecretString"])


def nothing_of(operator: Operator, tenant: str) -> bool:
    return not [one for one in operator.json("tenants", "list")["tenants"] if one["tenant"] == tenant]


def test_a_tenant_is_added_with_its_key_and_settings(operator: Operator) -> None:
    key = x509_tenant()
    added = operator.json(
        "tenants", "add", "acme", "--key", key.certificate, "--fingerprint", key.fingerprint,
        "--set", "archive_formats=mp3,wav", "--set", "encrypt=false",
    )  # fmt: skip

    written = {"archive_formats": ["mp3", "wav"], "encrypt": False, "require_key_proof": True}
    assert settings_of(operator, "acme") == written
    assert secret_of(operator, "acme") == key.public_text
    assert (added["tenant"], added["added"], added["key"]["usable"]) == ("acme", True, True)
    assert added["settings"] == {**added["settings"], "archive_formats": ["mp3", "wav"], "deliver_to_sftp": True}
    stored = operator.stack.secrets.get_secret_value(SecretId=f"{STACK}/tenants/acme/public-key")
    assert added["version_id"] == stored["VersionId"]


def test_check_that_cannot_be_requested_is_said_and_fails_nothing(operator: Operator) -> None:
    """This stack has no functions."""
    sentence = "check of the key could not be requested (ResourceNotFoundException)"

    key = x509_tenant()
    compared = (key.certificate, "--fingerprint", key.fingerprint)
    added = operator("tenants", "add", "acme", "--key", *compared)
    assert (added.code, added.err, sentence in added.out) == (0, "", True)
    put = operator("keys", "put", "beta", *compared)
    assert (put.code, put.err, sentence in put.out) == (0, "", True)
    # A label that moves sends an event; nothing is requested then.
    assert sentence not in operator("keys", "put", "beta", *compared).out


def test_a_tenant_is_added_without_a_key(operator: Operator) -> None:
    answer = operator("tenants", "add", "acme")
    assert answer == (0, "acme was added. It has no key yet: callseal keys put.\n", "")
    assert settings_of(operator, "acme") == {"require_key_proof": True}
    assert operator.json("tenants", "list") == {"tenants": [{"tenant": "acme", "settings": "ok", "has_key": False}]}


@pytest.mark.parametrize(
    ("typed", "written"), [(b"no\n", {"default_region": "NO"}), (b" Se \n", {"default_region": "SE"}), (b"\n", {})]
)
def test_region_of_numbers_is_asked_for_on_a_terminal_if_metadata_is_read(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, typed: bytes, written: dict[str, str]
) -> None:
    monkeypatch.setattr("callseal_cli.region.on_terminal", lambda: True)
    answer = operator("tenants", "add", "acme", "--set", "metadata_profile=puzzel", data=typed)
    assert answer.code == 0, answer
    assert "telephone numbers in national form" in answer.err
    assert settings_of(operator, "acme") == {"require_key_proof": True, "metadata_profile": "puzzel", **written}
    assert ("default_region=NO" in answer.out) is not bool(written)


def test_region_that_is_none_adds_nothing(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callseal_cli.region.on_terminal", lambda: True)
    answer = operator("tenants", "add", "acme", "--set", "metadata_profile=puzzel", data=b"Norway\n")
    assert (answer.code, "default_region must be two capital letters" in answer.err) == (2, True)
    assert nothing_of(operator, "acme")


def test_region_is_not_asked_for_without_a_terminal_or_without_need(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "default_region=NO" in operator("tenants", "add", "acme", "--set", "metadata_profile=puzzel").out
    monkeypatch.setattr("callseal_cli.region.on_terminal", lambda: True)
    for tenant, members in {
        "beta": ["encrypt=true"],
        "gamma": ["metadata_profile=puzzel", "default_region=SE"],
    }.items():
        answer = operator("tenants", "add", tenant, *(word for member in members for word in ("--set", member)))
        assert (answer.code, answer.err, "default_region" in answer.out) == (0, "", False)


@pytest.mark.parametrize("name", ["Acme", "a", "-a", "a_b", "a/b", "å-ö", "", "x" * 64])
def test_a_name_that_is_none_is_refused(operator: Operator, name: str) -> None:
    for command in (("add",), ("show",), ("set", "encrypt=true")):
        answer = operator("tenants", command[0], "--", name, *command[1:])
        assert answer.code == 2
        assert "is no tenant's name" in answer.err
    assert operator.json("tenants", "list") == {"tenants": []}


def test_a_tenant_that_exists_is_not_added_again(operator: Operator) -> None:
    key = x509_tenant()
    operator.stack.tenant("acme", key.public_text, {"encrypt": False})
    other = x509_tenant("p256")

    assert "exists" in operator.refused("tenants", "add", "acme", "--key", other.certificate, "--set", "encrypt=true")
    assert settings_of(operator, "acme") == {"encrypt": False}
    assert secret_of(operator, "acme") == key.public_text


def test_a_key_that_is_there_already_is_not_replaced_by_adding(operator: Operator) -> None:
    key = x509_tenant()
    operator.stack.put_key("acme", key.public_text)

    assert "has a key already" in operator.refused("tenants", "add", "acme", "--key", x509_tenant("p256").certificate)
    assert secret_of(operator, "acme") == key.public_text
    assert operator("tenants", "add", "acme").code == 0


def test_an_unusable_key_adds_nothing(operator: Operator) -> None:
    answer = operator("tenants", "add", "acme", "--key", x509_tenant("rsa1024").certificate)
    assert answer.code == 1
    assert "KeyTooWeak" in answer.out
    assert nothing_of(operator, "acme")


@pytest.mark.parametrize(
    ("assignment", "word"),
    [
        ("encrypt=perhaps", "encrypt must be true or false"),
        ("encrypt=1", "encrypt must be true or false"),
        ("archive_formats=ogg", "archive_formats must be"),
        ("archive_formats=mp3,mp3", "archive_formats must be"),
        ("cms_profile=strong", "cms_profile must be one of"),
        ("encript=true", "no setting 'encript'"),
        ("encrypt", "is not member=value"),
    ],
)
def test_a_wrong_setting_is_refused_and_changes_nothing(operator: Operator, assignment: str, word: str) -> None:
    operator.stack.tenant("beta", settings={"encrypt": False})
    assert word in operator.refused("tenants", "add", "acme", "--set", assignment)
    assert word in operator.refused("tenants", "set", "beta", assignment)
    assert nothing_of(operator, "acme")
    assert settings_of(operator, "beta") == {"encrypt": False}


@pytest.mark.parametrize("field", fields(TenantSettings), ids=lambda field: field.name)
def test_every_setting_that_the_functions_know_can_be_set_and_unset(operator: Operator, field: Any) -> None:
    others = {
        "archive_formats": ["wav"],
        "cms_profile": "enveloped-cbc",
        "sftp_source_addresses": ["192.0.2.0/24", "2001:db8::1"],
        "metadata_profile": "puzzel",
        "metadata_paths": {"queue": "//queueKey", "caller": "/tags[key=address]/value"},
        "metadata_missing": "deliver",
        "time_zone": "Europe/Oslo",
        "default_region": "NO",
        "own_numbers": ["+4721890000", "+472189"],
        "call_index": "blind",
        "denied_erase_after": "90d",
    }
    value = others.get(field.name, not field.default if isinstance(field.default, bool) else 3)
    told = ",".join(value) if isinstance(value, list) else json.dumps(value).strip('"')
    operator.stack.tenant("acme")

    changed = operator.json("tenants", "set", "acme", f"{field.name}={told}")
    default = getattr(TenantSettings(), field.name)
    default = list(default) if isinstance(default, tuple) else default
    assert settings_of(operator, "acme") == {field.name: value}
    assert (changed["before"][field.name], changed["after"][field.name]) == (default, value)

    assert operator.json("tenants", "set", "acme", "--unset", field.name)["after"][field.name] == default
    assert settings_of(operator, "acme") == {}


def test_setting_shows_before_and_after_and_leaves_the_rest(operator: Operator) -> None:
    operator.stack.tenant("acme", settings={"encrypt": False, "archive_formats": ["wav"]})
    answer = operator("tenants", "set", "acme", "encrypt=", 'archive_formats=["mp3", "wav"]')

    assert settings_of(operator, "acme") == {"archive_formats": ["mp3", "wav"]}
    assert "encrypt\tno\tyes\n" in answer.out
    assert "archive_formats\twav\tmp3, wav\n" in answer.out
    assert "deliver_to_sftp\tyes\tyes\n" in answer.out


def test_setting_what_stands_there_already_writes_nothing(operator: Operator) -> None:
    operator.stack.tenant("acme", settings={"encrypt": False})
    assert operator.json("tenants", "set", "acme", "encrypt=false")["changed"] is False
    parameter = operator.stack.ssm.get_parameter(Name=f"/{STACK}/tenants/acme/settings")["Parameter"]
    assert parameter["Version"] == 1


def test_settings_that_are_wrong_are_put_right(operator: Operator) -> None:
    operator.stack.tenant("acme", settings={"encrypt": "yes", "deliver_to_archive": True})
    assert operator.json("tenants", "set", "acme", "encrypt=true")["after"]["encrypt"] is True
    assert settings_of(operator, "acme") == {"encrypt": True, "deliver_to_archive": True}

    operator.stack.tenant("acme", settings="{")
    assert "not JSON" in operator.refused("tenants", "set", "acme", "encrypt=true")


def test_setting_needs_something_to_set_and_a_tenant(operator: Operator) -> None:
    assert "Say what to change" in operator.refused("tenants", "set", "acme")
    assert "has no settings" in operator.refused("tenants", "set", "acme", "encrypt=true")


def test_tenants_are_listed_with_what_they_lack(operator: Operator) -> None:
    assert operator("tenants", "list").out == "There is no tenant.\n"
    operator.stack.tenant("both", x509_tenant().public_text)
    operator.stack.tenant("bad-settings", settings="[]")
    operator.stack.put_key("key-alone", x509_tenant().public_text)
    operator.stack.secrets.create_secret(Name=f"{STACK}/tenants/acme/sftp-keys", SecretString="x")
    operator.stack.ssm.put_parameter(Name=f"/{STACK}-other/tenants/zeta/settings", Value="{}", Type="String")

    assert [tuple(one.values()) for one in operator.json("tenants", "list")["tenants"]] == [
        ("bad-settings", "SettingsInvalid", False), ("both", "ok", True), ("key-alone", "SettingsMissing", True),
    ]  # fmt: skip
    assert "both\tok\tyes\n" in operator("tenants", "list").out


def test_more_tenants_than_a_page_are_listed(operator: Operator) -> None:
    for number in range(120):
        operator.stack.tenant(f"t-{number:03}", "no key")
    listed = operator.json("tenants", "list")["tenants"]
    assert [one["tenant"] for one in listed] == [f"t-{number:03}" for number in range(120)]
    assert all(one["has_key"] for one in listed)


def test_a_tenant_is_shown_with_settings_key_and_held_files(operator: Operator) -> None:
    key = openpgp_tenant("cv25519")
    operator.stack.tenant("acme", key.public_text, {"encrypt_metadata": False})
    for name in ("a.wav", "b.wav"):
        operator.stack.s3.put_object(
            Bucket="landing", Key=f"acme/{name}", Body=b"x", Tagging="callseal-state=held&callseal-reason=KeyExpired"
        )
    operator.stack.land("acme/owed.wav", b"x")
    operator.stack.land("acme-2/owed.wav", b"x")

    shown = operator.json("tenants", "show", "acme")
    assert shown["settings"]["encrypt_metadata"] is False
    assert shown["settings"].keys() == {field.name for field in fields(TenantSettings)}
    (told,) = shown["key"]["keys"]
    assert (told["fingerprint"], told["algorithm"], told["strength"]) == (key.fingerprint, "Curve25519", 255)
    assert told["not_after"].endswith("Z")
    assert shown["held"] == {"count": 2, "by_reason": {"KeyExpired": 2}}
    text = operator("tenants", "show", "acme").out
    assert f"\n{key.fingerprint}\topenpgp\tCurve25519\t255\t" in text
    assert "held files: 2 KeyExpired\n" in text


def test_a_tenant_is_shown_however_little_there_is_of_it(operator: Operator) -> None:
    assert "There is no tenant acme" in operator.refused("tenants", "show", "acme")
    operator.stack.tenant("acme", settings='{"encrypt": 3}')
    shown = operator.json("tenants", "show", "acme")
    assert shown["settings"] is None
    assert "encrypt must be" in shown["settings_problem"]
    assert shown["key"]["reason"] == "KeyMissing"

    operator.stack.secrets.create_secret(Name=f"{STACK}/tenants/acme/public-key", SecretBinary=b"\x30\x82")
    assert operator.json("tenants", "show", "acme")["key"]["reason"] == "KeyUnreadable"
    operator.stack.put_key("beta", x509_tenant().public_text)
    assert "SettingsMissing" in operator.json("tenants", "show", "beta")["settings_problem"]


def test_a_deleted_secret_counts_as_none(operator: Operator) -> None:
    operator.stack.tenant("acme", x509_tenant().public_text)
    operator.stack.secrets.delete_secret(SecretId=f"{STACK}/tenants/acme/public-key")
    assert operator.json("tenants", "show", "acme")["key"]["reason"] == "KeyMissing"


def test_key_from_standard_input(operator: Operator, tmp_path: Path) -> None:
    key = x509_tenant()
    arguments = ("tenants", "add", "acme", "--key", "-", "--fingerprint", key.fingerprint)
    assert operator(*arguments, data=key.public_text.encode()).code == 0
    assert secret_of(operator, "acme") == key.public_text
