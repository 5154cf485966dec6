"""erase_recordings: erase held files that the tenants' policies say must not be kept, every hour."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.delivery.erase_recordings import Erasure, ErasureIncompleteError, metrics_of
from callseal.wiring.container import Container
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    audit_bus: str
    calls_table: str
    gpg_binary: str
    landing_bucket: str
    maximum_compliance_years: int
    stack_name: str
    tenants_prefix: str


def lambda_handler(_event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Erase all files that are due. Return the number of files by outcome."""
    # A new container for each invocation: it has no cached value from an earlier one.
    env, log = read_env(Env, os.environ), Logger()
    container = Container(env)
    erasure = Erasure(
        container.landing,
        container.tenants,
        container.call_policies,
        container.cards,
        container.bus,
        container.window,
        container.clock,
        log,
    )
    counts = erasure.run()
    container.metrics.put(metrics_of(counts))
    log.info("recordings erased", extra={"counts": dict(counts)})
    if failed := counts["failed"]:
        raise ErasureIncompleteError(f"{failed} files could not be erased. The next run, in an hour, tries again.")
    return dict(counts)
