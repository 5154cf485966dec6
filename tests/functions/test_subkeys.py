"""OpenPGP keys by their encryption subkey: a new subkey is a new key, and a revoked one is never used again.

What counts is whom the message names: its PKESK packets have the ids of the subkeys (RFC 9580, 5.1).
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from callseal.crypto.openpgp_packets import PKESK, head_packets
from tests.functions.scene import CODE, Scene
from tests.support.keys import gpg
from tests.support.network import Network
from tests.support.openpgp_keys import Key, home
from tests.support.register import rows
from tests.support.stack import ARCHIVE, SFTP, failures, sqs_event

PROOF = {"require_key_proof": True}
OVERLAP = {"require_key_proof": False, "rotation_overlap_days": 3}


def subkeys(key: Key) -> list[str]:
    """Return the fingerprints of a key's subkeys, the oldest first."""
    listing = gpg(home(), "--with-colons", "--with-subkey-fingerprint", "--list-keys", key.fingerprint).decode()
    return [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")][1:]


def paste(scene: Scene, text: str, **settings: Any) -> None:
    """Store a key's text, and let every cache expire."""
    scene.paste(SimpleNamespace(public_text=text), **settings)  # type: ignore[arg-type]
    scene.clock.pass_by(seconds=90)


def opened_by(scene: Scene, key: str, bucket: str = SFTP) -> set[str]:
    """Return the key ids that a delivered message names."""
    sealed = scene.cloud.objects(bucket)[f"{key}.pgp"]
    return {packet.body[1:9].hex().upper() for packet in head_packets(sealed) if packet.tag == PKESK}


def land(scene: Scene, key: str) -> set[str]:
    assert scene.land(key) is None
    return opened_by(scene, key)


def ids(*fingerprints: str) -> set[str]:
    return {fingerprint[-16:] for fingerprint in fingerprints}


def answer(scene: Scene, subkey: str) -> None:
    """Open the challenge for a subkey, and send its code back."""
    sealed = scene.cloud.objects(SFTP)[f"acme/key-check/{subkey}.txt.pgp"]
    (code,) = CODE.findall(gpg(home(), "--quiet", "--decrypt", data=sealed).decode())
    scene.answer(subkey, code)


def without_subkey(key: Key, gone: str) -> str:
    """Export a key without one of its subkeys."""
    return gpg(home(), "--armor", "--export-filter", f"drop-subkey=fpr={gone}", "--export", key.fingerprint).decode()


def test_a_new_subkey_under_a_proven_primary_is_challenged_before_it_is_used(scene: Scene) -> None:
    key = Key(days=-3).add(days=-3)
    paste(scene, key.text, **PROOF)
    (old,) = subkeys(key)
    answer(scene, old)
    assert land(scene, "acme/1.wav") == ids(old)

    key.add(days=-1)
    paste(scene, key.text, **PROOF)
    _, new = subkeys(key)
    assert land(scene, "acme/2.wav") == ids(old), "the last that is proven"

    answer(scene, new)
    scene.clock.pass_by(seconds=90)
    assert land(scene, "acme/3.wav") == ids(new)
    assert {name for name, row in rows(scene.cloud.dynamodb).items() if row.get("proven")} == {old, new}


def test_rotating_the_subkey_has_its_overlap(scene: Scene) -> None:
    key = Key(days=-3).add(days=-3)
    paste(scene, key.text, **OVERLAP)
    key.add(days=-1)
    paste(scene, key.text, **OVERLAP)
    old, new = subkeys(key)

    assert land(scene, "acme/1.wav") == ids(old, new)
    metadata = scene.cloud.s3.head_object(Bucket=SFTP, Key="acme/1.wav.pgp")["Metadata"]
    assert metadata["callseal-recipients"] == f"{key.fingerprint},{key.fingerprint}"
    assert metadata["callseal-subkeys"] == f"{new},{old}"
    recipients = scene.cloud.audit_details("RecordingDelivered")[-1]["recipients"]
    assert [(one["fingerprint"], one["subkey"]) for one in recipients] == [
        (key.fingerprint, new), (key.fingerprint, old),
    ]  # fmt: skip
    assert scene.cloud.audit_details("RecordingDelivered")[-1]["key_version"] is not None
    scene.clock.pass_by(days=3)
    assert land(scene, "acme/2.wav") == ids(new)


def test_overlap_applies_when_the_new_export_lacks_the_old_subkey(scene: Scene) -> None:
    key = Key(days=-3).add(days=-3)
    paste(scene, key.text, **OVERLAP)
    key.add(days=-1)
    old, new = subkeys(key)
    paste(scene, without_subkey(key, old), **OVERLAP)
    assert land(scene, "acme/1.wav") == ids(old, new)


def test_a_subkey_that_the_new_text_revokes_has_no_overlap(scene: Scene) -> None:
    key = Key(days=-3).add(days=-3)
    paste(scene, key.text, **OVERLAP)
    key.add(days=-1).revoke_subkey(1)
    paste(scene, key.text, **OVERLAP)
    _, new = subkeys(key)
    assert land(scene, "acme/1.wav") == ids(new)


def test_a_subkey_that_the_new_text_expires_has_no_overlap(scene: Scene) -> None:
    key = Key(expires="0", days=-30).add(expires="0", days=-30)
    paste(scene, key.text, **OVERLAP)
    (old,) = subkeys(key)
    gpg(home(), "--quick-set-expire", key.fingerprint, "20261101T000000", old)
    key.add(days=-1)
    paste(scene, key.text, **OVERLAP)
    _, new = subkeys(key)
    assert land(scene, "acme/1.wav") == ids(new)


def test_key_with_a_revocation_certificate_next_to_the_new_key_has_no_overlap(scene: Scene) -> None:
    key, other = Key(days=-3).add(days=-3), Key(days=-1).add(days=-1)
    paste(scene, key.text, **OVERLAP)
    certificate = (home() / "openpgp-revocs.d" / f"{key.fingerprint}.rev").read_text().replace(":-----", "-----")
    paste(scene, other.text + certificate[certificate.index("-----BEGIN") :], **OVERLAP)
    assert land(scene, "acme/1.wav") == ids(*subkeys(other))


def test_proven_subkey_that_the_new_text_revokes_is_not_used_instead(scene: Scene) -> None:
    key = Key(days=-3).add(days=-3)
    paste(scene, key.text, **PROOF)
    answer(scene, subkeys(key)[0])
    key.add(days=-1).revoke_subkey(1)
    paste(scene, key.text, **PROOF)
    assert scene.land("acme/1.wav") == "KeyUnproven"


def test_key_revoked_in_between_is_not_used_instead(scene: Scene) -> None:
    """The last text has another key and does not mention the revocation."""
    key, other = Key(days=-3).add(days=-3), Key(days=-1).add(days=-1)
    paste(scene, key.text, **PROOF)
    answer(scene, subkeys(key)[0])
    key.add(days=-1).revoke_subkey(1)
    paste(scene, key.text, **PROOF)
    paste(scene, other.text, **PROOF)
    assert scene.land("acme/1.wav") == "KeyUnproven"


def test_first_output_for_a_key_revoked_earlier_is_not_copied(scene: Scene, network: Network) -> None:
    """The key was sent as revoked, which held the files. The next key's text does not mention the revocation."""
    both = {**OVERLAP, "rotation_overlap_days": 0, "deliver_to_archive": True, "archive_formats": ["wav"]}
    key, other = Key(days=-3).add(days=-3), Key(days=-1).add(days=-1)
    paste(scene, key.text, **both)
    landed = scene.cloud.land("acme/1.wav", b"said")
    landed["Records"][0]["eventTime"] = datetime.now(UTC).isoformat()
    network.fail("CopyObject", 500, "InternalError")
    assert failures(scene.encrypt_recording.lambda_handler(sqs_event(landed), None)) == ["m0"]
    network.mend()
    (old,) = subkeys(key)
    paste(scene, key.revoke().text, **both)
    paste(scene, other.text, **both)

    assert failures(scene.encrypt_recording.lambda_handler(sqs_event(landed), None)) == []

    assert opened_by(scene, "acme/1.wav", ARCHIVE) == ids(old), "it was committed before the revocation"
    assert opened_by(scene, "acme/1.wav", SFTP) == ids(*subkeys(other))


def test_first_output_for_a_revoked_subkey_is_not_copied(scene: Scene, network: Network) -> None:
    both = {**OVERLAP, "rotation_overlap_days": 0, "deliver_to_archive": True, "archive_formats": ["wav"]}
    key = Key(days=-3).add(days=-3)
    paste(scene, key.text, **both)
    landed = scene.cloud.land("acme/1.wav", b"said")
    network.fail("CopyObject", 500, "InternalError")
    assert failures(scene.encrypt_recording.lambda_handler(sqs_event(landed), None)) == ["m0"]
    network.mend()
    key.add(days=-1).revoke_subkey(1)
    paste(scene, key.text, **both)
    old, new = subkeys(key)

    assert failures(scene.encrypt_recording.lambda_handler(sqs_event(landed), None)) == []

    assert opened_by(scene, "acme/1.wav", ARCHIVE) == ids(old), "it was committed before the revocation"
    assert opened_by(scene, "acme/1.wav", SFTP) == ids(new)
    assert set(scene.sealed_to()) == {old, new}
