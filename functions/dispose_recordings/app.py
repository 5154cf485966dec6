"""dispose_recordings: delete the calls that are due by their class, every hour."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aws_lambda_powertools.logging import Logger

from callseal.retention.dispose_recordings import DisposalIncompleteError, metrics_of
from callseal.wiring.disposal_container import DisposalContainer
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    archive_bucket: str
    archive_waveforms: str
    audit_bucket: str
    audit_bus: str
    audit_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"]
    audit_retention_days: int
    call_index_key: str
    calls_table: str
    gpg_binary: str
    landing_bucket: str
    lock_queue_url: str
    maximum_compliance_years: int
    retention_table: str
    sftp_bucket: str
    stack_name: str
    tenants_prefix: str


def lambda_handler(_event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Delete all calls that are due. Return counts by outcome."""
    # A new container for each invocation: it has no cached value from an earlier one.
    env, log = read_env(Env, os.environ), Logger()
    container = DisposalContainer(env)
    counts = container.disposal(log).run(container.tenant_names())
    container.metrics.put(metrics_of(counts))
    log.info("recordings disposed of", extra={"counts": dict(counts)})
    if counts["failed"] or counts["in_part"]:
        raise DisposalIncompleteError(
            f"{counts['failed']} tenants or calls failed, {counts['in_part']} calls were deleted in part. "
            "The next run, in an hour, tries again."
        )
    return dict(counts)
