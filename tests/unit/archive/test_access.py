"""The text of a tenant's access: what is refused and in which words, and that the schema for editors says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from callseal.archive.access import ACTIONS, Access, AccessInvalidError, Grant, Terms, parse_access
from tests.support.near_valid import near_valid

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "tenant-access.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
EXAMPLE: dict[str, Any] = {
    "grants": [
        {"group": "agents", "may": ["search", "play"], "scope": "own"},
        {"group": "team-leads", "may": ["search", "play"], "queues": ["invoice_*"], "days": 90},
        {"group": "compliance", "may": [*ACTIONS], "restricted": True, "sensitive": True},
    ],
    "reason_for": ["play", "download", "share"],
    "terms": {"version": "2026-11", "text": "Recordings are confidential.\nThey are for quality only."},
}
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 1.0, 0.5, 30, 36_500, 36_501, 1e300, "", " x", "x ", "x\n", "x\ny", "x\x00", "*", "**",
    "a*b", "*a*", "é", "\u2028", "\x85", "own", "all", "play", "Play", "hold", "x" * 200, "x" * 201, "x" * 6001,
    [], ["x"], ["*"], ["play"], ["play", "play"], ["play", 1], [[]], {}, {"version": "1"},
    {"version": "1", "text": "t"},
]  # fmt: skip
odd = (
    st.sampled_from(ODD) | st.lists(st.sampled_from(ODD), max_size=2) | st.text(max_size=4) | st.floats(allow_nan=False)
)
names = st.sampled_from(["group", "may", "scope", "queues", "days", "restricted", "Days", "terms", "grants", ""])


@given(near_valid(st.just(EXAMPLE), odd, names) | odd)
@example({"grants": [{"group": "a", "may": ["play"], "days": True}]})
@example({"grants": [{"group": "a", "may": ["play"], "days": 30.0}]})
@example({"grants": [{"group": "a\n", "may": ["play"]}]})
@example({"grants": [], "terms": None})
def test_parser_and_schema_agree(document: Any) -> None:
    valid = VALIDATOR.is_valid(document)
    try:
        parse_access(json.dumps(document))
    except AccessInvalidError as error:
        assert not valid or "8192" in str(error), (document, str(error))
        return
    assert valid, document


def test_example_is_read_as_it_is_written() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert parse_access(json.dumps(EXAMPLE)) == Access(
        (
            Grant("agents", ("search", "play"), scope="own"),
            Grant("team-leads", ("search", "play"), queues=("invoice_*",), days=90),
            Grant("compliance", ACTIONS, restricted=True, sensitive=True),
        ),
        ("play", "download", "share"),
        Terms("2026-11", "Recordings are confidential.\nThey are for quality only."),
    )


def test_absent_members_limit_nothing_and_allow_nothing_restricted() -> None:
    assert parse_access('{"grants": [{"group": "a", "may": ["play"]}]}') == Access(
        (Grant("a", ("play",), scope="all", queues=("*",), days=None, restricted=False, sensitive=False),)
    )


def with_grant(**members: Any) -> dict[str, Any]:
    return {"grants": [{"group": "a", "may": ["play"], **members}]}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "it is no proper JSON"),
        ('{"grants": [], "grants": []}', "an object has a member twice"),
        (
            {"grants": [], "terms": {"version": "1", "text": "x" * 5999}, "reason_for": ["play"] * 800},
            "over 8192 bytes",
        ),
        ([], "the access must be an object"),
        ({}, "grants is missing, or no list"),
        ({"grants": {}}, "grants is missing, or no list"),
        ({"grants": [], "users": []}, "the access has no member 'users'; known are grants, reason_for, terms"),
        ({"grants": [1]}, "grant number 1 must be an object"),
        ({"grants": [{"may": ["play"]}]}, "grant number 1: group is missing"),
        ({"grants": [{"group": "a"}]}, "grant number 1: may is missing"),
        (with_grant(group=""), "grant number 1: group must be a text on one line"),
        (with_grant(may=[]), "grant number 1: may must be a list of search, play"),
        (with_grant(may="play"), "grant number 1: may must be a list of search, play"),
        (with_grant(may=["listen"]), "grant number 1: may must be a list of search, play"),
        (with_grant(scope="team"), "grant number 1: scope must be one of all, own"),
        (with_grant(queues=[]), "grant number 1: queues must be a list of queues"),
        (with_grant(queues=["a*b"]), "grant number 1: queues must be a list of queues"),
        (with_grant(days=0), "grant number 1: days must be null, or a number of days from 1 to 36500"),
        (with_grant(day=30), "grant number 1 has no member 'day'; known are group, may, scope"),
        (with_grant(restricted="yes"), "grant number 1: restricted must be true or false"),
        ({"grants": [], "reason_for": ["search"]}, "reason_for must be a list of play, download, share"),
        ({"grants": [], "terms": {"version": "1"}}, "terms: text is missing"),
        ({"grants": [], "terms": "confidential"}, "terms must be an object"),
    ],
)
def test_one_wrong_member_refuses_all(document: Any, words: str) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(AccessInvalidError) as error:
        parse_access(text)
    assert words in str(error.value)
