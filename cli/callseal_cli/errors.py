"""Errors of the command, as sentences for the person who called it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from botocore import exceptions as aws

from callseal.core.errors import CallsealError, TransientError

SIGN_IN = "Sign in as for any AWS tool (aws configure, aws sso login, AWS_PROFILE). The local cloud accepts any."


class CannotError(CallsealError):
    """The command was used wrongly, or something that it needs does not exist: exit code 2."""


def explain(exc: BaseException) -> str | None:
    """Return a sentence for an error of AWS, the machine or the caller, or None for a fault of the program itself."""
    if isinstance(exc, TransientError) and exc.__cause__:
        # Its own sentence is written for logs and leaves AWS's words out, but the operator needs them.
        return explain(exc.__cause__) or str(exc)
    if isinstance(exc, CallsealError):
        return str(exc)
    describe = next((describe for kind, describe in _SENTENCES.items() if isinstance(exc, kind)), None)
    return describe(exc) if describe else None


def _refused(exc: Any) -> str:
    error = exc.response.get("Error", {})
    return f"AWS refused {exc.operation_name}: {error.get('Code', 'unknown')}: {error.get('Message', '')}".rstrip(": ")


def _unreachable(_: Any) -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        return f"Nothing answers at AWS_ENDPOINT_URL={endpoint}. Start the local cloud (make local), or unset it."
    return "AWS does not answer. Check the internet connection and the region."


_SENTENCES: dict[type[BaseException], Callable[[Any], str]] = {
    aws.NoCredentialsError: lambda _: f"There are no AWS credentials. {SIGN_IN}",
    aws.PartialCredentialsError: lambda _: f"The AWS credentials are incomplete. {SIGN_IN}",
    aws.TokenRetrievalError: lambda _: f"The AWS sign-in has expired. {SIGN_IN}",
    aws.NoRegionError: lambda _: "No AWS region is set. Set AWS_REGION, or a region in the profile.",
    aws.ProfileNotFound: lambda exc: f"{exc}. Check AWS_PROFILE.",
    aws.ClientError: _refused,
    aws.ConnectionError: _unreachable,
    aws.HTTPClientError: _unreachable,
    aws.BotoCoreError: lambda exc: f"The call to AWS failed: {exc}",
    OSError: lambda exc: f"{exc.filename or 'Input or output'}: {exc.strerror or exc}.",
}
