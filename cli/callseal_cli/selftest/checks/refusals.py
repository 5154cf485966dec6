"""Checks of refusals: overwrites of delivered files, and recordings that land under another key than the stack's."""

from __future__ import annotations

import secrets
from typing import Any

from botocore.exceptions import ClientError

from callseal_cli.selftest import observe
from callseal_cli.selftest.model import CheckFailedError, Wait, check
from callseal_cli.selftest.trial import TWO, Trial

BUCKETS = ("SftpBucketName", "ArchiveBucketName")
OVERWRITTEN = "A delivered file can be replaced without a trace."
POLICY_OF_LANDING = "The landing bucket's policy allows it"


@check("overwrite", seconds=15, means=OVERWRITTEN, look="A selftest fails", needs=("second copy",))
def overwrite(trial: Trial, wait: Wait) -> str:  # noqa: ARG001  # every check has both parameters
    """Another object under a delivered file's key is refused with If-None-Match: *, in both buckets."""
    _refused_everywhere(trial, "PreconditionFailed", IfNoneMatch="*")
    return "PreconditionFailed; the delivered bytes are as before."


@check(
    "unconditional overwrite",
    seconds=15,
    means=OVERWRITTEN,
    look="A selftest fails",
    needs=("second copy",),
    only_aws="that the buckets' policies refuse a write without If-None-Match",
    local=False,
)
def unconditional(trial: Trial, wait: Wait) -> str:  # noqa: ARG001
    """Another object under a delivered file's key is refused without If-None-Match as well, in both buckets."""
    _refused_everywhere(trial, "AccessDenied")
    return "AccessDenied; the delivered bytes are as before."


@check(
    "AWS managed key",
    seconds=15,
    means=f"{POLICY_OF_LANDING}: recordings are stored under a key that everyone in the account may use.",
    look="A selftest fails",
    only_aws="that the landing bucket refuses aws:kms without a key id",
    local=False,
)
def aws_managed_key(trial: Trial, wait: Wait) -> str:  # noqa: ARG001
    """A recording that lands with aws:kms and no key id, which means the key aws/s3, is refused."""
    return _landing_refuses(trial, "aws-s3", ServerSideEncryption="aws:kms")


@check(
    "customer's key",
    seconds=15,
    means=f"{POLICY_OF_LANDING}: a recording that only its sender can read is never delivered.",
    look="A selftest fails",
    only_aws="that the landing bucket refuses SSE-C",
    local=False,
)
def customer_key(trial: Trial, wait: Wait) -> str:  # noqa: ARG001
    """A recording that lands under a key of the sender's own (SSE-C) is refused."""
    return _landing_refuses(trial, "sse-c", SSECustomerAlgorithm="AES256", SSECustomerKey=secrets.token_bytes(32))


def _refused_everywhere(trial: Trial, code: str, **condition: Any) -> None:
    key = trial[TWO].sealed[trial[TWO].recording]
    for bucket in BUCKETS:
        before = observe.read(trial.stack, bucket, key)
        answer = _put(trial, trial.stack.output(bucket), key, **condition)
        if observe.read(trial.stack, bucket, key) != before:
            raise CheckFailedError(f"{key} in the bucket of {bucket} was overwritten (S3 answered {answer}).")
        if answer != code:
            raise CheckFailedError(f"S3 answered {answer} instead of {code} (bucket of {bucket}).")


def _landing_refuses(trial: Trial, name: str, **encryption: Any) -> str:
    answer = _put(trial, trial.stack.output("LandingBucketName"), f"{trial[TWO].tenant}/{name}.wav", **encryption)
    if answer != "AccessDenied":
        raise CheckFailedError(f"S3 answered {answer} instead of AccessDenied.")
    return "AccessDenied."


def _put(trial: Trial, bucket: str, key: str, **more: Any) -> str:
    """Put an object. Return S3's answer, "OK" or the code of the error."""
    try:
        trial.stack.s3.put_object(Bucket=bucket, Key=key, Body=b"another file of the selftest", **more)
    except ClientError as exc:
        return observe.error_code(exc)
    return "OK"
