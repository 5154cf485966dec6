"""The errors of landed files that are held because of their call: what the policy says, and what was erased."""

from __future__ import annotations

from collections.abc import Mapping

from callseal.calls.decisions import Outcome
from callseal.core.errors import HeldError, Reason
from callseal.tenants.settings import TenantSettings


def refuse_number(key: str, settings: TenantSettings) -> None:
    """Raise HeldError `NameHoldsNumber` if a landing key holds a telephone number."""
    from callseal.calls.numbers import holds_number

    if holds_number(key.partition("/")[2], settings.default_region):
        raise HeldError(
            Reason.NAME_HOLDS_NUMBER,
            "The landing key holds a telephone number, and the tenant's setting refuse_numbers_in_names is on. Land "
            "the file again under a name without a number, and delete this object from the landing bucket.",
        )


def erased_call() -> HeldError:
    """Return the error of a file whose call was erased, or waits for its erasure."""
    return HeldError(
        Reason.ERASED,
        "The call of this file was erased on request, or is about to be, so no file of it is delivered. Delete the "
        "file. If it belongs to another call, land it under another name.",
    )


def held_by_policy(outcome: Outcome, version: str, policy: Mapping[str, object]) -> HeldError:
    """Return the error of a file that a policy holds. `policy` is the member of the audit event."""
    reason = outcome.held
    if reason is None:
        raise ValueError("the ruling holds nothing")
    why = {
        Reason.RECORDING_DENIED: "says that the call must not be recorded",
        Reason.CONSENT_MISSING: "requires consent, and the metadata does not say that it was given",
    }[reason]
    error = HeldError(
        reason,
        f"The rule {outcome.rule} of the tenant's policy {why}. The file is erased after the setting "
        "denied_erase_after, unless the policy is changed before.",
    )
    error.policy, error.cause = policy, version
    return error
