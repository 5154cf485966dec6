"""Checks of holding: a file that cannot be sealed is held with its reason, and delivered when the cause is gone."""

from __future__ import annotations

from callseal.core.errors import Reason
from callseal_cli import store
from callseal_cli.selftest import observe
from callseal_cli.selftest.checks.delivery import opened
from callseal_cli.selftest.model import CheckFailedError, Wait, check
from callseal_cli.selftest.trial import HELD, KEYLESS, Trial


@check(
    "held",
    seconds=30,
    means="A file that cannot be delivered is not held, but is retried until it is a dead letter.",
    look="A file is held",
    needs=("taken up",),
)
def held(trial: Trial, wait: Wait) -> str:
    """A file of a tenant without settings is held SettingsMissing."""
    return _held(trial, wait, HELD, Reason.SETTINGS_MISSING)


@check(
    "released",
    seconds=75,
    means="The sweep does not run at a change of settings, so held files wait for the sweep of every 5 minutes.",
    look="The sweep is silent",
    needs=("held",),
)
def released(trial: Trial, wait: Wait) -> str:
    """The held file is delivered within a minute after its tenant's settings were written."""
    store.write_settings(trial.stack, trial[HELD].tenant, {}, overwrite=False)
    opened(trial, wait, HELD, trial[HELD].recording)
    return f"It was delivered {wait.passed:.0f} s after the settings were written."


@check(
    "missing key",
    seconds=45,
    means="Files of a tenant without a key end as dead letters instead of being held.",
    look="A file is held",
    needs=("taken up",),
    only_aws="that Secrets Manager answers the role's request for a missing secret with ResourceNotFoundException",
)
def missing_key(trial: Trial, wait: Wait) -> str:
    """A file of a tenant without a secret is held KeyMissing, and does not fail its invocation."""
    return _held(trial, wait, KEYLESS, Reason.KEY_MISSING)


def _held(trial: Trial, wait: Wait, kind: str, reason: Reason) -> str:
    landed = trial[kind].recording
    wait.until(lambda: observe.held_for(trial.stack, landed))
    found = observe.held_for(trial.stack, landed)
    if found != reason:
        where = observe.whereabouts(trial.stack, landed)
        raise CheckFailedError(f"{landed} is not held {reason} after {wait.passed:.0f} s: {where}.")
    return f"It is held {reason}."
