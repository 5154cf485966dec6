"""SQS queues and their policies."""

import json
from typing import Any

from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference

_TEXTS = (
    "DelaySeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)


def make_queue(context: Context, properties: Properties) -> Reference:
    """Create a queue with its own visibility timeout and redrive policy."""
    name = context.name(properties, properties.take("QueueName"))
    attributes = {key: _text(value) for key, value in properties.renamed({key: key for key in _TEXTS}).items()}
    redrive = properties.nested("RedrivePolicy")
    if redrive:
        attributes["RedrivePolicy"] = json.dumps(_redrive(redrive))
    properties.leave_out("Tags", "nothing here reads a queue's tags")
    url = str(context.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
    return Reference(url, {"Arn": context.stack.arn("sqs", name), "QueueName": name, "QueueUrl": url})


def make_queue_policy(context: Context, properties: Properties) -> Reference:
    """Set a queue's policy. Moto stores it, but does not enforce it."""
    policy = json.dumps(properties.require("PolicyDocument"))
    for url in properties.require("Queues"):
        context.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return Reference(context.name(properties, None))


def _redrive(redrive: Properties) -> dict[str, Any]:
    target, count = redrive.require("deadLetterTargetArn"), redrive.require("maxReceiveCount")
    return {"deadLetterTargetArn": target, "maxReceiveCount": int(count)}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
