"""The encrypt queue between landing and the function, driven by hand as Lambda drives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.stack import LANDING, REGION, STACK, Stack, failures

Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]


def announce_landings(cloud: Stack) -> None:
    """Configure the landing bucket's notifications as in template.yaml, and drop S3's s3:TestEvent."""
    arn = cloud.sqs.get_queue_attributes(QueueUrl=cloud.queue_url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    cloud.s3.put_bucket_notification_configuration(
        Bucket=LANDING,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
    cloud.sqs.purge_queue(QueueUrl=cloud.queue_url)


def receive(cloud: Stack) -> dict[str, Any]:
    """Receive up to ten messages from the encrypt queue in the shape that Lambda passes on."""
    messages = cloud.sqs.receive_message(
        QueueUrl=cloud.queue_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
    ).get("Messages", [])
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{STACK}-encrypt",
                "awsRegion": REGION,
            }
            for message in messages
        ]
    }


def pump(cloud: Stack, handler: Handler) -> int:
    """Pass the visible messages to the handler, delete those it acknowledges, and return how many it received."""
    event = receive(cloud)
    if not event["Records"]:
        return 0
    failed = failures(handler(event, None))
    for record in event["Records"]:
        if record["messageId"] not in failed:
            cloud.sqs.delete_message(QueueUrl=cloud.queue_url, ReceiptHandle=record["receiptHandle"])
    return len(event["Records"])


def waiting(cloud: Stack) -> int:
    """Return how many messages are in the queue, in flight or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = cloud.sqs.get_queue_attributes(QueueUrl=cloud.queue_url, AttributeNames=names)["Attributes"]
    return sum(int(counts[name]) for name in names)
