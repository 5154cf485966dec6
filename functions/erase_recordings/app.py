"""erase_recordings: erase held files that policies say must not be kept, and carry out requests for erasure.

It runs every hour, and takes the messages of the erasure queue as they come.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.delivery.erase_recordings import Erasure, ErasureIncompleteError, metrics_of
from callseal.inbound.notification import queue_messages
from callseal.wiring.env import read_env
from callseal.wiring.erasure_container import ErasureContainer


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    archive_bucket: str
    archive_shares: str
    archive_waveforms: str
    audit_bucket: str
    audit_bus: str
    call_index_key: str
    calls_table: str
    file_register: str
    gpg_binary: str
    key_register: str
    landing_bucket: str
    maximum_compliance_years: int
    proof_key: str
    retention_table: str
    sftp_bucket: str
    stack_name: str
    tenants_prefix: str


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Erase all that is due. Return the number of held files by outcome, and in `late` the requests that are late.

    `{"replay": true}` repeats requests that are done. A batch of the erasure queue has its own response.
    """
    # A new container for each invocation: it has no cached value from an earlier one.
    env, log = read_env(Env, os.environ), Logger()
    container = ErasureContainer(env)
    if queue_messages(event):
        return container.erasure_messages(log).handle(event)
    erasure = Erasure(
        container.landing,
        container.tenants,
        container.call_policies,
        container.cards,
        container.holds_of,
        container.bus,
        container.window,
        container.clock,
        log,
    )
    counts = erasure.run()
    report = container.erasures(log).run(replay=bool(event.get("replay")))
    container.metrics.put([*metrics_of(counts), *report.metrics()])
    log.info("recordings erased", extra={"counts": dict(counts), "late": len(report.late)})
    if failed := counts["failed"]:
        raise ErasureIncompleteError(f"{failed} files could not be erased. The next run, in an hour, tries again.")
    if report.failed:
        raise ErasureIncompleteError(
            f"{report.failed} requests for erasure failed. The next run, in an hour, tries again."
        )
    return {**counts, **({"late": report.late} if report.late else {})}
