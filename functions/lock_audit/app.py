"""lock_audit: each object of the audit bucket gets its lock as soon as S3 announces it."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.trail.lock_audit import AuditLocks
from callseal.wiring.container import Parts


@cache
def locks() -> AuditLocks:
    """Make ready, once per execution environment."""
    return AuditLocks(Parts(os.environ).audit_bucket, os.environ["AUDIT_BUCKET"], Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Lock the objects that a batch of S3 notifications announces."""
    return locks().handle(event)
