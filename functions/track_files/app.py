"""track_files: write the register of delivered files from audit events in a queue: delivered, fetched, expired."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.sftp.track_files import FileTracking
from callseal.wiring.container import Container
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    file_register: str
    sftp_retention_days: int


@cache
def tracking() -> FileTracking:
    """Make the handler, once per execution environment."""
    env = read_env(Env, os.environ)
    return FileTracking(Container(env).files, env.sftp_retention_days, Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Register what a batch of audit events reports of files that are ready for their tenants."""
    return tracking().handle(event)
