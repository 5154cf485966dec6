"""read_metadata: write what metadata files say to the cards of their calls, before the files are delivered."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.delivery.batch import Batch
from callseal.delivery.read_metadata import MetadataReading
from callseal.wiring.container import Container
from callseal.wiring.env import read_env

FILES_AT_ONCE = 10


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    audit_bus: str
    call_index_key: str
    calls_table: str
    encrypt_queue_url: str
    gpg_binary: str
    landing_bucket: str
    maximum_compliance_years: int
    metadata_queue_url: str
    stack_name: str
    tenants_prefix: str


@cache
def batch() -> Batch:
    """Make the handler, once per execution environment."""
    env = read_env(Env, os.environ)
    container = Container(env)
    reading = MetadataReading(
        container.landing,
        container.tenants,
        container.cards,
        container.blind_index,
        container.queue,
        container.bus,
        env.maximum_compliance_years,
        container.clock,
    )
    return Batch(
        reading.process,
        lambda: container.metadata_queue,
        container.landing.name,
        container.window,
        container.metrics,
        FILES_AT_ONCE,
        Logger(),
    )


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Read the metadata files that a batch of the metadata queue names."""
    return batch().handle(event)
