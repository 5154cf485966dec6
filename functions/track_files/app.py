"""track_files: audit events, by way of a queue, become the register of delivered files: delivered, fetched, expired."""

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
    """Make ready, once per execution environment."""
    env = read_env(Env, os.environ)
    return FileTracking(Container(env).files, env.sftp_retention_days, Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Write what a batch of audit events tells of files that lie ready for their tenants."""
    return tracking().handle(event)
