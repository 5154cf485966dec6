"""The tenants of a stack, by the parameters that hold their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.tenants.names import tenant_of_settings

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


def tenants_with_settings(ssm: SSMClient, prefix: str) -> set[str]:
    """Return the tenants that have settings. A request returns 10 parameters."""
    with calling("Listing the tenants' settings"):
        pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/{prefix}", Recursive=True)
        names = (parameter["Name"] for page in pages for parameter in page["Parameters"])
        return {tenant for name in names if (tenant := tenant_of_settings(name, prefix))}
