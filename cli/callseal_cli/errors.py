"""What the command cannot do, in a sentence for the person who called it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from botocore import exceptions as aws

from callseal.core.errors import CallsealError, TransientError

SIGN_IN = "Sign in as for any AWS tool (aws configure, aws sso login, AWS_PROFILE); with the local cloud any will do."


class CannotError(CallsealError):
    """The command was used wrongly, or what it needs is not there: exit code 2."""


def explain(exc: BaseException) -> str | None:
    """Say what went wrong as far as that is the world's doing; None for a fault of the program itself."""
    if isinstance(exc, TransientError) and exc.__cause__:
        # It leaves AWS's own words out, for it is written for logs; here the operator reads them.
        return explain(exc.__cause__) or str(exc)
    if isinstance(exc, CallsealError):
        return str(exc)
    sentence = next((say for kind, say in _SENTENCES.items() if isinstance(exc, kind)), None)
    return sentence(exc) if sentence else None


def _refused(exc: Any) -> str:
    error = exc.response.get("Error", {})
    return f"AWS refused {exc.operation_name}: {error.get('Code', 'unknown')}: {error.get('Message', '')}".rstrip(": ")


def _unreachable(_: Any) -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        return f"Nothing answers at AWS_ENDPOINT_URL={endpoint}. Start the local cloud (make local), or unset it."
    return "AWS does not answer. Is there a way to the internet, and is the region right?"


_SENTENCES: dict[type[BaseException], Callable[[Any], str]] = {
    aws.NoCredentialsError: lambda _: f"There are no AWS credentials. {SIGN_IN}",
    aws.PartialCredentialsError: lambda _: f"The AWS credentials are incomplete. {SIGN_IN}",
    aws.TokenRetrievalError: lambda _: f"The AWS sign-in has run out. {SIGN_IN}",
    aws.NoRegionError: lambda _: "No AWS region is set. Set AWS_REGION, or a region in the profile.",
    aws.ProfileNotFound: lambda exc: f"{exc}. Look at AWS_PROFILE.",
    aws.ClientError: _refused,
    aws.ConnectionError: _unreachable,
    aws.HTTPClientError: _unreachable,
    aws.BotoCoreError: lambda exc: f"The call to AWS failed: {exc}",
    OSError: lambda exc: f"{exc.filename or 'Input or output'}: {exc.strerror or exc}.",
}
