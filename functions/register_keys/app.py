"""register_keys: audit events, by way of a queue, become the key register: each key's life, and its uses."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.keys.register_keys import Registering
from callseal.wiring.container import Parts, now


@cache
def registering() -> Registering:
    """Make ready, once per execution environment."""
    parts = Parts(os.environ)
    return Registering(parts.register, parts.key_uses, now, Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Write what a batch of audit events tells of keys."""
    return registering().handle(event)
