"""The duties by name."""

from __future__ import annotations

from collections.abc import Mapping

from simulation.faults.archive_duties import Open, Search, Terms
from simulation.faults.call_duties import Erase, Index
from simulation.faults.disposal_duties import Dispose, Reconcile, ReconcileFindings, Shorten
from simulation.faults.duty import Duty
from simulation.faults.erasure_duties import CarryOut, RequestErasure
from simulation.faults.hold_duties import PlaceHold, ReleaseHold
from simulation.faults.key_duties import Check, CheckRejected, Prove, ProveWrong, Register
from simulation.faults.law_duties import Keep
from simulation.faults.sftp_duties import Login, LoginAudit, Track, Watch
from simulation.faults.share_duties import Share, Shared
from simulation.faults.trail_duties import Lock

_ALL = (
    Prove, ProveWrong, Check, CheckRejected, Register, Track, Watch, Login, LoginAudit, Lock, Index, Erase, Keep,
    Dispose, Shorten, Reconcile, ReconcileFindings, PlaceHold, ReleaseHold, RequestErasure, CarryOut,
    Open, Search, Terms, Share, Shared,
)  # fmt: skip
DUTIES: Mapping[str, type[Duty]] = {duty.name: duty for duty in _ALL}
