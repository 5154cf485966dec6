"""govern_calls: place and release holds, and start and approve erasures, each with a second person."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.inbound.http import Route, serve
from callseal.wiring.env import read_env
from callseal.wiring.governance_container import GovernanceContainer


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    access_trail: str
    archive_bucket: str
    archive_sessions: str
    archive_users: str
    audit_bucket: str
    audit_bus: str
    call_index_key: str
    calls_table: str
    erasure_queue_url: str
    file_register: str
    gpg_binary: str
    landing_bucket: str
    lock_queue_url: str
    retention_table: str
    sftp_bucket: str
    stack_name: str
    tenants_prefix: str


@cache
def routes() -> Mapping[str, Route]:
    """Make the routes, once per execution environment."""
    container, log = GovernanceContainer(read_env(Env, os.environ)), Logger()
    return {**container.hold_routes(log).routes, **container.erasure_routes(log).routes}


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Answer a request of the archive's API."""
    return serve(event, routes(), Logger())
