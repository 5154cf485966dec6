"""register_keys: write the key register, each key's life and its uses, from audit events in a queue."""

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
    """Make the handler, once per execution environment."""
    container = Container(read_env(Env, os.environ))
    return KeyRegistration(container.register, container.key_usage, container.clock, Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Register what a batch of audit events reports of keys."""
    return registering().handle(event)
