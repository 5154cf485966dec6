"""A tenant's settings, policy and access in Parameter Store, and its keys in Secrets Manager."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from callseal.tenants import names
from callseal_cli.errors import CannotError
from callseal_cli.stack import Stack

# https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
MAX_SECRET_BYTES = 65_536


def settings_name(stack: Stack, tenant: str) -> str:
    """Return the name of the parameter with a tenant's settings."""
    return names.settings_parameter(stack.tenants_prefix, tenant)


def secret_name(stack: Stack, tenant: str) -> str:
    """Return the name of the secret with a tenant's key."""
    return names.key_secret(stack.tenants_prefix, tenant)


def sftp_keys_name(stack: Stack, tenant: str) -> str:
    """Return the name of the secret with a tenant's SFTP keys."""
    return names.sftp_keys_secret(stack.tenants_prefix, tenant)


def tenants_with_settings(stack: Stack) -> dict[str, str]:
    """Return the text of every tenant's settings by tenant."""
    prefix = stack.tenants_prefix
    pages = stack.ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/{prefix}", Recursive=True)
    parameters = (parameter for page in pages for parameter in page["Parameters"])
    found = ((names.tenant_of_settings(each["Name"], prefix), each["Value"]) for each in parameters)
    return {tenant: value for tenant, value in found if tenant}


def tenants_with_key(stack: Stack) -> set[str]:
    """Return the tenants that have a secret for their key."""
    prefix = stack.tenants_prefix
    filters: Any = [{"Key": "name", "Values": [f"{prefix}/"]}]
    pages = stack.secrets.get_paginator("list_secrets").paginate(Filters=filters)
    found = (names.tenant_of_secret(secret["Name"], prefix) for page in pages for secret in page["SecretList"])
    return {tenant for tenant in found if tenant}


def read_settings(stack: Stack, tenant: str) -> str | None:
    """Return the text of a tenant's settings, or None if it has none."""
    return _read_parameter(stack, settings_name(stack, tenant))


def write_settings(stack: Stack, tenant: str, members: Mapping[str, Any], *, overwrite: bool) -> None:
    """Write a tenant's settings as JSON. Without `overwrite`, AWS refuses if there are any."""
    stack.ssm.put_parameter(
        Name=settings_name(stack, tenant), Value=json.dumps(members), Type="String", Overwrite=overwrite
    )


def read_policy(stack: Stack, tenant: str) -> str | None:
    """Return the text of a tenant's policy, or None if it has none."""
    return _read_parameter(stack, names.policy_parameter(stack.tenants_prefix, tenant))


def write_policy(stack: Stack, tenant: str, text: str) -> None:
    """Write the text of a tenant's policy."""
    _write_parameter(stack, names.policy_parameter(stack.tenants_prefix, tenant), text)


def read_access(stack: Stack, tenant: str) -> str | None:
    """Return the text of a tenant's access, or None if it has none."""
    return _read_parameter(stack, names.access_parameter(stack.tenants_prefix, tenant))


def write_access(stack: Stack, tenant: str, text: str) -> None:
    """Write the text of a tenant's access."""
    _write_parameter(stack, names.access_parameter(stack.tenants_prefix, tenant), text)


def read_secret(stack: Stack, tenant: str) -> tuple[str | None, str] | None:
    """Return a tenant's key (None if the secret is binary) and its version id, or None if there is no secret."""
    try:
        secret = stack.secrets.get_secret_value(SecretId=secret_name(stack, tenant), VersionStage="AWSCURRENT")
    except ClientError as exc:
        # InvalidRequestException is the answer for a secret that is marked for deletion.
        _unless(exc, "ResourceNotFoundException", "InvalidRequestException")
        return None
    return secret.get("SecretString"), secret["VersionId"]


def write_secret(stack: Stack, tenant: str, text: str) -> tuple[str, bool]:
    """Store a tenant's key. Return the new version's id, and whether the secret itself is new."""
    if len(text.encode()) > MAX_SECRET_BYTES:
        raise CannotError(f"A secret holds {MAX_SECRET_BYTES:,} bytes. Remove everything but the key from the file.")
    return _write_secret(stack, secret_name(stack, tenant), text)


def write_sftp_keys(stack: Stack, tenant: str, text: str) -> None:
    """Store the text of a tenant's SFTP keys."""
    _write_secret(stack, sftp_keys_name(stack, tenant), text)


def _write_secret(stack: Stack, name: str, text: str) -> tuple[str, bool]:
    try:
        return stack.secrets.put_secret_value(SecretId=name, SecretString=text)["VersionId"], False
    except ClientError as exc:
        _unless(exc, "ResourceNotFoundException")
    return stack.secrets.create_secret(Name=name, SecretString=text)["VersionId"], True


def _write_parameter(stack: Stack, name: str, text: str) -> None:
    """Write a parameter's text. Only one of the tier Advanced takes up to 8 KB."""
    stack.ssm.put_parameter(Name=name, Value=text, Type="String", Tier="Advanced", Overwrite=True)


def _read_parameter(stack: Stack, name: str) -> str | None:
    try:
        return stack.ssm.get_parameter(Name=name)["Parameter"]["Value"]
    except ClientError as exc:
        _unless(exc, "ParameterNotFound")
        return None


def _unless(exc: ClientError, *codes: str) -> None:
    """Raise the error unless it has one of AWS's codes."""
    if exc.response.get("Error", {}).get("Code") not in codes:
        raise exc
