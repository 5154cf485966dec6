"""recheck_delivery: of files that were delivered about a change of key or settings, the audit is told what stands."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.delivery.batch import Batch
from callseal.delivery.deliver import Delivery
from callseal.wiring.container import Container
from callseal.wiring.env import read_env

# As many as template.yaml's batch size.
RECORDS_AT_ONCE = 1


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    archive_bucket: str
    audit_bus: str
    gpg_binary: str
    key_register: str
    landing_bucket: str
    recheck_queue_url: str
    sftp_bucket: str
    stack_name: str
    tenants_prefix: str


@cache
def batch() -> Batch:
    """Make ready, once per execution environment."""
    parts = Container(read_env(Env, os.environ))
    delivery = Delivery(parts.landing, parts.planner, parts.committer, parts.bus, lambda: parts.rechecks, parts.clock)
    return Batch(
        delivery.recheck,
        lambda: parts.rechecks,
        parts.landing.name,
        parts.window,
        parts.metrics,
        RECORDS_AT_ONCE,
        Logger(),
    )


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Recheck what a batch of the recheck queue names."""
    return batch().handle(event)
