"""prove_keys: an answer to a challenge, `<tenant>/key-check/<fingerprint>.answer` in the SFTP bucket, is judged."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.aws.metrics import Meter
from callseal.keys.prove_keys import KeyProof, samples
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
def ready() -> tuple[KeyProof, Meter]:
    """Make ready, once per execution environment."""
    parts = Container(read_env(Env, os.environ))
    return KeyProof(parts.register, parts.key_files, parts.bus, parts.clock, Logger()), parts.meter


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Judge the answers that a batch of S3 notifications announces."""
    proof, meter = ready()
    answer, outcomes = proof.handle(event)
    meter.put(samples(outcomes))
    return answer
