"""lock_audit: lock each object of the audit bucket as soon as S3 announces it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from aws_lambda_powertools.logging import Logger

from callseal.trail.lock_audit import AuditLocks
from callseal.wiring.env import read_env
from callseal.wiring.trail_container import TrailContainer


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    audit_bucket: str
    audit_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"]
    audit_retention_days: int


@cache
def locks() -> AuditLocks:
    """Make the handler, once per execution environment."""
    env = read_env(Env, os.environ)
    return AuditLocks(TrailContainer(env).audit_bucket, env.audit_bucket, Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Lock the objects that a batch of S3 notifications announces."""
    return locks().handle(event)
