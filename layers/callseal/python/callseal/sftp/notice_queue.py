"""The queue of notices: audit_sftp merges a batch of refused logins into few audit events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.core.errors import TransientError
from callseal.sftp.refusals import Notice, write_notice

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
MAX_ENTRIES = 10


class NoticeQueue:
    """Sends notices of refused logins and refused key lines."""

    def __init__(self, sqs: SQSClient, url: str) -> None:
        """Take the client and the queue's URL."""
        self._sqs, self._url = sqs, url

    def send(self, notices: Sequence[Notice]) -> None:
        """Send notices. Raise TransientError if SQS did not accept one."""
        for first in range(0, len(notices), MAX_ENTRIES):
            chunk = enumerate(notices[first : first + MAX_ENTRIES])
            entries: Any = [{"Id": str(number), "MessageBody": write_notice(notice)} for number, notice in chunk]
            with calling("Sending notices of refused logins"):
                answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise TransientError("SQS did not accept a notice of a refused login.")
