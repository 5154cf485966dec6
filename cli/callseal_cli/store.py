"""Where a tenant's settings and key stand: a parameter of SSM and a secret, by the names of the public interface."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from callseal.core.landing import TENANT
from callseal_cli.errors import CannotError
from callseal_cli.stack import Stack

# https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
MAX_SECRET_BYTES = 65_536


def settings_name(stack: Stack, tenant: str) -> str:
    """Name the parameter of a tenant's settings."""
    return f"/{stack.name}/tenants/{tenant}/settings"


def secret_name(stack: Stack, tenant: str) -> str:
    """Name the secret of a tenant's key."""
    return f"{stack.name}/tenants/{tenant}/public-key"


def sftp_keys_name(stack: Stack, tenant: str) -> str:
    """Name the secret of a tenant's SFTP keys."""
    return f"{stack.name}/tenants/{tenant}/sftp-keys"


def tenants_with_settings(stack: Stack) -> dict[str, str]:
    """Give the text of every tenant's settings."""
    pages = stack.ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/{stack.name}/tenants", Recursive=True)
    name = re.compile(re.escape(settings_name(stack, "TENANT")).replace("TENANT", f"({TENANT.pattern})"))
    found = ((name.fullmatch(one["Name"]), one["Value"]) for page in pages for one in page["Parameters"])
    return {match[1]: value for match, value in found if match}


def tenants_with_key(stack: Stack) -> set[str]:
    """Name the tenants that have a secret."""
    filters: Any = [{"Key": "name", "Values": [f"{stack.name}/tenants/"]}]
    pages = stack.secrets.get_paginator("list_secrets").paginate(Filters=filters)
    name = re.compile(re.escape(secret_name(stack, "TENANT")).replace("TENANT", f"({TENANT.pattern})"))
    found = (name.fullmatch(secret["Name"]) for page in pages for secret in page["SecretList"])
    return {match[1] for match in found if match}


def read_settings(stack: Stack, tenant: str) -> str | None:
    """Read the text of a tenant's settings, None where there are none."""
    try:
        return stack.ssm.get_parameter(Name=settings_name(stack, tenant))["Parameter"]["Value"]
    except ClientError as exc:
        _unless(exc, "ParameterNotFound")
        return None


def write_settings(stack: Stack, tenant: str, members: Mapping[str, Any], *, overwrite: bool) -> None:
    """Write a tenant's settings."""
    stack.ssm.put_parameter(
        Name=settings_name(stack, tenant), Value=json.dumps(members), Type="String", Overwrite=overwrite
    )


def read_secret(stack: Stack, tenant: str) -> tuple[str | None, str] | None:
    """Read a tenant's key and its version id; no text where the secret is binary, None where there is no secret."""
    try:
        secret = stack.secrets.get_secret_value(SecretId=secret_name(stack, tenant), VersionStage="AWSCURRENT")
    except ClientError as exc:
        # The second is a secret that is marked for deletion.
        _unless(exc, "ResourceNotFoundException", "InvalidRequestException")
        return None
    return secret.get("SecretString"), secret["VersionId"]


def write_secret(stack: Stack, tenant: str, text: str) -> tuple[str, bool]:
    """Write a tenant's key; gives the new version's id, and whether the secret is new too."""
    if len(text.encode()) > MAX_SECRET_BYTES:
        raise CannotError(f"A secret takes {MAX_SECRET_BYTES:,} bytes. Leave out of the file what is no key.")
    return _write_secret(stack, secret_name(stack, tenant), text)


def write_sftp_keys(stack: Stack, tenant: str, text: str) -> None:
    """Write a tenant's SFTP keys."""
    _write_secret(stack, sftp_keys_name(stack, tenant), text)


def _write_secret(stack: Stack, name: str, text: str) -> tuple[str, bool]:
    try:
        return stack.secrets.put_secret_value(SecretId=name, SecretString=text)["VersionId"], False
    except ClientError as exc:
        _unless(exc, "ResourceNotFoundException")
    return stack.secrets.create_secret(Name=name, SecretString=text)["VersionId"], True


def _unless(exc: ClientError, *codes: str) -> None:
    """Raise the error, unless it says by one of the codes that what was asked for is not there."""
    if exc.response.get("Error", {}).get("Code") not in codes:
        raise exc
