"""CloudWatch log groups, log streams and subscriptions."""

import re

from localcloud.errors import TemplateError
from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference
from localcloud.stack import LogSubscription

_TERM = re.compile(r'\(\$\.([A-Za-z0-9_-]+) = "([^"\\]*)"\)')


def make_log_group(context: Context, properties: Properties) -> Reference:
    """Create a log group with its retention and key."""
    logs = context.client("logs")
    name = context.name(properties, properties.take("LogGroupName"))
    logs.create_log_group(logGroupName=name, **properties.renamed({"KmsKeyId": "kmsKeyId"}))
    days = properties.take("RetentionInDays")
    if days is not None:
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    return Reference(name, {"Arn": context.stack.arn("logs", f"log-group:{name}:*")})


def make_log_stream(context: Context, properties: Properties) -> Reference:
    """Create a log stream."""
    group, name = properties.require("LogGroupName"), properties.require("LogStreamName")
    context.client("logs").create_log_stream(logGroupName=group, logStreamName=name)
    return Reference(name)


def make_subscription_filter(context: Context, properties: Properties) -> Reference:
    """Record which lines of a log group a function receives."""
    group, arn = properties.require("LogGroupName"), properties.require("DestinationArn")
    if arn not in context.stack.functions:
        raise TemplateError(f"{properties.logical_id}: {arn} is not a function of this stack.")
    wanted = _wanted(properties.logical_id, properties.require("FilterPattern"))
    context.stack.subscriptions.append(LogSubscription(properties.logical_id, group, arn, wanted))
    return Reference(context.name(properties, properties.take("FilterName")))


def _wanted(logical_id: str, pattern: str) -> frozenset[tuple[str, str]]:
    """Return member and value of each term of `{ ($.member = "value") || ... }`. Raise TemplateError for others."""
    terms = pattern.strip().removeprefix("{").removesuffix("}").strip().split(" || ")
    found = [_TERM.fullmatch(term.strip()) for term in terms]
    if not all(found):
        raise TemplateError(f"{logical_id}: the local cloud does not know the filter pattern {pattern.strip()}.")
    return frozenset((term[1], term[2]) for term in found if term)
