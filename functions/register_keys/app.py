"""register_keys: audit events, by way of a queue, become the key register: each key's life, and its uses."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.keys.register_keys import KeyRegistration
from callseal.wiring.container import Container
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    key_events: str
    key_register: str


@cache
def registering() -> KeyRegistration:
    """Make ready, once per execution environment."""
    parts = Container(read_env(Env, os.environ))
    return KeyRegistration(parts.register, parts.key_uses, parts.clock, Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Write what a batch of audit events tells of keys."""
    return registering().handle(event)
