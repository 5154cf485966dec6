"""Held files: every reason, what stays unchanged, and that a fixed cause takes effect at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from types import ModuleType
from typing import Any

import pytest

from tests.support import functions
from tests.support.clock import Clock
from tests.support.families import FAMILIES
from tests.support.keys import fingerprint_of, gpg, gpg_home, openpgp_tenant, x509_tenant
from tests.support.network import Network, Request
from tests.support.stack import ARCHIVE, LANDING, SFTP, STACK, Stack, failures, sqs_event

KEY = "acme/4711_1.wav"
DATA = b"RIFF what was said"
HELD = {"callseal-state": "held"}
SECRET = f"{STACK}/tenants/acme/public-key"
PARAMETER = f"/{STACK}/tenants/acme/settings"


def good_key() -> str:
    return FAMILIES["x509"].make("tenant").public_text


def deliver(cloud: Stack, encrypt_recording: ModuleType, key: str = KEY, data: bytes = DATA) -> None:
    """Land a file and process its message, which must be acknowledged."""
    assert failures(encrypt_recording.lambda_handler(sqs_event(cloud.land(key, data)), None)) == []


def assert_held(cloud: Stack, reason: str, key: str = KEY, data: bytes = DATA) -> dict[str, Any]:
    """Check that a file is held with its tags, and return the detail of its audit event."""
    assert cloud.objects(LANDING)[key] == data
    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == {}
    assert cloud.unfinished_uploads(SFTP) == cloud.unfinished_uploads(ARCHIVE) == []
    assert [event["detail-type"] for event in cloud.audit()] == ["RecordingHeld"]
    (detail,) = cloud.audit_details("RecordingHeld")
    version = detail["key_version"]
    hold = {"callseal-hold": f"0 {sha256(version.encode()).hexdigest()[:16]}"} if version else {}
    assert cloud.tags(key) == {**HELD, "callseal-reason": reason, **hold}
    assert detail["reason"] == reason
    assert detail["tenant"] == "acme"
    assert detail["message"]
    assert detail["outputs"] is detail["recipients"] is None
    head = cloud.s3.head_object(Bucket=LANDING, Key=key)
    assert detail["source"] == {
        "bucket": LANDING, "key": key, "etag": head["ETag"].strip('"'), "size": len(data)
    }  # fmt: skip
    return detail


def secret_version(cloud: Stack) -> str:
    return str(cloud.secrets.get_secret_value(SecretId=SECRET, VersionStage="AWSCURRENT")["VersionId"])


def private_keys() -> dict[str, str]:
    """Return the forms in which a private key may be stored: PEM alone, PEM with its certificate, and gpg's export."""
    tenant, pgp = x509_tenant(), openpgp_tenant("cv25519")
    pem = tenant.private_key.read_text()
    secret = gpg(pgp.home, "--armor", "--export-secret-keys").decode()
    return {"PEM": pem, "PEM after its certificate": tenant.public_text + pem, "OpenPGP": secret}


