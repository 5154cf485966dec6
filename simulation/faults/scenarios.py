"""The scenarios by name.

`outputs` and `reasons` state the contract. They are written down here and not computed by the code under test.
"""

from __future__ import annotations

from simulation.faults.call_scenarios import CALL_SCENARIOS
from simulation.faults.scenario import BOTH, LARGE, Scenario

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
    Scenario("metadata", {"archive": False, "sftp": True},
             {**BOTH, "only_encrypt_sftp": True, "call_index": "off"}, "openpgp",
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
    *CALL_SCENARIOS,
]  # fmt: skip
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
