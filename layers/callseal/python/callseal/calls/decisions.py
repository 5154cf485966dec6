"""Rules, what they decide, and what follows from that for one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callseal.calls.classes import DEFAULT
from callseal.calls.facts import Facts
from callseal.core.errors import Reason


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule says about the calls that meet it. `class_` is the name of a class."""

    class_: str = DEFAULT
    record: str = "may"
    consent: str = "none"
    restricted: bool = False
    sensitive: bool = False
    archive: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its name, its conditions by name, and what it decides about the calls that meet all of them."""

    name: str
    when: Mapping[str, Any]
    decision: Decision


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the policy decides about one call.

    `rule` is the name of the rule, or `default`. `restricted` and `sensitive` are set by the metadata or by the rule.
    `denied` means that recording was denied, and the rule requires it. `held` is the reason that the call's files are
    held for, or None if they may be delivered.
    """

    rule: str
    class_: str
    record: str
    consent: str
    restricted: bool
    sensitive: bool
    archive: bool
    denied: bool
    held: Reason | None

    @property
    def needs_sealed_archive(self) -> bool:
        """Whether the archive's copy is sealed, even if the tenant's settings say plain."""
        return self.restricted or self.sensitive


def decide(rule: str, decision: Decision, facts: Facts) -> Outcome:
    """Return the outcome of a rule's decision.

    A duty to record (`must`) wins over a denial and over missing consent, and the recording is then restricted.
    """
    flags, must = facts.flags, decision.record == "must"
    refused = flags.denied or flags.consent == "denied"
    lacks_consent = decision.consent == "required" and flags.consent != "given"
    held = Reason.RECORDING_DENIED if decision.record == "never" else Reason.CONSENT_MISSING if lacks_consent else None
    return Outcome(
        rule=rule,
        class_=decision.class_,
        record=decision.record,
        consent=decision.consent,
        restricted=flags.restricted or decision.restricted or (must and (refused or lacks_consent)),
        sensitive=flags.sensitive or decision.sensitive,
        archive=decision.archive,
        denied=must and refused,
        held=None if must else held,
    )
