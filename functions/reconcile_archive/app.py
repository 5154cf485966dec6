"""reconcile_archive: compare the archive's files with the cards of calls every week."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.wiring.disposal_container import DisposalContainer
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    archive_bucket: str
    audit_bus: str
    call_index_key: str
    calls_table: str
    gpg_binary: str
    maximum_compliance_years: int
    retention_table: str
    sftp_bucket: str
    stack_name: str
    tenants_prefix: str


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Compare, and return counts of findings. The schedule continues a comparison, and begins one when a week is over.

    An invocation by a person begins one at once, unless one is unfinished.
    """
    env, log = read_env(Env, os.environ), Logger()
    container = DisposalContainer(env)
    reconcile = container.archive_reconcile(log)
    report = reconcile.run(container.tenant_names, is_scheduled=event.get("detail-type") == "Scheduled Event")
    container.metrics.put(report.metrics(container.clock()))
    log.info("archive compared", extra={"counts": dict(report.counts)})
    return dict(report.counts)
