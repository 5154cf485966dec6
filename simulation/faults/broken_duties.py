"""Variants that break each duty on purpose, each with one trouble that exposes it. The judges must detect them.

Each function is called in the execution environment's process, before its first event.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from callseal.archive.access import Grant
from callseal.archive.access_trail import AccessTrail
from callseal.archive.archive_bucket import ArchiveBucket
from callseal.archive.may import Allowed
from callseal.archive.sessions import Sessions
from callseal.archive.share_mails import ShareMails
from callseal.archive.share_table import ShareTable
from callseal.archive.user_table import UserTable
from callseal.archive.visit import CallAccess
from callseal.aws.bus import AuditBus
from callseal.calls.index_calls import CallIndexing
from callseal.core.errors import HeldError, Reason, TransientError
from callseal.delivery.erase_recordings import Erasure
from callseal.delivery.landing_bucket import LandingBucket
from callseal.inbound.http import RefusedRequestError
from callseal.keys import prove_keys
from callseal.keys.announcements import AnnouncementLog
from callseal.keys.register_table import KeyRegister
from callseal.keys.usage_table import UsageTable
from callseal.retention.lock_recordings import RecordingLocks
from callseal.sftp.file_table import FileRegister
from callseal.sftp.notice_queue import NoticeQueue
from callseal.sftp.stored_keys import SftpKeys
from callseal.sftp.track_files import FileTracking
from callseal.trail.lock_audit import AuditLocks
from simulation.fault_proxy import BreakBody, CutAfter, Fault, Refuse
from simulation.faults.model import LEAKED, LOST, PARTIAL, SILENT, TWICE
from tests.support.stack import ARCHIVE, AUDIT, LANDING

BUSY = Refuse(503, "SlowDown")


@dataclass(frozen=True)
class BrokenDuty:
    """One broken duty.

    The trouble that exposes it occurs at the n-th request of an operation in a step (None: no trouble is needed).
    """

    duty: str
    what: str
    break_it: Callable[[], None]
    at: tuple[int, str, int] | None = None
    how: Any = "once"
    fault: Fault | None = None
    bucket: str = ""
    promise: int | None = None  # the one that must be seen broken, None for any


def remember_first(kind: str, owner: Any, remember: str) -> None:
    """Record an announcement before the bus has accepted the event."""
    put, keep, waiting = AuditBus.put, getattr(owner, remember), list[Any]()

    def put_later(self: Any, event: Any) -> None:
        if event.detail_type == kind:
            waiting.append((self, event))
        else:
            put(self, event)

    def keep_first(self: Any, *arguments: Any) -> None:
        keep(self, *arguments)
        while waiting:
            put(*waiting.pop())

    AuditBus.put = put_later  # type: ignore[method-assign]
    setattr(owner, remember, keep_first)


def _any_code_fits() -> None:
    prove_keys.matches = lambda *_: True


def _count_unconditionally() -> None:
    mark = UsageTable._mark

    def mark_anyway(self: Any, *arguments: Any) -> Any:
        put = mark(self, *arguments)["Put"]
        return {"Put": {name: value for name, value in put.items() if name != "ConditionExpression"}}

    UsageTable._mark = mark_anyway  # type: ignore[method-assign]


def _acknowledge_everything(owner: Any) -> None:
    handle = owner.handle
    owner.handle = lambda self, event: handle(self, event) and {"batchItemFailures": []}


def _another_tenants_keys() -> None:
    read = SftpKeys.read

    def read_something(self: Any, tenant: str) -> Any:
        try:
            return read(self, tenant)
        except TransientError:
            return read(self, f"{tenant}-other")

    SftpKeys.read = read_something  # type: ignore[method-assign]


def _refuse_uncounted() -> None:
    send = NoticeQueue.send

    def try_to_send(self: Any, notices: Any) -> None:
        with suppress(TransientError):
            send(self, notices)

    NoticeQueue.send = try_to_send  # type: ignore[method-assign]


def _ids_by_chance() -> None:
    put_all = AuditBus.put_all

    def put_anew(self: Any, events: Any) -> Any:
        return put_all(self, [replace(one, detail=one.detail | {"id": uuid4().hex}) for one in events])

    AuditBus.put_all = put_anew  # type: ignore[method-assign]


def _believe_the_tag() -> None:
    Erasure._present_hold = lambda *_: HeldError(Reason.RECORDING_DENIED, "tagged")  # type: ignore[method-assign]


def _record_if_possible() -> None:
    record = AccessTrail.record

    def try_to_record(self: Any, event: Any) -> None:
        with suppress(RefusedRequestError):
            record(self, event)

    AccessTrail.record = try_to_record  # type: ignore[method-assign]


def _everything_is_allowed() -> None:
    everything = Allowed(Grant("everyone", ()))
    CallAccess.decide = lambda *_: everything  # type: ignore[method-assign]


def _what_arrived_is_sent() -> None:
    def read(self: Any, key: str, part: Any, _sealed: str) -> tuple[bytes, str]:
        wanted = {"Bucket": self._bucket, "Key": key, "Range": f"bytes={part.first}-{part.last}"}
        found, arrived = self._client.get_object(**wanted), bytearray()
        with suppress(BotoCoreError, HTTPError, OSError):
            while data := found["Body"].read(256):
                arrived += data
        return bytes(arrived), found["ETag"]

    ArchiveBucket.read = read  # type: ignore[method-assign]


def _done_anyway(owner: Any, name: str) -> None:
    """Let a method that fails end as if it had done its work."""
    method = getattr(owner, name)

    def do(self: Any, *arguments: Any) -> Any:
        with suppress(TransientError):
            return method(self, *arguments)

    setattr(owner, name, do)


def _a_code_stays() -> None:
    update = ShareTable._update

    def keep_the_code(self: Any, share: Any, change: str, *rest: Any, **values: Any) -> Any:
        return update(self, share, change.replace("REMOVE #code, #taken", "REMOVE #taken"), *rest, **values)

    ShareTable._update = keep_the_code  # type: ignore[method-assign]


BROKEN_DUTIES = (
    BrokenDuty("prove", "a code is marked as used before its event",
               partial(remember_first, "KeyProven", KeyRegister, "save_challenge"), (2, "PutItem", 2), "kill after"),
    BrokenDuty("prove, wrong code", "any code fits", _any_code_fits),
    BrokenDuty("check", "remembered before it is told",
               partial(remember_first, "KeyAccepted", AnnouncementLog, "save"), (1, "PutItem", 2), "kill after"),
    BrokenDuty("check, private key", "remembered before it is told",
               partial(remember_first, "KeyRejected", AnnouncementLog, "save"), (1, "PutItem", 2), "kill after"),
    BrokenDuty("register", "uses are counted unconditionally", _count_unconditionally),
    BrokenDuty("track", "what failed is acknowledged", partial(_acknowledge_everything, FileTracking),
               (1, "BatchGetItem", 1), "step", BUSY),
    BrokenDuty("watch", "remembered before it is told", partial(remember_first, "FileUnfetched", FileRegister, "save"),
               (2, "PutItem", 1), "kill after"),
    BrokenDuty("login", "another tenant's keys open a session where the own ones cannot be read",
               _another_tenants_keys, (1, "GetSecretValue", 1), "once", Refuse(400, "InvalidRequest")),
    BrokenDuty("login", "a refusal that cannot be sent is not counted", _refuse_uncounted,
               (3, "SendMessageBatch", 1), "step", BUSY),
    BrokenDuty("login audit", "a line that comes again has another id", _ids_by_chance,
               (1, "SendMessageBatch", 1), "invocation", CutAfter()),
    BrokenDuty("index", "what failed is acknowledged", partial(_acknowledge_everything, CallIndexing),
               (1, "BatchGetItem", 1), "step", BUSY),
    BrokenDuty("erase", "a file is deleted before its event",
               partial(remember_first, "RecordingErased", LandingBucket, "purge"), (1, "DeleteObject", 1),
               "kill after", bucket=LANDING),
    BrokenDuty("erase", "the tag alone decides", _believe_the_tag),
    BrokenDuty("lock recordings", "what failed is acknowledged",
               partial(_acknowledge_everything, RecordingLocks), (1, "PutObjectRetention", 1), "step", BUSY, ARCHIVE),
    BrokenDuty("lock audit", "what failed is acknowledged", partial(_acknowledge_everything, AuditLocks),
               (1, "HeadObject", 1), "step", BUSY, AUDIT),
    BrokenDuty("open recording", "bytes are sent without an event", _record_if_possible, (1, "PutEvents", 1), "step",
               BUSY, promise=SILENT),
    BrokenDuty("open recording", "everyone may play everything", _everything_is_allowed, promise=LEAKED),
    BrokenDuty("open recording", "what arrived before the read broke is sent", _what_arrived_is_sent,
               (2, "GetObject", 1), "invocation", BreakBody(), ARCHIVE, promise=PARTIAL),
    BrokenDuty("search calls", "a search is answered without an event", _record_if_possible, (1, "PutEvents", 1),
               "step", BUSY, promise=SILENT),
    BrokenDuty("search calls", "everyone finds everything", _everything_is_allowed, promise=LEAKED),
    BrokenDuty("terms and logout", "terms are accepted before the event",
               partial(remember_first, "TermsAccepted", UserTable, "accept"), (2, "UpdateItem", 1), "kill after",
               promise=SILENT),
    BrokenDuty("terms and logout", "a logout that failed is answered as done", partial(_done_anyway, Sessions, "end"),
               (3, "DeleteItem", 1), "step", BUSY, promise=LEAKED),
    BrokenDuty("share recording", "a link is mailed before the event",
               partial(remember_first, "ShareCreated", ShareMails, "send_link"), promise=SILENT),
    BrokenDuty("share recording", "a link that was not mailed is answered as sent",
               partial(_done_anyway, ShareMails, "send_link"), (1, "SendEmail", 1), "step", BUSY, promise=LOST),
    BrokenDuty("share recording", "a cancellation that failed is answered as done",
               partial(_done_anyway, ShareTable, "cancel"), (5, "UpdateItem", 1), "step", BUSY, promise=LEAKED),
    BrokenDuty("serve share", "a code opens a share again", _a_code_stays, promise=TWICE),
    BrokenDuty("serve share", "a play is not recorded", _record_if_possible, (3, "PutEvents", 1), "step", BUSY,
               promise=SILENT),
)  # fmt: skip
