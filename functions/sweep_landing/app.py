"""sweep_landing: requeue pending files, every 5 minutes and when a tenant's key or settings change.

The events: https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html and
https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html. To invoke it by hand:
`{"tenant": "acme"}`, or `{}` for all.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.delivery.sweep_landing import Sweep, SweepIncompleteError
from callseal.inbound.changes import changed_tenant
from callseal.keys.check_requests import KeyRequests
from callseal.wiring.container import Container
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    archive_bucket: str
    audit_bus: str
    calls_table: str
    check_keys_function: str
    encrypt_queue_url: str
    gpg_binary: str
    key_events: str
    key_register: str
    landing_bucket: str
    maximum_compliance_years: int
    sftp_bucket: str
    stack_name: str
    sweep_memory: str
    tenants_prefix: str


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Sweep the tenant whose key or settings changed, or all of landing. Return the number of files by state."""
    # A new container for each invocation: no cached value of a tenant may outlive the change that invoked it.
    env, log = read_env(Env, os.environ), Logger()
    container = Container(env)
    sweep = Sweep(
        container.landing,
        container.planner,
        container.committer,
        container.queue,
        container.bus,
        container.sweep_position,
        container.clock,
        log,
    )
    tenant = changed_tenant(event, env.tenants_prefix)
    if tenant:
        swept = sweep.tenant(tenant)
    else:
        swept = sweep.all()
        container.metrics.put(swept.samples())
        KeyRequests(container.tenants, container.announcements, container.key_check, log).put(swept.seen)
    counts = dict(swept.counts)
    log.info("landing swept", extra={"counts": counts, "cause": event.get("detail-type", "invoked")})
    if failed := counts.get("failed"):
        raise SweepIncompleteError(f"{failed} of {sum(counts.values())} files could not be swept.")
    return counts
