"""The stack as a client of its issuer: its id, its secret and its URL, which are cached for 60 seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from callseal.archive.issuer import Client, SignInRefusedError
from callseal.aws.calls import calling
from callseal.core.errors import CallsealError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

    from callseal.tenants.directory import Tenants

# Facts of the stack are cached beside those of tenants, under a name that no tenant has.
STACK = ""


class Env(Protocol):
    """The environment variables that this module reads."""

    oidc_client_id: str
    oidc_client_secret: str
    archive_url: str


class _NoSecretError(CallsealError):
    """The secret does not exist."""


def archive_url(tenants: Tenants, ssm: SSMClient, parameter: str) -> str:
    """Return the archive's URL, from the parameter of this name. Raise TransientError if there is none yet."""

    def fetch() -> str:
        with calling("Reading the archive's URL"):
            found = ssm.get_parameters(Names=[parameter])["Parameters"]
        if not found:
            raise TransientError(f"The parameter {parameter} does not exist: deploy the stack again.")
        return found[0]["Value"]

    return tenants.cached("archive url", STACK, fetch)


def oidc_client(tenants: Tenants, ssm: SSMClient, secrets: SecretsManagerClient, env: Env) -> Client:
    """Return the client. Raise SignInRefusedError if the stack has no issuer."""
    if not env.oidc_client_id:
        raise SignInRefusedError("This stack has no issuer of identities yet: its parameter OidcIssuer is empty.")

    def fetch() -> str | None:
        gone = {"on_ResourceNotFoundException": _NoSecretError, "on_InvalidRequestException": _NoSecretError}
        try:
            with calling("Reading the client's secret", **gone):
                found = secrets.get_secret_value(SecretId=env.oidc_client_secret, VersionStage="AWSCURRENT")
        except _NoSecretError:
            return None  # a public client
        return found["SecretString"].strip()

    url = archive_url(tenants, ssm, env.archive_url)
    secret = tenants.cached("client secret", STACK, fetch)
    return Client(env.oidc_client_id, secret, f"{url}/auth/callback")
