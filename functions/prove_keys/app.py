"""prove_keys: compare tenants' answers to challenges, `<tenant>/key-check/<fingerprint>.answer` in the SFTP bucket."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.aws.metrics import MetricsEmitter
from callseal.keys.prove_keys import KeyProof, metrics_of
from callseal.wiring.container import Container
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    audit_bus: str
    key_register: str
    sftp_bucket: str
    stack_name: str


@cache
def ready() -> tuple[KeyProof, MetricsEmitter]:
    """Make the handler and the emitter of metrics, once per execution environment."""
    container = Container(read_env(Env, os.environ))
    proof = KeyProof(container.register, container.check_folder, container.bus, container.clock, Logger())
    return proof, container.metrics


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Process the answers that a batch of S3 notifications announces."""
    proof, metrics = ready()
    answer, outcomes = proof.handle(event)
    metrics.put(metrics_of(outcomes))
    return answer
