"""sweep_landing: every 5 minutes, and when a tenant's key or settings change, pending files are requeued.

The events: https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html and
https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html; by hand
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
    check_keys_function: str
    encrypt_queue_url: str
    gpg_binary: str
    key_events: str
    key_register: str
    landing_bucket: str
    sftp_bucket: str
    stack_name: str
    sweep_memory: str
    tenants_prefix: str


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Sweep the tenant whose key or settings changed, or all of landing; counts what became of the files."""
    # Wired anew each time: nothing that was remembered of a tenant may outlive the change that woke us.
    env, log = read_env(Env, os.environ), Logger()
    parts = Container(env)
    sweep = Sweep(
        parts.landing, parts.planner, parts.committer, parts.queue, parts.bus, parts.sweep_memory, parts.clock, log
    )
    tenant = changed_tenant(event, env.tenants_prefix)
    if tenant:
        swept = sweep.tenant(tenant)
    else:
        swept = sweep.all()
        parts.metrics.put(swept.samples())
        KeyRequests(parts.tenants, parts.memory, parts.key_check, log).put(swept.seen)
    counts = dict(swept.counts)
    log.info("landing swept", extra={"counts": counts, "cause": event.get("detail-type", "invoked")})
    if failed := counts.get("failed"):
        raise SweepIncompleteError(f"{failed} of {sum(counts.values())} files could not be swept.")
    return counts
