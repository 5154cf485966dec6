"""encrypt_recording: landed recordings, announced on the encrypt queue, are sealed and delivered."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.delivery.batch import Batch
from callseal.delivery.deliver import Delivery
from callseal.wiring.container import Parts, now

RECORDS_AT_ONCE = 10


@cache
def batch() -> Batch:
    """Make ready, once per execution environment."""
    parts = Parts(os.environ)
    delivery = Delivery(parts.landing, parts.planner, parts.committer, parts.bus, lambda: parts.rechecks, now)
    return Batch(delivery.deliver, lambda: parts.queue, parts, RECORDS_AT_ONCE, Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Seal and deliver what a batch of the encrypt queue, or a bare S3 notification, announces."""
    return batch().handle(event)
