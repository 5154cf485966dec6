"""sign_in: sign people in with the stack's issuer of identities, and answer who they are."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.inbound.http import Route, serve
from callseal.wiring.archive_container import ArchiveContainer
from callseal.wiring.env import Optional, read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    access_trail: str
    archive_platform_group: Optional
    archive_sessions: str
    archive_url: str
    archive_users: str
    audit_bus: str
    gpg_binary: str
    oidc_agent_claim: str
    oidc_client_id: Optional
    oidc_client_secret: str
    oidc_groups_claim: str
    oidc_issuer: Optional
    oidc_tenant_claim: str
    stack_name: str
    tenants_prefix: str


@cache
def routes() -> Mapping[str, Route]:
    """Make the routes, once per execution environment."""
    return ArchiveContainer(read_env(Env, os.environ)).sign_in(Logger()).routes


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Answer a request of the archive's API."""
    return serve(event, routes(), Logger())
