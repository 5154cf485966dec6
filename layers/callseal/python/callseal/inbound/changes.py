"""Changes of tenants' secrets and parameters, as EventBridge reports them to the functions that follow them.

The events: https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html and
https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html. An operator can invoke the same
functions by hand with `{"tenant": "acme"}`, or with `{}` for all tenants.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callseal.core.landing import TENANT
from callseal.tenants.names import tenant_of_parameter, tenant_of_secret


def changed_tenant(event: Mapping[str, Any], prefix: str) -> str | None:
    """Return the tenant whose key or settings an event reports as changed, or that an invocation by hand names.

    Return "" for an event of another secret or parameter, or if the name is not a tenant's. Return None for all
    tenants.
    """
    detail = event.get("detail")
    if isinstance(detail, dict) and isinstance(name := detail.get("name"), str) and name:
        return tenant_of_secret(name, prefix) or tenant_of_parameter(name, prefix) or ""
    if "tenant" in event:
        tenant = event["tenant"]
        return tenant if isinstance(tenant, str) and TENANT.fullmatch(tenant) else ""
    return None
