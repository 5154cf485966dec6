"""index_calls: write delivered and fetched files to the cards of their calls, from audit events in a queue."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.calls.index_calls import CallIndexing
from callseal.wiring.container import Container
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    calls_table: str
    tenants_prefix: str
    gpg_binary: str


@cache
def indexing() -> CallIndexing:
    """Make the handler, once per execution environment."""
    container = Container(read_env(Env, os.environ))
    return CallIndexing(container.cards, container.tenants, Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Index the calls of the files that a batch of audit events reports."""
    return indexing().handle(event)
