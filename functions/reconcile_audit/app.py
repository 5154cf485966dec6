"""reconcile_audit: compare the audit log group with the audit bucket every half hour, and count the gaps."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aws_lambda_powertools.logging import Logger

from callseal.trail.reconcile_audit import AuditReconcile
from callseal.wiring.env import read_env
from callseal.wiring.trail_container import TrailContainer


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    audit_bucket: str
    audit_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"]
    audit_log_group: str
    audit_retention_days: int
    reconcile_progress: str
    stack_name: str


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Compare what is due and return the counts; `{"restore": true}` restores what is missing in the bucket."""
    env, log = read_env(Env, os.environ), Logger()
    container = TrailContainer(env)
    reconcile = AuditReconcile(
        container.audit_log, container.audit_bucket, container.reconcile_progress, env.stack_name, container.clock, log
    )
    report = reconcile.run(restore=event.get("restore") is True)
    container.metrics.put(report.samples(container.clock()))
    log.info("audit trail compared", extra={"counts": dict(report.counts)})
    return dict(report.counts)
