"""open_recording: grant access to recordings, and send their bytes or a URL for their download."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.inbound.http import Route, serve
from callseal.wiring.archive_container import ArchiveContainer
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    access_trail: str
    archive_bucket: str
    archive_sessions: str
    archive_users: str
    audit_bus: str
    call_index_key: str
    calls_table: str
    gpg_binary: str
    stack_name: str
    tenants_prefix: str


@cache
def routes() -> Mapping[str, Route]:
    """Make the routes, once per execution environment."""
    return ArchiveContainer(read_env(Env, os.environ)).recording_routes(Logger()).routes


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Answer a request of the archive's API."""
    return serve(event, routes(), Logger())
