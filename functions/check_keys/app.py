"""check_keys: at every change of a tenant's secret or settings, and once a day, tenants' keys are judged.

The events: https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html and
https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html; by hand
`{"tenant": "acme"}`, or `{}` for all.
"""

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.keys.check_keys import KeyCheck, KeysUncheckedError, samples, tenants_of
from callseal.keys.issue_challenge import Challenger
from callseal.wiring.container import Parts, now


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Check one tenant's key, or all; counts what became of them."""
    # Wired anew each time: nothing that was remembered of a tenant may outlive the change that woke us.
    parts, log = Parts(os.environ), Logger()
    challenger = Challenger(parts.register, parts.key_files, parts.gpg, now)
    check = KeyCheck(parts.tenants, parts.register, parts.memory, challenger, parts.bus, parts.gpg, now, log)
    checked = check.run(tenants_of(event, os.environ["TENANTS_PREFIX"]))
    parts.meter.put(samples(checked))
    counts = dict(Counter(one.state for one in checked))
    log.info("keys checked", extra={"counts": counts, "cause": event.get("detail-type", "invoked")})
    if left := counts.get("failed", 0) + counts.get("unchecked", 0):
        raise KeysUncheckedError(f"{left} of {len(checked)} tenants' keys could not be checked.")
    return counts
