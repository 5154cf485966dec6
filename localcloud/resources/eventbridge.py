"""EventBridge buses and rules.

A rule is created on moto with the targets that moto serves. The pump invokes the functions among its targets.
"""

import json
import re
from typing import Any

from localcloud.errors import TemplateError
from localcloud.events import Pattern
from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference
from localcloud.stack import Rule

_UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_NO_DEAD_LETTERS = "a target on moto cannot fail, so this queue stays empty"


def make_bus(context: Context, properties: Properties) -> Reference:
    """Create an event bus on moto."""
    name = properties.require("Name")
    arn = context.client("events").create_event_bus(Name=name)["EventBusArn"]
    return Reference(name, {"Arn": arn, "Name": name})


def make_rule(context: Context, properties: Properties) -> Reference:
    """Create a rule and its targets, and record it for the pump if it invokes functions."""
    name = context.name(properties, properties.take("Name"))
    bus, pattern = properties.take("EventBusName", "default"), properties.take("EventPattern")
    schedule, state = properties.take("ScheduleExpression"), properties.take("State", "ENABLED")
    compiled = Pattern(pattern) if pattern else None
    rate = rate_in_seconds(properties.logical_id, schedule) if schedule else None
    options = properties.renamed({"Description": "Description", "ScheduleExpression": "ScheduleExpression"})
    if pattern:
        options["EventPattern"] = json.dumps(pattern)
    arn = context.client("events").put_rule(Name=name, EventBusName=bus, State=state, **options)["RuleArn"]
    functions = _put_targets(context, properties, name, bus)
    if functions and bus != "default":
        raise TemplateError(f"{properties.logical_id}: the local cloud invokes functions from the default bus only.")
    if functions and state == "ENABLED":
        context.stack.rules.append(Rule(properties.logical_id, arn, compiled, rate, tuple(functions)))
    return Reference(name if bus == "default" else f"{bus}|{name}", {"Arn": arn})


def rate_in_seconds(logical_id: str, expression: str) -> float:
    """Return the seconds of `rate(5 minutes)`. Raise TemplateError for any other schedule, such as cron(...)."""
    match = re.fullmatch(r"rate\((\d+) (second|minute|hour|day)s?\)", expression)
    if not match or int(match[1]) == 0:
        raise TemplateError(f"{logical_id}: the local cloud does not know the schedule {expression}, only rate(...).")
    return int(match[1]) * _UNITS[match[2]]


def _put_targets(context: Context, properties: Properties, rule: str, bus: str) -> list[str]:
    functions = []
    for target in properties.each("Targets"):
        arn = target.require("Arn")
        service = arn.split(":")[2]
        if service == "lambda":
            target.require("Id")
            functions.append(arn)
        elif service == "firehose":
            _put_stream_target(context, target, rule, bus)
        elif service in ("logs", "sqs"):
            _put_target(context.client("events"), target, rule, bus, arn)
        else:
            raise TemplateError(f"{properties.logical_id}: the local cloud does not know the target {arn}.")
    return functions


def _put_target(events: Any, target: Properties, rule: str, bus: str, arn: str) -> None:
    target.leave_out("DeadLetterConfig", _NO_DEAD_LETTERS)
    entry = {"Id": target.require("Id"), "Arn": arn}
    answer = events.put_targets(Rule=rule, EventBusName=bus, Targets=[entry])
    if answer["FailedEntryCount"]:
        raise TemplateError(f"{target.logical_id}: the target {entry['Id']} was refused: {answer['FailedEntries']}")


def _put_stream_target(context: Context, target: Properties, rule: str, bus: str) -> None:
    """Send a rule's events to the queue that replaces a delivery stream, a target that moto's rules do not serve."""
    target.leave_out("RoleArn", "nothing here enforces IAM")
    stream = context.stack.streams.get(target.require("Arn"))
    if stream is None:
        raise TemplateError(f"{target.logical_id}: {target.require('Arn')} is not a delivery stream of this stack.")
    _put_target(context.client("events"), target, rule, bus, stream.queue_arn)
