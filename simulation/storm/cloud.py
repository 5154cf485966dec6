"""The storm's cloud: the encrypt queue with its redrive, and a queue for the landing bucket's announcements."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes, policy
from math import ceil
from typing import Any
from urllib.parse import unquote_plus

from localcloud.event_source_mappings import QueuePump
from localcloud.stack import QueueMapping
from simulation.faults.cloud import BUS, STACK, Cloud
from simulation.storm.history import CLOCK_SKEW_SECONDS, REMEMBERED_SECONDS
from simulation.storm.workers import INVOCATION_SECONDS
from tests.support.stack import LANDING

# Most batches take less. A batch that takes longer goes to two workers at once, as in production.
VISIBILITY_SECONDS = 10
RECEIVES = 5
# The longest run of a worker, plus the lifetime of its cache, plus the difference between clocks.
RECHECK_SECONDS = ceil(INVOCATION_SECONDS + REMEMBERED_SECONDS + CLOCK_SKEW_SECONDS) + 1


class StormCloud(Cloud):
    """Runs until closed."""

    def __init__(self) -> None:
        super().__init__()
        self._announced_url, announced_arn = self._queue("announced")
        self._dead_url, dead_arn = self._queue("dead")
        redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": RECEIVES})
        attributes = {"RedrivePolicy": redrive, "VisibilityTimeout": str(VISIBILITY_SECONDS)}
        self._sqs.set_queue_attributes(QueueUrl=self.queue_url, Attributes=attributes)
        announced: Any = {"QueueConfigurations": [{"QueueArn": announced_arn, "Events": ["s3:ObjectCreated:*"]}]}
        self._s3.put_bucket_notification_configuration(Bucket=LANDING, NotificationConfiguration=announced)
        self._sqs.set_queue_attributes(QueueUrl=self.metadata_url, Attributes=attributes)
        # Recheck messages are delayed until no worker can still process the file, as in template.yaml.
        later = {"DelaySeconds": str(RECHECK_SECONDS), "VisibilityTimeout": str(RECHECK_SECONDS)}
        self._sqs.set_queue_attributes(QueueUrl=self.recheck_url, Attributes=later)
        self.index_url, self._index_arn = self._queue("index")
        visible = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
        self._sqs.set_queue_attributes(QueueUrl=self.index_url, Attributes=visible)
        self._take(self.queue_url)  # S3's test events
        self._take(self._announced_url)

    def pump(self, url: str, runtime: Any, gate: Any, log: Any) -> QueuePump:
        """Return a pump that delivers a queue's messages to a runtime by Lambda's own rules."""
        arn = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        mapping = QueueMapping(arn.rpartition(":")[2], arn, "", 10, 0.0, True, 2)
        return QueuePump(mapping, runtime, self._sqs, gate, log)

    def announcements(self) -> Iterator[tuple[str, str, str]]:
        """Receive the landing bucket's announcements: each message, with the key and etag that it names."""
        for message in self._take(self._announced_url):
            s3_object = json.loads(message["Body"])["Records"][0]["s3"]["object"]
            yield message["Body"], unquote_plus(s3_object["key"]), s3_object["eTag"]

    def lose_announcements(self) -> None:
        """Drop the announcements that have arrived. moto allows one purge of a queue a minute."""
        self._take(self._announced_url)

    @contextmanager
    def unannounced(self) -> Iterator[None]:
        """Stop the landing bucket's announcements.

        moto counts a queue's messages at each put: 20,000 would take hours.
        """
        before = self._s3.get_bucket_notification_configuration(Bucket=LANDING)
        before.pop("ResponseMetadata")
        self._s3.put_bucket_notification_configuration(Bucket=LANDING, NotificationConfiguration={})
        yield
        self._s3.put_bucket_notification_configuration(Bucket=LANDING, NotificationConfiguration=before)

    def index(self, tenants: Sequence[str]) -> None:
        """Bring the deliveries of these tenants to the queue of index_calls. Only their cards are read."""
        pattern: dict[str, Any] = {"source": ["callseal"], "detail-type": ["RecordingDelivered"]}
        text = json.dumps({**pattern, "detail": {"tenant": [*tenants]}})
        self._events.put_rule(Name="index", EventBusName=BUS, EventPattern=text)
        target: Any = {"Id": "queue", "Arn": self._index_arn}
        self._events.put_targets(Rule="index", EventBusName=BUS, Targets=[target])

    def put_archive(self, url: str, secret_name: str, secret: str) -> None:
        """Put the archive's URL, and its secret as the issuer's client."""
        self._ssm.put_parameter(Name=f"/{STACK}/archive/url", Value=url, Type="String", Overwrite=True)
        self._secrets.create_secret(Name=secret_name, SecretString=secret)

    def letters(self) -> Iterator[tuple[str, str]]:
        """Take the mails that were sent: each one's address and text, the oldest first."""
        for path in sorted(self._mails.glob("*.eml")):
            mail = message_from_bytes(path.read_bytes(), policy=policy.SMTP)
            path.unlink()
            yield str(mail["To"]), mail.get_content()

    def announce(self, body: str, delay: int) -> None:
        """Send an announcement to the encrypt queue, to arrive after this many seconds."""
        self._sqs.send_message(QueueUrl=self.queue_url, MessageBody=body, DelaySeconds=delay)

    def dead_letters(self) -> int:
        """Count the messages in the dead-letter queue."""
        return len(self._take(self._dead_url))
