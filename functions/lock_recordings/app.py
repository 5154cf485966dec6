"""lock_recordings: extend the locks of delivered recordings to the end of their class, and place holds."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.retention.lock_recordings import RecordingLocks
from callseal.wiring.env import read_env
from callseal.wiring.retention_container import RetentionContainer


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    archive_bucket: str
    audit_bus: str
    call_index_key: str
    calls_table: str
    gpg_binary: str
    lock_queue_url: str
    maximum_compliance_years: int
    retention_table: str
    tenants_prefix: str


@cache
def locks() -> RecordingLocks:
    """Make the handler, once per execution environment."""
    return RetentionContainer(read_env(Env, os.environ)).recording_locks(Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Lock the recordings that a batch of the lock queue names."""
    return locks().handle(event)
