"""The scenarios: what lands for which tenant, what happens, and what the result at the end must be.

`outputs` and `reasons` state the contract. They are written down here and not computed by the code under test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.security.privacy.watch import CALLERS

# What happens: "encrypt" delivers the queue's messages and "recheck" the recheck queue's. "sweep" runs the sweep on its
# schedule and "sweep tenant" at a change of the key. "lose" drops the message. "put key" and "put settings" are the
# operator's changes. "land again" uploads the file once more, as if it had not been purged. In "another commits",
# another worker with the earlier settings commits its output and dies.
Step = Literal[
    "encrypt", "sweep", "sweep tenant", "lose", "put key", "put settings", "land again", "another commits", "recheck"
]
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

    @property
    def landing_name(self) -> str:
        """Return the landing key after the tenant's segment."""
        return f"2026/+{CALLER} æ_1.{self.extension}"


SCENARIOS = [
    Scenario("cms to sftp", {"sftp": True}),
    Scenario("cms to both", {"archive": True, "sftp": True}, BOTH, extension="mp3"),
    Scenario("openpgp to both", {"archive": True, "sftp": True}, BOTH, "openpgp"),
    Scenario("plain to both", {"archive": False, "sftp": False}, {**BOTH, "encrypt": False}, key="none"),
    Scenario("only sftp sealed", {"archive": False, "sftp": True}, {**BOTH, "only_encrypt_sftp": True}),
    Scenario("large cms to both", {"archive": True, "sftp": True}, BOTH, size=LARGE),
    Scenario("large openpgp to sftp", {"sftp": True}, {}, "openpgp", size=LARGE),
    Scenario("large plain to archive", {"archive": False},
             {**BOTH, "deliver_to_sftp": False, "encrypt": False}, key="none", size=LARGE),
    Scenario("metadata", {"archive": False, "sftp": True}, {**BOTH, "only_encrypt_sftp": True}, "openpgp",
             extension="xml"),
    Scenario("lost event", {"sftp": True}, steps=("lose", "sweep", "encrypt"), disturbed=(2,)),
    Scenario("held, released by the sweep", {"archive": True, "sftp": True}, BOTH, key="later",
             steps=("encrypt", "put key", "sweep", "encrypt"), reasons=("KeyMissing",)),
    Scenario("held, released by its change", {"sftp": True}, None,
             steps=("encrypt", "put settings", "sweep tenant", "encrypt"), reasons=("SettingsMissing",),
             disturbed=(1, 3)),
    Scenario("purge failed", {"archive": True, "sftp": True}, BOTH, "openpgp",
             steps=("encrypt", "land again", "encrypt"), disturbed=(3,)),
    Scenario("conflict", {"sftp": True}, reasons=("OutputConflict",), ends="held", stranger_at="sftp"),
    Scenario("conflict behind an archive copy", {"archive": False, "sftp": True}, {**BOTH, "only_encrypt_sftp": True},
             reasons=("OutputConflict",), ends="held", stranger_at="sftp", steps=("encrypt", "sweep")),
    Scenario("another worker's output after the purge", {"sftp": True}, about_a_change=True, also_at="archive",
             steps=("encrypt", "another commits", "recheck"), disturbed=(1, 3)),
    Scenario("private key", {"sftp": True}, key="private", reasons=("KeyIsPrivate",), ends="held"),
    Scenario("unsupported", {}, extension="flac", reasons=("UnsupportedFile",), ends="held"),
    Scenario("unreadable, then readable", {"archive": True, "sftp": True}, BOTH, unreadable=(1,),
             steps=("encrypt", "sweep", "encrypt"), reasons=("SourceUnreadable",), disturbed=(1, 3)),
    Scenario("unreadable plain", {"sftp": False}, {"encrypt": False}, key="none", unreadable=(1, 2),
             steps=("encrypt",), reasons=("SourceUnreadable",), ends="held"),
]  # fmt: skip
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
