"""Have the function check_keys judge tenants' keys again, one synchronous invocation for each tenant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from callseal_cli.key_request import function_name
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

ACCEPTED, FAILED = "accepted", "failed"
TENANTS_AT_ONCE = 8


def run(stack: Stack, screen: Screen, tenants: Sequence[str]) -> dict[str, str]:
    """Return each tenant's verdict: `accepted`, `rejected`, `missing`, or `failed` if the key could not be judged."""
    with screen.progress("Keys judged") as tick, ThreadPoolExecutor(TENANTS_AT_ONCE) as executor:
        verdicts = {}
        for tenant, verdict in zip(tenants, executor.map(partial(_judged, stack), tenants), strict=True):
            verdicts[tenant] = verdict
            tick(1)
        return verdicts


def _judged(stack: Stack, tenant: str) -> str:
    """Invoke check_keys for one tenant. Its answer is `{"accepted": 1}`, and it fails if the key cannot be judged."""
    answer = stack.client("lambda").invoke(
        FunctionName=function_name(stack), Payload=json.dumps({"tenant": tenant}).encode()
    )
    if "FunctionError" in answer:
        return FAILED
    counts = json.loads(answer["Payload"].read())
    return next(iter(counts), FAILED)
