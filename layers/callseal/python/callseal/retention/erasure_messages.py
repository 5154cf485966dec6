"""The queue of erasures: an approved request, the tenant of a hold that was released, and answers to notices.

A request's message is a hint: each hourly run looks at all requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.core.errors import UnreadableNotificationError
from callseal.core.landing import TENANT, LandedObject
from callseal.core.log import Log
from callseal.core.queue_message import Message
from callseal.inbound.notification import parse_body
from callseal.inbound.partial_batch import answer, batch_messages, try_each
from callseal.retention.carry_out_erasures import Erasures
from callseal.retention.erasure_notices import Notices, parse_answer
from callseal.retention.erasure_table import ErasureTable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_ANY_ANSWER = re.compile(rf"{TENANT.pattern}/notices/.*\.done", re.ASCII | re.DOTALL)


class ErasureMessages:
    """Takes the messages of the queue."""

    def __init__(self, table: ErasureTable, erasures: Erasures, notices: Notices, log: Log) -> None:
        """Take the collaborators."""
        self._table, self._erasures, self._notices, self._log = table, erasures, notices, log

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle a batch of messages. Return the ids of failed messages in `batchItemFailures`."""
        messages = batch_messages(event)
        return answer(messages, try_each(messages, self._take), self._log, "erasure message not taken")

    def _take(self, message: Message) -> None:
        named = _named(message.body)
        if named is None:
            for landed in parse_body(message.body):
                self._take_answer(landed)
        elif named.get("request"):
            if request := self._table.find(named["tenant"], named["request"]):
                self._erasures.carry_out(request)
        else:
            for request in self._table.requests(named["tenant"], settled=False):
                self._erasures.carry_out(request)

    def _take_answer(self, landed: LandedObject) -> None:
        if landed.bucket != self._notices.bucket or not _ANY_ANSWER.fullmatch(landed.key):
            raise UnreadableNotificationError("The message does not name an answer in a tenant's folder notices.")
        # A tenant can write any name. An answer to no notice is only removed.
        if named := parse_answer(landed.key):
            self._erasures.answered(*named)
        self._notices.remove_answer(landed.key)


class ErasureQueue:
    """Sends messages to the queue."""

    def __init__(self, sqs: SQSClient, url: str) -> None:
        """Take the client, and the queue's URL."""
        self._sqs, self._url = sqs, url

    def put(self, tenant: str, request: str | None = None) -> None:
        """Have a request carried out now, or all requests of a tenant, of which a hold was released."""
        body = json.dumps({"tenant": tenant, "request": request})
        with calling("Putting an erasure on the queue"):
            self._sqs.send_message(QueueUrl=self._url, MessageBody=body)


def _named(body: str) -> dict[str, Any] | None:
    """Return the tenant and the request that a message names, or None for a message of another form."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("tenant"), str):
        return None
    return found if isinstance(found.get("request"), str | None) else None
