"""Audit the SFTP front: the server's log, its events of completed downloads, and notices of refused logins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callseal.aws.bus import AuditBus
from callseal.core.audit import AuditEvent
from callseal.core.clock import Clock
from callseal.core.errors import UnreadableNotificationError
from callseal.core.log import Log, describe
from callseal.core.queue_message import Message
from callseal.inbound.notification import queue_messages
from callseal.inbound.partial_batch import partial_answer
from callseal.sftp import events
from callseal.sftp.login_settings import LoginSettings
from callseal.sftp.notice_queue import NoticeQueue
from callseal.sftp.refusals import Notice, RefusedLines, RefusedLogin, aggregate, read_notice
from callseal.sftp.server_log import LogLine, log_lines


class SftpAudit:
    """Emits audit events for logins, downloads and refusals at the SFTP front."""

    def __init__(
        self,
        bus: AuditBus,
        notices: NoticeQueue,
        known: LoginSettings,
        clock: Clock,
        log: Log,
        *,
        bucket: str,
        server: str,
    ) -> None:
        """Take the collaborators. `bucket` is the SFTP bucket's name, `server` the server's id or "" without one."""
        self._bus, self._notices, self._known, self._clock, self._log = bus, notices, known, clock, log
        self._bucket, self._server = bucket, server

    def handle(self, invocation: Mapping[str, Any]) -> dict[str, Any]:
        """Handle a batch of notices, a batch of log lines, or an event of the server.

        Return Lambda's partial batch response for notices, and counts for the others. The others fail as a whole, and a
        retry emits events with the same ids. Raise UnreadableLogError for any other invocation.
        """
        messages = queue_messages(invocation)
        if messages is not None:
            return partial_answer(self._count(messages))
        if "detail-type" in invocation:
            fetched = events.file_fetched(invocation, self._bucket, self._server)
            return self._put([fetched] if fetched else [])
        found = [events.of_log_line(line, self._tenant(line)) for line in log_lines(invocation)]
        put = [each for each in found if isinstance(each, AuditEvent)]
        refused = [each for each in found if isinstance(each, RefusedLogin)]
        # Notices last: a retry of the batch emits events with the same ids, but sends each notice again.
        answer = self._put(put)
        self._notices.send(refused)
        return answer | {"refused": len(refused)}

    def _put(self, put: Sequence[AuditEvent]) -> dict[str, Any]:
        for error in filter(None, self._bus.put_all(put)):
            raise error
        return {"events": len(put)}

    def _tenant(self, line: LogLine) -> str | None:
        """Return the line's tenant, or None if no such tenant exists: the user name is any text that a client sent."""
        claimed = line.claimed_tenant
        return claimed if claimed and (line.activity == "CONNECTED" or self._known.knows(claimed)) else None

    def _count(self, messages: Sequence[Message]) -> Iterator[str]:
        """Emit the events of a batch of notices, and return the ids of the messages that failed."""
        notices = {message.id: self._notice(message) for message in messages}
        yield from (each for each, notice in notices.items() if notice is None)
        now = self._clock()
        logins = [(each, notice) for each, notice in notices.items() if isinstance(notice, RefusedLogin)]
        counted = [(events.login_refused(group, now), group.messages) for group in aggregate(logins)]
        lines = [(each, notice) for each, notice in notices.items() if isinstance(notice, RefusedLines)]
        counted += [(events.key_lines_refused(notice, now), (each,)) for each, notice in lines]
        for (_, ids), error in zip(counted, self._bus.put_all([event for event, _ in counted]), strict=True):
            if error:
                self._log.warning("refusals not audited", extra={"refusals": len(ids), **describe(error)})
                yield from ids

    def _notice(self, message: Message) -> Notice | None:
        try:
            return read_notice(message.body)
        except UnreadableNotificationError as exc:
            self._log.warning("notice not counted", extra={"message_id": message.id, **describe(exc)})
            return None
