"""A tenant's parameters in Parameter Store: its settings, and its policy if it has one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.core.errors import HeldError, Reason
from callseal.tenants.names import policy_parameter, settings_parameter

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


@dataclass(frozen=True, slots=True)
class TenantParameters:
    """The texts of a tenant's settings and policy, and when one of them last changed. No policy is None."""

    settings: str
    policy: str | None
    changed_at: datetime | None


def read_parameters(ssm: SSMClient, prefix: str, tenant: str, *, with_policy: bool = True) -> TenantParameters:
    """Return a tenant's parameters. Raise HeldError `SettingsMissing` if it has no settings.

    One request reads both, because Parameter Store allows few requests a second.
    """
    of_settings, of_policy = settings_parameter(prefix, tenant), policy_parameter(prefix, tenant)
    with calling("Reading the tenant's settings"):
        answer = ssm.get_parameters(Names=[of_settings, *([of_policy] if with_policy else [])])
    found = {parameter["Name"]: parameter for parameter in answer["Parameters"]}
    if of_settings not in found:
        raise HeldError(
            Reason.SETTINGS_MISSING,
            f"The tenant {tenant} has no settings. Create the SSM parameter {of_settings} with a JSON object as its "
            "value ({} for the defaults).",
        )
    policy = found[of_policy]["Value"] if of_policy in found else None
    changes = [parameter["LastModifiedDate"] for parameter in found.values() if "LastModifiedDate" in parameter]
    return TenantParameters(found[of_settings]["Value"], policy, max(changes, default=None))
