"""check_keys: check tenants' keys, at every change of a tenant's secret or settings and once a day.

The events: https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html and
https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html. To invoke it by hand:
`{"tenant": "acme"}`, or `{}` for all.
"""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.inbound.changes import changed_tenant
from callseal.keys.check_keys import KeyCheck, KeysUncheckedError, metrics_of
from callseal.keys.issue_challenge import Challenger
from callseal.wiring.container import Container
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    audit_bus: str
    gpg_binary: str
    key_events: str
    key_register: str
    sftp_bucket: str
    stack_name: str
    tenants_prefix: str


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Check one tenant's key, or all. Return the number of tenants by result."""
    # A new container for each invocation: no cached value of a tenant may outlive the change that invoked it.
    env, log = read_env(Env, os.environ), Logger()
    container = Container(env)
    challenger = Challenger(container.register, container.check_folder, container.gpg, container.clock)
    check = KeyCheck(
        container.tenants,
        container.register,
        container.announcements,
        challenger,
        container.bus,
        container.gpg,
        container.clock,
        log,
    )
    tenant = changed_tenant(event, env.tenants_prefix)
    checked = check.run(None if tenant is None else filter(None, [tenant]))
    container.metrics.put(metrics_of(checked))
    counts = dict(Counter(result.state for result in checked))
    log.info("keys checked", extra={"counts": counts, "cause": event.get("detail-type", "invoked")})
    if left := counts.get("failed", 0) + counts.get("unchecked", 0):
        raise KeysUncheckedError(f"{left} of {len(checked)} tenants' keys could not be checked.")
    return counts
