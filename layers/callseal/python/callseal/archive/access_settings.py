"""A tenant's access as it is now: its parameter, cached for 60 seconds. One that cannot be read grants nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callseal.archive.access import Access, AccessInvalidError, parse_access
from callseal.aws.calls import calling
from callseal.core.log import Log
from callseal.core.metrics import Metric
from callseal.tenants.names import access_parameter

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

    from callseal.aws.metrics import MetricsEmitter
    from callseal.tenants.directory import Tenants


class AccessSettings:
    """Reads tenants' access."""

    def __init__(self, tenants: Tenants, ssm: SSMClient, prefix: str, metrics: MetricsEmitter, log: Log) -> None:
        """Take the cache of tenants' facts, the client, the prefix of parameters, and where faults are reported."""
        self._tenants, self._ssm, self._prefix = tenants, ssm, prefix
        self._metrics, self._log = metrics, log

    def access(self, tenant: str) -> Access:
        """Return a tenant's access. Raise TransientError if it cannot be fetched."""
        return self._tenants.cached("access", tenant, lambda: self._fetch(tenant))

    def _fetch(self, tenant: str) -> Access:
        name = access_parameter(self._prefix, tenant)
        with calling("Reading the tenant's access"):
            found = self._ssm.get_parameters(Names=[name])["Parameters"]
        if not found:
            return Access()
        try:
            return parse_access(found[0]["Value"])
        except AccessInvalidError as exc:
            self._metrics.put([Metric("AccessUnusable", 1)])
            self._log.warning("access unusable", extra={"tenant": tenant, "why": str(exc)})
            return Access()
