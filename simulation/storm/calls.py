"""The calls of a storm's tenants with a policy: what their metadata says, and what the policy decides about each file.

The decisions are the contract's table once more, and share no code with the functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from simulation.faults.call_metadata import PUZZEL, metadata_xml
from simulation.faults.call_scenarios import policy

PolicyName = Literal["refused", "consent", "law"]
POLICIES: Mapping[PolicyName, Mapping[str, Any]] = {
    "refused": policy({"rule": "refused", "when": {"denied": True}, "record": "never"},
                      {"rule": "restricted", "when": {"restricted": True}, "restricted": True}),
    "consent": policy(consent="required"),
    "law": policy({"rule": "law", "when": {"denied": True}, "record": "must"}),
}  # fmt: skip
AWAITED = "MetadataAwaited"
QUEUES, AGENTS = ("invoice_no", "support_no"), ("1042", "2077")
# When a call with metadata took place, as call_metadata.py has it.
DAY = "2026-11-23"
# A metadata file's texts may have 4,096 bytes.
MOST_NOTE = 3_000


@dataclass(frozen=True)
class CallFacts:
    """What a call's metadata says."""

    denied: bool
    restricted: bool
    consent: str
    unreadable: bool
    queue: str
    agent: str

    def data(self, note: bytes) -> bytes:
        """Return the metadata file, with a note that is part of it."""
        flags = {"deny_recording": self.denied, "SET_RESTRICTED": self.restricted, "consent": self.consent}
        whole = metadata_xml(note[:MOST_NOTE].decode(), queue=self.queue, agent=self.agent, **flags)
        return whole[:-10] if self.unreadable else whole


@dataclass(frozen=True)
class Ruling:
    """What a policy decides about a file: the reason to hold it, or whether its archive copy must be sealed."""

    held: str | None = None
    seals_archive: bool = False


def policy_of(number: int) -> tuple[PolicyName, Mapping[str, Any]]:
    """Return the policy of the n-th tenant that has one, and its settings of calls."""
    consent = {"metadata_paths": {"consent": "//variable[@name=consent]"}}
    names = list(POLICIES)
    return names[number % len(names)], {**PUZZEL, **consent, "call_index": ("plain", "blind")[number % 2]}


def draw_facts(random: Random) -> CallFacts:
    """Draw what a call's metadata says."""
    consent = random.choice(("given", "given", "denied", "not_asked", "unknown"))
    denied, restricted, unreadable = (random.random() < share for share in (0.3, 0.3, 0.08))
    return CallFacts(denied, restricted, consent, unreadable, random.choice(QUEUES), random.choice(AGENTS))


def rule(name: PolicyName, facts: CallFacts, *, is_metadata: bool, has_metadata: bool) -> Ruling:
    """Return what a policy decides about a file. `has_metadata` is false if the call's metadata never lands."""
    if facts.unreadable or not has_metadata:
        held = "ConsentMissing" if name == "consent" else None
        return Ruling(held if is_metadata else AWAITED)
    if name == "refused" and facts.denied:
        return Ruling("RecordingDenied")
    if name == "consent" and facts.consent != "given":
        return Ruling("ConsentMissing")
    return Ruling(seals_archive=is_restricted(name, facts))


def is_restricted(name: PolicyName, facts: CallFacts) -> bool:
    """Return whether a call whose metadata can be read is restricted, by its flag or by a policy."""
    return facts.restricted or (name == "law" and facts.denied)
