"""The overlap: for some days after a rotation, recordings are sealed to the new key and to the previous key."""

from __future__ import annotations

from types import ModuleType

import pytest

from callseal.keys.register import encrypts_with
from tests.functions.scene import CODE, SECRET, Scene, check, current
from tests.support.families import FAMILIES
from tests.support.keys import OpenPgpTenant, X509Tenant, gpg, x509_tenant
from tests.support.network import Network
from tests.support.stack import SFTP, failures, sqs_event

OVERLAP = {"require_key_proof": False, "rotation_overlap_days": 3}
Tenant = X509Tenant | OpenPgpTenant


def names(scene: Scene, key: str) -> list[str]:
    assert scene.land(key) is None
    return scene.sealed_to(key)


def opens(scene: Scene, tenant: Tenant, key: str) -> bool:
    sealed = next(data for name, data in scene.cloud.objects(SFTP).items() if name.startswith(f"{key}.p"))
    try:
        return tenant.open(sealed) == b"said"
    except AssertionError:
        return False


def rotate(scene: Scene, *tenants: Tenant) -> list[str]:
    """Store one key after the other, 90 seconds apart, and return their fingerprints."""
    found = []
    for tenant in tenants:
        scene.paste(tenant, **OVERLAP)
        found.append(encrypts_with(scene.cloud.audit_details("KeyAccepted")[-1]["recipients"][0]))
        scene.clock.pass_by(seconds=90)
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_both_keys_open_recordings_sealed_during_the_overlap(scene: Scene, family: str) -> None:
    old, new = FAMILIES[family].make("tenant"), FAMILIES[family].make("new")
    scene.paste(old, **OVERLAP)
    scene.clock.pass_by(seconds=90)
    (mine,) = names(scene, "acme/before.wav")
    scene.paste(new, **OVERLAP)
    (theirs,) = [encrypts_with(one) for one in scene.cloud.audit_details("KeyAccepted")[-1]["recipients"]]
    assert "for 3 days to the previous key as well" in scene.cloud.audit_details("KeyAccepted")[-1]["message"]
    scene.clock.pass_by(seconds=61)

    assert names(scene, "acme/1.wav") == [theirs, mine]

    assert opens(scene, old, "acme/1.wav")
    assert opens(scene, new, "acme/1.wav")
    delivered = scene.cloud.audit_details("RecordingDelivered")[-1]
    assert delivered["key_version"] == current(scene.cloud)
    scene.clock.pass_by(days=2, hours=23)
    assert names(scene, "acme/2.wav") == [theirs, mine]
    scene.clock.pass_by(hours=2)
    assert names(scene, "acme/3.wav") == [theirs]
    assert not opens(scene, old, "acme/3.wav")


def test_overlap_begins_before_the_register_has_the_new_key(scene: Scene) -> None:
    (mine,) = rotate(scene, x509_tenant())
    scene.cloud.put_key("acme", x509_tenant("p256", "new").public_text)
    assert names(scene, "acme/1.wav")[1:] == [mine]


def test_no_overlap_without_the_setting(scene: Scene) -> None:
    for tenant in (x509_tenant(), x509_tenant("p256", "new")):
        scene.paste(tenant, require_key_proof=False)
    assert len(names(scene, "acme/1.wav")) == 1


def test_expired_previous_key_is_not_used(scene: Scene) -> None:
    _, theirs = rotate(scene, x509_tenant("rsa2048", "short", "-days", "1"), x509_tenant("p256", "new"))
    assert len(names(scene, "acme/1.wav")) == 2
    scene.clock.pass_by(days=1)
    assert names(scene, "acme/2.wav") == [theirs]


def test_previous_key_known_as_revoked_is_not_used(scene: Scene) -> None:
    """The tenant sends its key as revoked, then a new key. The version that was in use has no revocation itself."""
    old, new = FAMILIES["openpgp"].make("to be revoked"), FAMILIES["openpgp"].make("new")
    assert isinstance(old, OpenPgpTenant)
    rotate(scene, old)
    certificate = next((old.home / "openpgp-revocs.d").glob("*.rev")).read_text().replace(":-----BEGIN", "-----BEGIN")
    gpg(old.home, "--import", data=certificate.encode())
    revoked = gpg(old.home, "--armor", "--export", old.fingerprint).decode()
    scene.cloud.put_key("acme", revoked)
    check(scene.check_keys)
    scene.register()
    assert scene.cloud.audit_details("KeyRejected")[-1]["reason"] == "KeyRevoked"

    (theirs,) = rotate(scene, new)

    assert names(scene, "acme/1.wav") == [theirs]
    assert not opens(scene, old, "acme/1.wav")


