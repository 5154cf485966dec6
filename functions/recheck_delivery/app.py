"""recheck_delivery: report the outputs of files that were delivered near a change of their tenant's key or settings."""

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

# The batch size in template.yaml.
RECORDS_AT_ONCE = 1


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    archive_bucket: str
    audit_bus: str
    calls_table: str
    gpg_binary: str
    key_register: str
    landing_bucket: str
    maximum_compliance_years: int
    metadata_queue_url: str
    recheck_queue_url: str
    sftp_bucket: str
    stack_name: str
    tenants_prefix: str


@cache
def batch() -> Batch:
    """Make the handler, once per execution environment."""
    container = Container(read_env(Env, os.environ))
    delivery = Delivery(
        container.landing,
        container.planner,
        container.committer,
        container.bus,
        lambda: container.rechecks,
        lambda: container.metadata_queue,
        container.clock,
    )
    return Batch(
        delivery.recheck,
        lambda: container.rechecks,
        container.landing.name,
        container.window,
        container.metrics,
        RECORDS_AT_ONCE,
        Logger(),
    )


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Recheck the files that a batch of the recheck queue names."""
    return batch().handle(event)
