"""Judging keys anew: the function check_keys is invoked for each tenant, and answers what became of its key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

ACCEPTED, FAILED = "accepted", "failed"
TENANTS_AT_ONCE = 8


def run(stack: Stack, screen: Screen, tenants: Sequence[str]) -> dict[str, str]:
    """Return for each tenant whether its key is accepted, rejected, missing, or could not be judged (failed)."""
    with screen.progress("Keys judged") as tick, ThreadPoolExecutor(TENANTS_AT_ONCE) as executor:
        verdicts = {}
        for tenant, verdict in zip(tenants, executor.map(lambda one: _judged(stack, one), tenants), strict=True):
            verdicts[tenant] = verdict
            tick(1)
        return verdicts


def _judged(stack: Stack, tenant: str) -> str:
    """Invoke check_keys for one tenant; it answers `{"accepted": 1}`, and raises if the key cannot be judged."""
    answer = stack.client("lambda").invoke(
        FunctionName=f"{stack.name}-check-keys", Payload=json.dumps({"tenant": tenant}).encode()
    )
    if "FunctionError" in answer:
        return FAILED
    counts = json.loads(answer["Payload"].read())
    return next(iter(counts), FAILED)