def test_withdrawn_key_is_not_used(scene: Scene) -> None:
    mine, _ = rotate(scene, x509_tenant(), x509_tenant("p256", "wrong"))
    labels = scene.cloud.secrets.describe_secret(SecretId=SECRET)["VersionIdsToStages"]
    first = next(version for version, stages in labels.items() if "AWSPREVIOUS" in stages)
    scene.cloud.secrets.update_secret_version_stage(
        SecretId=SECRET, VersionStage="AWSCURRENT", MoveToVersionId=first, RemoveFromVersionId=current(scene.cloud)
    )
    check(scene.check_keys)
    scene.register()
    scene.clock.pass_by(seconds=61)
    assert names(scene, "acme/1.wav") == [mine]


def test_unusable_version_in_between_is_not_a_previous_key(scene: Scene) -> None:
    (mine,) = rotate(scene, x509_tenant())
    for text in ("a bad paste", x509_tenant("rsa1024").public_text):
        scene.cloud.put_key("acme", text)
        check(scene.check_keys)
        scene.register()
    (theirs,) = rotate(scene, x509_tenant("p256", "new"))
    assert names(scene, "acme/1.wav") == [theirs, mine]


def test_keys_of_two_kinds_do_not_overlap_and_the_verdict_reports_it(scene: Scene) -> None:
    _, theirs = rotate(scene, FAMILIES["x509"].make("tenant"), FAMILIES["openpgp"].make("tenant"))
    assert names(scene, "acme/1.wav") == [theirs]
    accepted = scene.cloud.audit_details("KeyAccepted")[-1]
    assert "to it alone: the previous key is of the other kind" in accepted["message"]


def test_more_than_16_recipients_do_not_overlap_and_the_verdict_reports_it(scene: Scene) -> None:
    many = "".join(x509_tenant("p256", f"member {number}").public_text for number in range(16))
    rotate(scene, x509_tenant())
    scene.cloud.tenant("acme", many, OVERLAP)
    check(scene.check_keys)
    scene.register()
    scene.clock.pass_by(seconds=90)
    assert len(names(scene, "acme/1.wav")) == 16
    accepted = scene.cloud.audit_details("KeyAccepted")[-1]
    assert "to it alone: with the previous one there would be more than 16 recipients" in accepted["message"]


def test_with_proof_both_must_be_proven(scene: Scene) -> None:
    settings = {"require_key_proof": True, "rotation_overlap_days": 3}
    old, new = x509_tenant(), x509_tenant("p256", "new")
    proven = []
    for number, tenant in enumerate((old, new)):
        scene.paste(tenant, **settings)
        keys = [key for key in scene.cloud.objects(SFTP) if "/key-check/" in key]
        (mine,) = {key.rpartition("/")[2].partition(".")[0] for key in keys} - set(proven)
        if number:
            assert names(scene, "acme/unproven.wav") == proven
        sealed = scene.cloud.objects(SFTP)[f"acme/key-check/{mine}.txt.p7m"]
        scene.answer(mine, CODE.findall(tenant.open(sealed).decode())[0])
        proven.append(mine)
        scene.clock.pass_by(seconds=61)
    assert names(scene, "acme/1.wav") == proven[::-1]


@pytest.mark.parametrize("gone", ["ResourceNotFoundException", "InvalidRequestException"])
def test_an_earlier_version_that_is_gone_ends_the_overlap(scene: Scene, network: Network, gone: str) -> None:
    _, theirs = rotate(scene, x509_tenant(), x509_tenant("p256", "new"))
    network.fail("GetSecretValue", 400, gone, skip=1)
    assert names(scene, "acme/1.wav") == [theirs]


def test_file_is_retried_while_the_register_cannot_be_read(
    scene: Scene, network: Network, encrypt_recording: ModuleType
) -> None:
    rotate(scene, x509_tenant())
    network.fail("Query", 500, "InternalServerError")
    event = sqs_event(scene.cloud.land("acme/1.wav", b"said"))
    assert failures(encrypt_recording.lambda_handler(event, None)) == ["m0"]
    assert scene.cloud.objects(SFTP) == {}


def test_rotation_needs_two_more_requests_a_minute(scene: Scene, network: Network) -> None:
    """Two additional requests a minute: the register, and the previous version."""
    rotate(scene, x509_tenant(), x509_tenant("p256", "new"))
    before = len(network.requests)
    for number in range(3):
        scene.land(f"acme/{number}.wav")
    asked = [one.operation for one in network.requests[before:]]
    assert (asked.count("Query"), asked.count("GetSecretValue")) == (1, 2)


@pytest.mark.parametrize("gone", [True, False])
def test_the_daily_check_logs_that_a_previous_version_is_gone_before_its_overlap_ends(
    scene: Scene, network: Network, caplog: pytest.LogCaptureFixture, gone: bool
) -> None:
    """Secrets Manager may delete a version without a label. Files are then sealed to the new key only."""
    rotate(scene, x509_tenant(), x509_tenant(name="new"))
    caplog.clear()
    if gone:
        network.fail("GetSecretValue", 400, "ResourceNotFoundException", skip=1, times=None)

    assert check(scene.check_keys) == {"accepted": 1}

    assert ("previous key is gone" in caplog.messages) is gone
    assert len(network.asked("GetSecretValue")[-1].members.get("VersionId", "")) == 36
