"""The scenarios of calls with a policy: a recording and its metadata land in either order.

Like in `scenarios.py`, the outcomes are written down here and not computed by the code under test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulation.faults.call_metadata import PUZZEL, Metadata
from simulation.faults.scenario import BOTH, Scenario, Step

SEALED: Mapping[str, bool] = {"archive": True, "sftp": True}
HALF: Mapping[str, bool] = {"archive": False, "sftp": True}
PLAIN_INDEX: Mapping[str, Any] = {**BOTH, **PUZZEL, "call_index": "plain", "only_encrypt_sftp": True}
BLIND_INDEX: Mapping[str, Any] = {**BOTH, **PUZZEL, "call_index": "blind"}
RECORDING_FIRST: tuple[Step, ...] = ("encrypt and read", "land metadata", "encrypt and read")
METADATA_FIRST: tuple[Step, ...] = ("encrypt and read", "land recording", "encrypt and read")
DENIED, AWAITED = "RecordingDenied", "MetadataAwaited"


def policy(*rules: Mapping[str, Any], **default: Any) -> dict[str, Any]:
    """Return a policy with these rules."""
    return {"schema": 1, "rules": list(rules), "default": {"class": "default", "record": "may"} | default}


REFUSED = policy({"rule": "refused", "when": {"denied": True}, "record": "never"})
LAW = policy({"rule": "law", "when": {"denied": True}, "record": "must"})
RESTRICTED = policy({"rule": "restricted", "when": {"restricted": True}, "restricted": True})
CONSENT = policy(consent="required")

CALL_SCENARIOS = [
    Scenario("call: allowed, recording first", HALF, PLAIN_INDEX, steps=RECORDING_FIRST, reasons=(AWAITED,),
             policy=REFUSED, disturbed=(3,), metadata=Metadata(HALF)),
    Scenario("call: allowed, metadata first", SEALED, BLIND_INDEX, steps=METADATA_FIRST,
             policy=REFUSED, disturbed=(1,), metadata=Metadata(SEALED, lands_first=True)),
    Scenario("call: denied, recording first", {}, BLIND_INDEX, steps=RECORDING_FIRST, reasons=(AWAITED, DENIED),
             ends="held", policy=REFUSED, rules=("refused",), disturbed=(1, 3),
             metadata=Metadata({}, denied=True, reasons=(DENIED,), ends="held")),
    Scenario("call: denied, metadata first", {}, PLAIN_INDEX, steps=METADATA_FIRST, reasons=(DENIED,), ends="held",
             policy=REFUSED, rules=("refused",),
             metadata=Metadata({}, denied=True, lands_first=True, reasons=(DENIED,), ends="held")),
    Scenario("call: denied, both at once", {}, PLAIN_INDEX, steps=("land metadata", "encrypt and read"),
             reasons=(AWAITED, DENIED), ends="held", policy=REFUSED, rules=("refused",),
             metadata=Metadata({}, denied=True, reasons=(DENIED,), ends="held")),
    Scenario("call: no consent", {}, BLIND_INDEX, "openpgp", steps=METADATA_FIRST, reasons=("ConsentMissing",),
             ends="held", policy=CONSENT, disturbed=(3,),
             metadata=Metadata({}, lands_first=True, reasons=("ConsentMissing",), ends="held")),
    Scenario("call: restricted", SEALED, PLAIN_INDEX, steps=METADATA_FIRST, policy=RESTRICTED, rules=("restricted",),
             disturbed=(3,), metadata=Metadata(SEALED, restricted=True, lands_first=True)),
    Scenario("call: metadata unreadable", {}, {**PLAIN_INDEX, "metadata_required": True}, steps=RECORDING_FIRST,
             reasons=(AWAITED,), ends="held", disturbed=(3,), metadata=Metadata(HALF, unreadable=True)),
    Scenario("call: denied, unreadable at first", {}, PLAIN_INDEX, unreadable=(1,), disturbed=(1,),
             steps=("encrypt and read", "land recording", "sweep", "encrypt and read"), reasons=(DENIED,), ends="held",
             policy=REFUSED, rules=("refused",),
             metadata=Metadata({}, denied=True, lands_first=True, reasons=(DENIED,), ends="held")),
    Scenario("call: denied, then required by a changed policy", SEALED, PLAIN_INDEX,
             steps=(*METADATA_FIRST, "put policy", "sweep tenant", "encrypt and read", "sweep tenant",
                    "encrypt and read"),
             reasons=(DENIED,), policy=REFUSED, later_policy=LAW, rules=("refused", "law"), disturbed=(6,),
             metadata=Metadata(SEALED, denied=True, lands_first=True, reasons=(DENIED,))),
]  # fmt: skip
