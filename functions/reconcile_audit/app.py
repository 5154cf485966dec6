"""reconcile_audit: every half hour the audit log group is compared with the audit bucket, and gaps are counted."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.trail.reconcile_audit import AuditReconcile
from callseal.wiring.container import Parts, now


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Compare what is due and return the counts; `{"restore": true}` puts what is missing back into the bucket."""
    parts, log = Parts(os.environ), Logger()
    reconcile = AuditReconcile(
        parts.audit_log, parts.audit_bucket, parts.reconcile_progress, os.environ["STACK_NAME"], now, log
    )
    report = reconcile.run(restore=event.get("restore") is True)
    parts.meter.put(report.samples(now()))
    log.info("audit trail compared", extra={"counts": dict(report.counts)})
    return dict(report.counts)
