"""The catalogue of audit events, and that code uses the declared names of events and reasons."""

import ast

import pytest

from callseal.core.errors import Reason
from callseal.core.event_types import COMMAND, EventType
from tests.support.events import IN_EVERY_EVENT, SCHEMA, check_event
from tests.unit.test_architecture import FUNCTIONS, LAYER, MODULES, ROOT, tree

DECLARED_IN = [LAYER / "callseal" / "core" / name for name in ("errors.py", "event_types.py")]
CODE = [
    path for path in (*MODULES.values(), *FUNCTIONS, *sorted((ROOT / "cli").rglob("*.py"))) if path not in DECLARED_IN
]


@pytest.mark.parametrize("kind", EventType)
def test_members_are_those_of_the_schema(kind: EventType) -> None:
    members = [*kind.always, *kind.sometimes]
    assert len(set(members)) == len(members)
    assert {*members} <= {*SCHEMA["required"]} - IN_EVERY_EVENT
    assert kind.meaning.endswith(".")


def test_each_emitter_is_a_function_or_the_command() -> None:
    known = {path.parent.name for path in FUNCTIONS} | {COMMAND}
    assert all(kind.emitters and {*kind.emitters} <= known for kind in EventType)


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_of_events_and_reasons_are_spelled_in_their_declarations_only(path: object) -> None:
    names = {*map(str, EventType), *map(str, Reason)}
    strings = {node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant)}
    assert not names & {value for value in strings if isinstance(value, str)}


def test_each_reason_has_its_meaning_and_action() -> None:
    assert all(sentence.endswith(".") for reason in Reason for sentence in (reason.meaning, reason.action))


@pytest.mark.parametrize(
    ("member", "value"), [("source", None), ("session", {"server": None}), ("message", "No release has one.")]
)
def test_event_with_members_outside_the_catalogue_is_detected(member: str, value: object) -> None:
    detail = dict.fromkeys(SCHEMA["required"]) | {
        "schema": 1,
        "id": "0" * 32,
        "time": "2026-11-23T10:11:12.345Z",
        "source": {"bucket": "landing", "key": "acme/1.wav", "etag": "e", "size": 1},
    }
    check_event(EventType.RECORDING_RELEASED, detail)
    session = dict.fromkeys(SCHEMA["properties"]["session"]["required"])
    with pytest.raises(AssertionError, match=member):
        check_event(EventType.RECORDING_RELEASED, detail | {member: session if member == "session" else value})
