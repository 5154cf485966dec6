"""Check of keys: the first key of a tenant is judged at once."""

from __future__ import annotations

from callseal_cli import register
from callseal_cli.selftest import observe
from callseal_cli.selftest.model import CheckFailedError, Wait, check
from callseal_cli.selftest.trial import GCM, Trial


@check(
    "key announced",
    seconds=75,
    means="A first key is judged, and challenged, only by the daily check, or its verdict does not reach the register.",
    look="The key register lags",
    only_aws='that EventBridge receives "Secret Label Updated" for the first value of a secret',
)
def announced(trial: Trial, wait: Wait) -> str:
    """The first value of a new secret is judged: within a minute the key register has the key as accepted."""
    canary = trial[GCM]

    def accepted() -> list[str]:
        rows = register.keys(trial.stack, observe.quiet(), canary.tenant)
        return [row["fingerprint"] for row in rows if row["accepted"]]

    found = wait.until(accepted)
    if not canary.key or found != [canary.key.fingerprint]:
        raise CheckFailedError(
            f"After {wait.passed:.0f} s the key register has as accepted: {', '.join(found) or 'none'}."
        )
    return "The key register has it as accepted."
