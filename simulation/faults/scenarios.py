"""The scenarios: what lands for which tenant, what happens, and what must have become of it at the end.

`outputs` and `reasons` are the contract's truth, written down here and not computed by the code that is tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.security.privacy.watch import CALLERS

# What happens: the queue's messages are handed over; the sweep runs on its schedule, or at the change of the key; the
# message is lost; the operator puts the key or the settings; the file lands once more, as if it had not been purged;
# another worker, that goes by what was asked for before, commits its output and dies; what is to be rechecked is.
Step = Literal[
    "encrypt", "sweep", "sweep tenant", "lose", "put key", "put settings", "land again", "another commits", "recheck"
]
BOTH: Mapping[str, Any] = {"deliver_to_archive": True, "archive_formats": ["wav", "mp3"]}
SMALL, LARGE = 20_000, 150_000
# A caller's number, as platforms put it in names: it may be in keys and audit events, never in a log.
CALLER = CALLERS[0]


@dataclass(frozen=True)
class Scenario:
    """One recording's story; outputs are the destinations, True where that one is sealed."""

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
    # The steps in which things go wrong, from 1; the others are another scenario's. None for all.
    disturbed: tuple[int, ...] | None = None
    # Whether it lands about a change of its tenant, and where, in plain, another worker still delivers it to.
    about_a_change: bool = False
    also_at: str | None = None
    # The steps in which S3 refuses to read what landed.
    unreadable: tuple[int, ...] = ()

    @property
    def landing_name(self) -> str:
        """The landing key after the tenant's segment."""
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