def revoked() -> str:
    """Return an OpenPGP key that its owner has revoked."""
    home = gpg_home("revoked")
    gpg(home, "--quick-generate-key", "revoked <revoked@example.invalid>", "ed25519", "sign", "30d")
    fingerprint = fingerprint_of(home)
    gpg(home, "--quick-add-key", fingerprint, "cv25519", "encr", "30d")
    certificate = (home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    gpg(home, "--import", data=certificate.encode())
    return gpg(home, "--armor", "--export", fingerprint).decode()


def sign_only() -> str:
    home = gpg_home("sign-only")
    gpg(home, "--quick-generate-key", "sign <sign@example.invalid>", "ed25519", "sign", "30d")
    return gpg(home, "--armor", "--export").decode()


BAD_KEYS: dict[str, tuple[str, Callable[[], str]]] = {
    "empty": ("KeyUnreadable", lambda: " "),
    "no key": ("KeyUnreadable", lambda: "The key comes next week."),
    "cut off": ("KeyUnreadable", lambda: good_key()[:-200]),
    "cut off after a good one": ("KeyUnreadable", lambda: good_key() + good_key()[:-200]),
    "both families": ("KeyUnreadable", lambda: good_key() + FAMILIES["openpgp"].make("tenant").public_text),
    "PEM": ("KeyIsPrivate", lambda: private_keys()["PEM"]),
    "PEM after its certificate": ("KeyIsPrivate", lambda: private_keys()["PEM after its certificate"]),
    "OpenPGP private": ("KeyIsPrivate", lambda: private_keys()["OpenPGP"]),
    "RSA 1024": ("KeyTooWeak", lambda: x509_tenant("rsa1024").public_text),
    "OpenPGP RSA 1024": ("KeyTooWeak", lambda: openpgp_tenant("rsa1024").public_text),
    "weak beside good": ("KeyTooWeak", lambda: good_key() + x509_tenant("rsa1024").public_text),
    "for signatures": (
        "KeyNotForEncryption",
        lambda: x509_tenant("rsa2048", "sign", "-addext", "keyUsage=digitalSignature").public_text,
    ),
    "OpenPGP for signatures": ("KeyNotForEncryption", sign_only),
    "revoked": ("KeyRevoked", revoked),
}


@pytest.mark.parametrize("which", BAD_KEYS)
def test_held_when_key_is_bad(cloud: Stack, network: Network, encrypt_recording: ModuleType, which: str) -> None:
    reason, make = BAD_KEYS[which]
    text = make()
    cloud.tenant("acme", text)

    deliver(cloud, encrypt_recording)

    detail = assert_held(cloud, reason)
    assert detail["key_version"] == secret_version(cloud)
    assert not network.asked("GetObject")  # not even read
    secret_lines = [line for line in text.splitlines() if len(line) > 40]
    assert not [line for line in secret_lines if line in str(detail)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("days", "reason"), [(31, "KeyExpired"), (-1, "KeyNotYetValid")])
def test_held_when_key_is_outside_its_validity(
    cloud: Stack, clock: Clock, encrypt_recording: ModuleType, family: str, days: int, reason: str
) -> None:
    cloud.tenant("acme", FAMILIES[family].make("tenant").public_text)
    clock.pass_by(days=days)

    deliver(cloud, encrypt_recording)

    assert_held(cloud, reason)


@pytest.mark.parametrize("how", ["never there", "marked for deletion"])
def test_held_when_key_is_missing(cloud: Stack, encrypt_recording: ModuleType, how: str) -> None:
    cloud.tenant("acme", good_key() if how == "marked for deletion" else None)
    if how == "marked for deletion":
        cloud.secrets.delete_secret(SecretId=SECRET)

    deliver(cloud, encrypt_recording)

    assert assert_held(cloud, "KeyMissing")["key_version"] is None


def test_held_when_secret_is_binary(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme")
    cloud.secrets.create_secret(Name=SECRET, SecretBinary=good_key().encode())

    deliver(cloud, encrypt_recording)

    assert assert_held(cloud, "KeyUnreadable")["key_version"] == secret_version(cloud)


def test_held_when_settings_are_missing(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.put_key("acme", good_key())

    deliver(cloud, encrypt_recording)

    assert PARAMETER in assert_held(cloud, "SettingsMissing")["message"]


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "null", "true", "encrypt: true", '{"encrypt": "no"}', '{"encrypt": 0}', '{"encrypt": null}',
        '{"Encrypt": false}', '{"encrypted": false}', '{"encrypt": true, "encrypt": false}',
        '{"archive_formats": "mp3"}', '{"archive_formats": ["ogg"]}', '{"archive_formats": ["mp3", "mp3"]}',
        '{"cms_profile": "rot13"}', '{"cms_profile": []}',
    ],
)  # fmt: skip
def test_held_when_settings_are_invalid(cloud: Stack, encrypt_recording: ModuleType, text: str) -> None:
    cloud.tenant("acme", good_key(), text)

    deliver(cloud, encrypt_recording)

    assert_held(cloud, "SettingsInvalid")


@pytest.mark.parametrize(
    "settings",
    [
        {"deliver_to_sftp": False},
        {"deliver_to_sftp": False, "deliver_to_archive": True},
        {"deliver_to_sftp": False, "deliver_to_archive": True, "archive_formats": []},
    ],
)
def test_held_when_nothing_is_to_be_delivered(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, settings: dict[str, Any]
) -> None:
    cloud.tenant("acme", good_key(), settings)

    deliver(cloud, encrypt_recording)

    assert_held(cloud, "NothingToDeliver")
    assert not network.asked("GetSecretValue")


# ---- the first of several reasons -----------------------------------------------------------------------------------


def test_first_reason_in_the_documented_order_is_reported(
    cloud: Stack, clock: Clock, encrypt_recording: ModuleType
) -> None:
    """Every cause applies at once. Each reported cause is fixed in turn, until the file is delivered."""
    weak, sign = (
        x509_tenant("rsa1024").public_text,
        x509_tenant("rsa2048", "sign", "-addext", "keyUsage=digitalSignature").public_text,
    )
    clock.pass_by(days=31)  # every key has expired, too
    event = sqs_event(cloud.land(KEY, DATA))
    nothing = {"deliver_to_sftp": False}
    steps: list[tuple[str, Callable[[], object]]] = [
        ("SettingsMissing", lambda: None),
        ("SettingsInvalid", lambda: cloud.tenant("acme", None, "{")),
        ("NothingToDeliver", lambda: cloud.tenant("acme", None, nothing)),
        ("KeyMissing", lambda: cloud.tenant("acme", None, {})),
        ("KeyIsPrivate", lambda: cloud.put_key("acme", weak + "-----BEGIN X-----" + private_keys()["PEM"])),
        ("KeyUnreadable", lambda: cloud.put_key("acme", weak + sign + "-----BEGIN CERTIFICATE-----")),
        ("KeyNotForEncryption", lambda: cloud.put_key("acme", weak + sign)),
        ("KeyTooWeak", lambda: cloud.put_key("acme", good_key() + weak)),
        ("KeyExpired", lambda: cloud.put_key("acme", good_key())),
        ("OutputConflict", lambda: (
            clock.pass_by(days=-31), cloud.s3.put_object(Bucket=SFTP, Key=KEY + ".p7m", Body=b"of somebody else")
        )),
    ]  # fmt: skip
    for reason, step in steps:
        step()
        assert failures(encrypt_recording.lambda_handler(event, None)) == []
        assert cloud.tags(KEY)["callseal-reason"] == reason
    assert [detail["reason"] for detail in cloud.audit_details("RecordingHeld")] == [reason for reason, _ in steps]

    cloud.s3.delete_object(Bucket=SFTP, Key=KEY + ".p7m")
    assert failures(encrypt_recording.lambda_handler(event, None)) == []
    assert FAMILIES["x509"].make("tenant").open(cloud.objects(SFTP)[KEY + ".p7m"]) == DATA


def test_unsupported_file_comes_before_missing_settings(cloud: Stack, encrypt_recording: ModuleType) -> None:
    deliver(cloud, encrypt_recording, "acme/call.flac")

    assert_held(cloud, "UnsupportedFile", "acme/call.flac")


def test_revoked_comes_before_expired(cloud: Stack, clock: Clock, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", revoked())
    clock.pass_by(days=31)

    deliver(cloud, encrypt_recording)

    assert_held(cloud, "KeyRevoked")


# ---- only sealed outputs need a key ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [None, "no key", "private"])
@pytest.mark.parametrize("settings", [{"encrypt": False}, {"encrypt": False, "only_encrypt_sftp": True}])
def test_plain_tenant_needs_no_key(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, text: str | None, settings: dict[str, Any]
) -> None:
    cloud.tenant("acme", private_keys()["PEM"] if text == "private" else text, settings)

    deliver(cloud, encrypt_recording)

    assert cloud.objects(SFTP) == {KEY: DATA}
    assert not network.asked("GetSecretValue")
    (detail,) = cloud.audit_details("RecordingDelivered")
    assert detail["recipients"] is detail["key_version"] is None
    assert [output["sha256"] for output in detail["outputs"]] == [None]


def test_plain_metadata_needs_no_key_and_its_recording_does(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", None, {"encrypt_metadata": False})
    event = sqs_event(cloud.land(KEY, DATA), cloud.land("acme/4711_1.xml", b"<call/>"))

    assert failures(encrypt_recording.lambda_handler(event, None)) == []

    assert cloud.objects(SFTP) == {"acme/4711_1.xml": b"<call/>"}
    assert cloud.tags(KEY)["callseal-reason"] == "KeyMissing"


def test_nothing_plain_goes_to_the_archive_when_the_sealed_half_is_held(
    cloud: Stack, encrypt_recording: ModuleType
) -> None:
    """A key is judged before any write, so a file is delivered completely or held completely."""
    settings = {"deliver_to_archive": True, "only_encrypt_sftp": True, "archive_formats": ["wav"]}
    cloud.tenant("acme", None, settings)

    deliver(cloud, encrypt_recording)

    assert_held(cloud, "KeyMissing")


# ---- tags -----------------------------------------------------------------------------------------------------------


def put_tags(cloud: Stack, tags: dict[str, str]) -> None:
    cloud.s3.put_object_tagging(
        Bucket=LANDING, Key=KEY, Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}
    )


def test_platforms_tags_stay(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme")
    event = sqs_event(cloud.land(KEY, DATA))
    platform = {"queue": "sales", "site": "Göteborg", "empty": ""}
    put_tags(cloud, platform)

    encrypt_recording.lambda_handler(event, None)

    assert cloud.tags(KEY) == {**platform, **HELD, "callseal-reason": "KeyMissing"}


def test_ten_tags_make_room(cloud: Stack, encrypt_recording: ModuleType) -> None:
    """S3 allows ten tags: ours must be among them, with as many of the platform's as fit."""
    cloud.tenant("acme")
    event = sqs_event(cloud.land(KEY, DATA))
    platform = {f"platform-{number}": str(number) for number in range(10)}
    put_tags(cloud, platform)

    assert failures(encrypt_recording.lambda_handler(event, None)) == []

    tags = cloud.tags(KEY)
    assert len(tags) == 10
    assert {"callseal-state": tags.pop("callseal-state"), "callseal-reason": tags.pop("callseal-reason")} == {
        **HELD, "callseal-reason": "KeyMissing"
    }  # fmt: skip
    assert tags.items() <= platform.items()


def test_new_reason_replaces_the_old_reason(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", "no key")
    event = sqs_event(cloud.land(KEY, DATA))
    put_tags(cloud, {f"platform-{number}": str(number) for number in range(8)})
    encrypt_recording.lambda_handler(event, None)
    cloud.put_key("acme", x509_tenant("rsa1024").public_text)

    assert failures(encrypt_recording.lambda_handler(event, None)) == []

    assert cloud.tags(KEY)["callseal-reason"] == "KeyTooWeak"
    assert len(cloud.tags(KEY)) == 10


# ---- repeats and caches ---------------------------------------------------------------------------------------------


def test_held_again_is_the_same_event(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", "no key")
    event = sqs_event(cloud.land(KEY, DATA))
    for handler in (encrypt_recording, encrypt_recording, functions.load("encrypt_recording")):
        assert failures(handler.lambda_handler(event, None)) == []

    first, *others = cloud.audit_details("RecordingHeld")
    assert {detail["id"] for detail in others} == {first["id"]}

    cloud.put_key("acme", "no key either")
    encrypt_recording.lambda_handler(event, None)
    assert cloud.audit_details("RecordingHeld")[-1]["id"] != first["id"]  # with another key it is another event


@pytest.mark.parametrize("encrypt", [False, True])
def test_conflict_that_remains_is_neither_released_nor_another_hold(
    cloud: Stack, encrypt_recording: ModuleType, encrypt: bool
) -> None:
    """The sweep requeues a held file whose call must be judged again, and the conflict is still there."""
    cloud.tenant("acme", good_key(), {"encrypt": encrypt})
    suffix = ".p7m" if encrypt else ""
    cloud.s3.put_object(Bucket=SFTP, Key=f"{KEY}{suffix}", Body=b"of somebody else")
    landed = cloud.land(KEY, DATA)
    again = json.loads(json.dumps(landed).replace("ObjectCreated:Put", "ObjectCreated:PutBackIndexedHeld"))

    for message in (landed, again, again):
        assert failures(encrypt_recording.lambda_handler(sqs_event(message), None)) == []

    assert cloud.audit_details("RecordingReleased") == []
    assert len({detail["id"] for detail in cloud.audit_details("RecordingHeld")}) == 1
    assert cloud.tags(KEY)["callseal-reason"] == "OutputConflict"


def test_slow_worker_does_not_undo_the_tags_of_a_later_hold(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    """Its hold is for the earlier key. If its tags won, the next hold for the later key would be another event."""
    cloud.tenant("acme", "no key")
    event = sqs_event(cloud.land(KEY, DATA))
    weak, other = x509_tenant("rsa1024").public_text, functions.load("encrypt_recording")

    def meanwhile(_: Request) -> None:
        encrypt_recording.lambda_handler(event, None)
        cloud.put_key("acme", weak)
        functions.load("encrypt_recording").lambda_handler(event, None)

    network.after("PutEvents", meanwhile)
    other.lambda_handler(event, None)
    functions.load("encrypt_recording").lambda_handler(event, None)

    assert cloud.tags(KEY)["callseal-reason"] == "KeyTooWeak"
    assert len({detail["id"] for detail in cloud.audit_details("RecordingHeld")}) == 2


@pytest.mark.parametrize(
    "reason", ["SettingsMissing", "SettingsInvalid", "NothingToDeliver", "KeyMissing", "KeyUnreadable"]
)
def test_fixed_cause_takes_effect_at_once(
    cloud: Stack, clock: Clock, encrypt_recording: ModuleType, reason: str
) -> None:
    """The function is warm: it has delivered and held files for this tenant, and has just held this file."""
    cloud.tenant("acme", good_key())
    deliver(cloud, encrypt_recording, "acme/warm.wav")
    breaks: dict[str, Callable[[], object]] = {
        "SettingsMissing": lambda: cloud.ssm.delete_parameter(Name=PARAMETER),
        "SettingsInvalid": lambda: cloud.tenant("acme", None, "{"),
        "NothingToDeliver": lambda: cloud.tenant("acme", None, {"deliver_to_sftp": False}),
        "KeyMissing": lambda: cloud.secrets.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True),
        "KeyUnreadable": lambda: cloud.put_key("acme", "no key"),
    }
    breaks[reason]()
    clock.pass_by(seconds=60)  # the cache of good values has expired
    event = sqs_event(cloud.land(KEY, DATA))
    assert failures(encrypt_recording.lambda_handler(event, None)) == []
    assert cloud.tags(KEY)["callseal-reason"] == reason

    cloud.tenant("acme", good_key(), {})

    assert failures(encrypt_recording.lambda_handler(event, None)) == []
    assert set(cloud.objects(SFTP)) == {"acme/warm.wav.p7m", f"{KEY}.p7m"}
    assert cloud.objects(LANDING) == {}


def test_nothing_to_deliver_is_not_decided_by_cached_settings(cloud: Stack, encrypt_recording: ModuleType) -> None:
    """The warm function's cached settings allow XML only, but the current settings allow recordings too."""
    cloud.tenant("acme", None, {"encrypt": False, "deliver_to_sftp": False, "deliver_to_archive": True})
    deliver(cloud, encrypt_recording, "acme/warm.xml")
    cloud.tenant("acme", None, {"encrypt": False, "deliver_to_sftp": True})

    deliver(cloud, encrypt_recording)

    assert cloud.objects(SFTP) == {KEY: DATA}
    assert cloud.audit_details("RecordingHeld") == []


def test_conflict_is_not_decided_by_cached_settings(cloud: Stack, encrypt_recording: ModuleType) -> None:
    """The cached settings deliver to the archive, which has a foreign object. The current settings do not."""
    cloud.tenant("acme", None, {"encrypt": False, "deliver_to_archive": True, "archive_formats": ["wav"]})
    deliver(cloud, encrypt_recording, "acme/warm.wav")
    cloud.s3.put_object(Bucket=ARCHIVE, Key=KEY, Body=b"of somebody else")
    cloud.tenant("acme", None, {"encrypt": False})

    deliver(cloud, encrypt_recording)

    assert cloud.objects(SFTP)[KEY] == DATA
    assert cloud.audit_details("RecordingHeld") == []


def test_good_key_is_cached_for_a_minute(
    cloud: Stack, clock: Clock, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", good_key())
    for number in range(3):
        deliver(cloud, encrypt_recording, f"acme/{number}.wav")
        clock.pass_by(seconds=15)
    assert [len(network.asked(name)) for name in ("GetSecretValue", "GetParameters")] == [1, 1]

    clock.pass_by(seconds=16)
    deliver(cloud, encrypt_recording, "acme/3.wav")

    assert [len(network.asked(name)) for name in ("GetSecretValue", "GetParameters")] == [2, 2]


@pytest.mark.parametrize("family", FAMILIES)
def test_rotation_takes_effect_within_a_minute(
    cloud: Stack, clock: Clock, encrypt_recording: ModuleType, family: str
) -> None:
    old, new = (FAMILIES[family].make(name) for name in ("tenant", "successor"))
    cloud.tenant("acme", old.public_text)
    deliver(cloud, encrypt_recording, "acme/before.wav")
    cloud.put_key("acme", new.public_text)
    clock.pass_by(seconds=60)

    deliver(cloud, encrypt_recording)

    sealed = cloud.objects(SFTP)[KEY + FAMILIES[family].suffix]
    assert new.open(sealed) == DATA
    with pytest.raises(AssertionError):
        old.open(sealed)
    assert cloud.audit_details("RecordingDelivered")[-1]["key_version"] == secret_version(cloud)


def test_settings_change_takes_effect_within_a_minute(
    cloud: Stack, clock: Clock, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", good_key(), {"encrypt": False})
    deliver(cloud, encrypt_recording, "acme/before.wav")
    cloud.tenant("acme", None, {})
    clock.pass_by(seconds=60)

    deliver(cloud, encrypt_recording)

    assert list(cloud.objects(SFTP)) == [f"{KEY}.p7m", "acme/before.wav"]


@pytest.mark.parametrize("family", FAMILIES)
def test_cached_key_that_expires_is_judged_again(
    cloud: Stack, clock: Clock, encrypt_recording: ModuleType, family: str
) -> None:
    cloud.tenant("acme", FAMILIES[family].make("tenant").public_text)
    deliver(cloud, encrypt_recording, "acme/probe.wav")
    (recipient,) = cloud.audit_details("RecordingDelivered")[0]["recipients"]
    ends = datetime.fromisoformat(recipient["not_after"])
    clock.put_to(ends - timedelta(seconds=30))
    deliver(cloud, encrypt_recording, "acme/in time.wav")
    assert len(cloud.objects(SFTP)) == 2

    clock.pass_by(seconds=31)
    deliver(cloud, encrypt_recording)

    assert cloud.tags(KEY)["callseal-reason"] == "KeyExpired"
    assert len(cloud.objects(SFTP)) == 2


def test_fault_of_one_tenant_does_not_affect_another(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", "no key")
    cloud.tenant("beta", good_key())
    event = sqs_event(cloud.land(KEY, DATA), cloud.land("beta/1.wav", DATA))

    assert failures(encrypt_recording.lambda_handler(event, None)) == []

    assert list(cloud.objects(SFTP)) == ["beta/1.wav.p7m"]
    assert list(cloud.objects(LANDING)) == [KEY]
