"""recheck_delivery: of files that were delivered about a change of key or settings, the audit is told what stands."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.delivery.batch import Batch
from callseal.delivery.deliver import Delivery
from callseal.wiring.container import Parts, now

# As many as template.yaml's batch size.
RECORDS_AT_ONCE = 1


@cache
def batch() -> Batch:
    """Make ready, once per execution environment."""
    parts = Parts(os.environ)
    delivery = Delivery(parts.landing, parts.planner, parts.committer, parts.bus, lambda: parts.rechecks, now)
    return Batch(delivery.recheck, lambda: parts.rechecks, parts, RECORDS_AT_ONCE, Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Recheck what a batch of the recheck queue names."""
    return batch().handle(event)
