"""track_files: audit events, by way of a queue, become the register of delivered files: delivered, fetched, expired."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.sftp.track_files import Tracking
from callseal.wiring.container import Parts


@cache
def tracking() -> Tracking:
    """Make ready, once per execution environment."""
    return Tracking(Parts(os.environ).files, int(os.environ["SFTP_RETENTION_DAYS"]), Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Write what a batch of audit events tells of files that lie ready for their tenants."""
    return tracking().handle(event)
