"""A scenario: what lands for which tenant, what happens, and what the result at the end must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from simulation.faults.call_metadata import Metadata
from tests.security.privacy.watch import CALLERS

# What happens: "encrypt" delivers the queue's messages and "recheck" the recheck queue's. "sweep" runs the sweep on its
# schedule and "sweep tenant" at a change of the key. "lose" drops the message. "put key" and "put settings" are the
# operator's changes. "land again" uploads the file once more, as if it had not been purged. In "another commits",
# another worker with the earlier settings commits its output and dies. In "encrypt and read", the encrypt queue and the
# metadata queue take turns until both are empty. "put policy" puts the later policy.
Step = Literal[
    "encrypt", "sweep", "sweep tenant", "lose", "put key", "put settings", "land again", "another commits", "recheck",
    "encrypt and read", "land metadata", "land recording", "put policy",
]  # fmt: skip
BOTH: Mapping[str, Any] = {"deliver_to_archive": True, "archive_formats": ["wav", "mp3"]}
SMALL, LARGE = 20_000, 150_000
# A caller's number, as platforms put it in file names. It may occur in keys and audit events, never in a log.
CALLER = CALLERS[0]


@dataclass(frozen=True)
class Scenario:
    """One recording's story. `outputs` maps each destination to True if the output is sealed there."""

    name: str
    outputs: Mapping[str, bool]
    settings: Mapping[str, Any] | None = field(default_factory=dict)
    envelope: Literal["cms", "openpgp"] = "cms"
    key: Literal["good", "later", "private", "none"] = "good"
    extension: str = "wav"
    size: int = SMALL
    steps: tuple[Step, ...] = ("encrypt",)
    reasons: tuple[str, ...] = ()
    ends: Literal["delivered", "held"] = "delivered"
    stranger_at: str | None = None
    # The steps in which faults occur, from 1 (None: all). Other scenarios cover the other steps.
    disturbed: tuple[int, ...] | None = None
    # Whether the recording lands around a change of its tenant, and the destination to which another worker still
    # delivers it in plain.
    about_a_change: bool = False
    also_at: str | None = None
    # The steps in which S3 refuses to read the landed file.
    unreadable: tuple[int, ...] = ()
    # The recording's metadata, if it has any, the tenant's policy, and the rules that hold it and deliver it.
    metadata: Metadata | None = None
    policy: Mapping[str, Any] | None = None
    later_policy: Mapping[str, Any] | None = None
    rules: tuple[str, ...] = ("default",)

    @property
    def of_metadata(self) -> Scenario:
        """Return the same story of the metadata file."""
        assert self.metadata
        metadata = self.metadata
        return replace(self, outputs=metadata.outputs, reasons=metadata.reasons, ends=metadata.ends, extension="xml")

    @property
    def landing_name(self) -> str:
        """Return the landing key after the tenant's segment."""
        return f"2026/+{CALLER} æ_1.{self.extension}"
