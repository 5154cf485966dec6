"""template.yaml against the catalogue of audit events: which role may put an event, and which rules forward it."""

from collections.abc import Iterator
from typing import Any

import pytest

from callseal.calls import card_changes
from callseal.core.event_types import COMMAND, EventType
from callseal.keys import register_keys
from callseal.sftp import file_changes
from tests.template.permissions.stack import FUNCTIONS, Deployed

# The rules that forward some events, with the detail-types that the function behind their queue reads.
READ_BY = {
    "KeyRegisterRule": {*register_keys.KEY_EVENTS, register_keys.DELIVERED},
    "FileRegisterRule": {*file_changes.CHANGES},
    "CallIndexRule": {*card_changes.CHANGES},
    "LockRule": {EventType.RECORDING_DELIVERED},
}


def statements(stack: Deployed, function: str) -> Iterator[dict[str, Any]]:
    """Yield the statements of a function's role that allow it to put events."""
    role = stack.resources[FUNCTIONS[function]]["Properties"]["Role"].rpartition("/")[2]
    for policy in stack.resources[role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            if "events:PutEvents" in statement["Action"]:
                yield statement


@pytest.mark.parametrize("function", FUNCTIONS)
def test_role_may_put_exactly_the_functions_events(stack: Deployed, function: str) -> None:
    conditions = [statement["Condition"]["StringEquals"] for statement in statements(stack, function)]
    allowed = [kind for condition in conditions for kind in condition["events:detail-type"]]
    assert sorted(allowed) == sorted(kind for kind in EventType if function in kind.emitters)


def test_bus_accepts_events_only_from_their_emitters(stack: Deployed) -> None:
    statement = stack.resources["AuditBusPolicy"]["Properties"]["Statement"]
    accepted = statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]
    emitters = {name for kind in EventType for name in kind.emitters} - {COMMAND}
    roles = {stack.resources[FUNCTIONS[name]]["Properties"]["Role"] for name in emitters}
    assert sorted(accepted) == sorted(roles)


def test_bus_accepts_the_commands_events_of_everyone(stack: Deployed) -> None:
    statement = stack.resources["AuditBusPolicy"]["Properties"]["Statement"]
    accepted = statement["Condition"]["StringNotEquals"]["events:detail-type"]
    assert sorted(accepted) == sorted(kind for kind in EventType if COMMAND in kind.emitters)


def test_rules_forward_what_their_function_reads(stack: Deployed) -> None:
    rules = {name: each["Properties"] for name, each in stack.resources.items() if each["Type"] == "AWS::Events::Rule"}
    patterns = {name: each["EventPattern"] for name, each in rules.items() if "EventPattern" in each}
    ours = {name: pattern for name, pattern in patterns.items() if "callseal" in pattern["source"]}
    forwarded = {name: {*pattern["detail-type"]} for name, pattern in ours.items() if "detail-type" in pattern}
    assert forwarded == READ_BY
    assert {kind for kinds in forwarded.values() for kind in kinds} <= {*EventType}
