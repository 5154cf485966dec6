"""Checks of delivery: a landed file is sealed to its tenant's key, delivered, and removed from landing."""

from __future__ import annotations

from callseal_cli import status
from callseal_cli.selftest import observe
from callseal_cli.selftest.model import CheckFailedError, Wait, check
from callseal_cli.selftest.private_keys import OpenError
from callseal_cli.selftest.trial import CBC, GCM, PGP, TWO, Trial

WRONG_SEAL = "The tenant cannot open its files, or a file was sealed to a key of another tenant."
PLACES = {"SftpBucketName": "SFTP bucket", "ArchiveBucketName": "archive bucket"}


@check(
    "taken up",
    seconds=90,
    means="The landing bucket does not announce files, or encrypt_recording does not read them from its queue.",
    look="The queue grows old",
)
def taken_up(trial: Trial, wait: Wait) -> str:
    """Files that land reach encrypt_recording: they are delivered or held."""
    for kind in trial.canaries:
        trial.land(kind)
    landed = [key for canary in trial.canaries.values() for key in canary.files]
    if not wait.until(lambda: any(observe.held_for(trial.stack, key) != "" for key in landed)):
        depth = status.queue_depth(trial.stack, "EncryptQueueUrl")
        queue = f"{depth['waiting']} waiting, {depth['in_flight']} in flight"
        raise CheckFailedError(
            f"After {wait.passed:.0f} s none of {len(landed)} files is delivered or held (in the queue: {queue})."
        )
    return f"{len(landed)} files landed, and encrypt_recording has processed the first."


@check("sealed as CMS, GCM", seconds=45, means=WRONG_SEAL, look="A selftest fails", needs=("taken up",))
def sealed_gcm(trial: Trial, wait: Wait) -> str:
    """A recording and its XML open with the RSA key, from CMS AuthEnvelopedData with AES-256-GCM."""
    return _sealed(trial, wait, GCM)


@check("sealed as CMS, CBC", seconds=45, means=WRONG_SEAL, look="A selftest fails", needs=("taken up",))
def sealed_cbc(trial: Trial, wait: Wait) -> str:
    """A recording and its XML open with the RSA key, from CMS EnvelopedData with AES-256-CBC."""
    return _sealed(trial, wait, CBC)


@check("sealed as OpenPGP", seconds=45, means=WRONG_SEAL, look="A selftest fails", needs=("taken up",))
def sealed_openpgp(trial: Trial, wait: Wait) -> str:
    """A recording and its XML open with gpg and the tenant's OpenPGP key."""
    return _sealed(trial, wait, PGP)


@check(
    "second copy",
    seconds=45,
    means="Tenants with an archive receive only one of their two copies, or none.",
    look="A selftest fails",
    needs=("taken up",),
    only_aws="that S3 takes CopyObject with If-None-Match under the buckets' policies",
)
def second_copy(trial: Trial, wait: Wait) -> str:
    """A tenant with two destinations receives the same sealed recording in the archive and in the SFTP bucket."""
    for bucket in PLACES:
        opened(trial, wait, TWO, trial[TWO].recording, bucket)
    return "Both copies open byte for byte."


def opened(trial: Trial, wait: Wait, kind: str, landed: str, bucket: str = "SftpBucketName") -> None:
    """Wait for a delivered file, open it, and raise CheckFailedError if it differs from the landed file."""
    canary = trial[kind]
    output = canary.sealed[landed]
    sealed = wait.until(lambda: observe.read(trial.stack, bucket, output))
    if sealed is None or not canary.key:
        where = observe.whereabouts(trial.stack, landed)
        raise CheckFailedError(f"{output} is not in the {PLACES[bucket]} after {wait.passed:.0f} s: {where}.")
    try:
        plain = canary.key.open(sealed)
    except OpenError as exc:
        raise CheckFailedError(f"{output} in the {PLACES[bucket]}: {exc}.") from exc
    if plain != canary.files[landed]:
        raise CheckFailedError(f"{output} in the {PLACES[bucket]} opens, but differs from the landed file.")


def _sealed(trial: Trial, wait: Wait, kind: str) -> str:
    canary = trial[kind]
    for landed in canary.files:
        # Report a held file at once instead of waiting for its delivery.
        wait.until(lambda landed=landed: observe.held_for(trial.stack, landed) != "")  # type: ignore[misc]
        if reason := observe.held_for(trial.stack, landed):
            raise CheckFailedError(f"{landed} is held {reason}.")
        opened(trial, wait, kind, landed)
    _check_no_others(trial, kind)
    if not wait.until(lambda: all(observe.held_for(trial.stack, key) is None for key in canary.files)):
        raise CheckFailedError("The delivered files were not removed from landing.")
    return f"{len(canary.files)} files open byte for byte."


def _check_no_others(trial: Trial, kind: str) -> None:
    """Raise CheckFailedError if there is a plaintext copy, or any other object, beside the sealed files."""
    canary = trial[kind]
    for bucket, place in PLACES.items():
        others = set(observe.keys(trial.stack, bucket, f"{canary.tenant}/")) - set(canary.sealed.values())
        if others:
            raise CheckFailedError(f"Beside the sealed files, the {place} has {', '.join(sorted(others))}.")
