"""check_keys: at every change of a tenant's secret or settings, and once a day, tenants' keys are judged.

The events: https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html and
https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html; by hand
`{"tenant": "acme"}`, or `{}` for all.
"""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.inbound.changes import changed_tenant
from callseal.keys.check_keys import KeyCheck, KeysUncheckedError, metrics_of
from callseal.keys.issue_challenge import Challenger
from callseal.wiring.container import Container
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    audit_bus: str
    gpg_binary: str
    key_events: str
    key_register: str
    sftp_bucket: str
    stack_name: str
    tenants_prefix: str


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Check one tenant's key, or all; counts what became of them."""
    # Wired anew each time: nothing that was remembered of a tenant may outlive the change that woke us.
    env, log = read_env(Env, os.environ), Logger()
    parts = Container(env)
    challenger = Challenger(parts.register, parts.key_files, parts.gpg, parts.clock)
    check = KeyCheck(parts.tenants, parts.register, parts.memory, challenger, parts.bus, parts.gpg, parts.clock, log)
    tenant = changed_tenant(event, env.tenants_prefix)
    checked = check.run(None if tenant is None else filter(None, [tenant]))
    parts.metrics.put(metrics_of(checked))
    counts = dict(Counter(one.state for one in checked))
    log.info("keys checked", extra={"counts": counts, "cause": event.get("detail-type", "invoked")})
    if left := counts.get("failed", 0) + counts.get("unchecked", 0):
        raise KeysUncheckedError(f"{left} of {len(checked)} tenants' keys could not be checked.")
    return counts
