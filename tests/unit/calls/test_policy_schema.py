"""The text of a policy: what is refused and in which words, and that the schema for editors says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from callseal.calls.policy import parse_policy
from callseal.calls.strict_json import MAX_BYTES
from callseal.core.errors import HeldError, Reason
from tests.support.near_valid import near_valid
from tests.unit.calls import policies as policies
from tests.unit.calls.policies import DESIGN

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "tenant-policy.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
RULE = {"rule": "r", "when": {}}
# What a schema cannot say.
ONLY_IN_CODE = (
    "class must be one of classes",
    "there are two rules",
    "min not over max",
    "over 30 years",
    "over 8192 bytes",
)
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 1.0, 0.5, 1_000_000, 1_000_001, "", " x", "x ", "x\n", "x\ny", "*", "**", "a*b", "*a*",
    "é", "\u2028",
    "\x85", "NO", "no", "NOR", "N", "+47", "47", "+0", "+47*", "incoming", "Incoming", "given",
    "in*", "must", "5y", "5Y", "05y", "compliance",
    "default", "orders", "12345678", "a1234567", "x" * 65, "x" * 200, "x" * 201, [], ["x"], ["*"], ["NO", 1],
    [[]], {}, {"min": 1},
    {"min": 2, "max": 1}, {"min": -1}, {"min": True}, {"most": 1}, {"max": "1"},
]  # fmt: skip
odd = (
    st.sampled_from(ODD) | st.lists(st.sampled_from(ODD), max_size=2) | st.text(max_size=4) | st.floats(allow_nan=False)
)
odd_names = st.sampled_from(
    ["rule", "when", "keep", "lock", "queue", "seconds", "Record", "schema", "country", "", "é", "denied"]
)


def refusal(document: Any) -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(HeldError) as held:
        parse_policy(text)
    assert held.value.reason is Reason.POLICY_INVALID
    sentence = str(held.value)
    assert sentence.startswith("The tenant's policy cannot be used: ")
    assert sentence.endswith("Correct it in the parameter .../policy.")
    assert len(sentence) < 600
    return sentence


def changed(**members: Any) -> dict[str, Any]:
    return {**DESIGN, **members}


def with_rule(**members: Any) -> dict[str, Any]:
    return changed(rules=[{**RULE, **members}])


def with_class(**members: Any) -> dict[str, Any]:
    return changed(classes={**DESIGN["classes"], "x": members})


@given(near_valid(policies.documents, odd, odd_names) | odd)
@example({"schema": True, "rules": [], "default": {}})
@example({"schema": 1.0, "rules": [], "default": {}})
@example({"schema": 1, "rules": [{"rule": "r\n", "when": {}}], "default": {}})
@example(with_class(lock="governance"))
@example(with_class(lock="governance", keep="1y"))
def test_parser_and_schema_agree(document: Any) -> None:
    valid = VALIDATOR.is_valid(document)
    try:
        parse_policy(json.dumps(document))
    except HeldError as held:
        assert held.reason is Reason.POLICY_INVALID
        assert not valid or any(words in str(held) for words in ONLY_IN_CODE), (document, str(held))
        return
    assert valid, document


def test_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert VALIDATOR.is_valid(DESIGN)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (changed(schema=2), "schema must be 1"),
        (changed(schema=True), "schema must be 1"),
        (changed(schema="1"), "schema must be 1"),
        (changed(schema=None), "schema must be 1"),
        ({"schema": 1, "default": {}}, "rules is missing"),
        ({"schema": 1, "rules": []}, "default is missing"),
        (changed(extra=1), "the policy has no member 'extra'; known are schema, classes, rules, default"),
        (changed(rules={}), "rules must be a list"),
        (changed(rules=[1]), "rule number 1 must be an object"),
        (changed(rules=[{"when": {}}]), "the name of rule number 1 must be"),
        (changed(rules=[{"rule": "default", "when": {}}]), "the name default is reserved"),
        (changed(rules=[{"rule": "x"}]), "rule x: when is missing"),
        (changed(rules=[RULE, RULE]), "there are two rules r"),
        (with_rule(keep="5y"), "rule number 1 has no member 'keep'"),
        (with_rule(record="maybe"), "rule r: record must be one of may, must, never"),
        (with_rule(consent="informed"), "rule r: consent must be one of none, required"),
        (with_rule(restricted="true"), "rule r: restricted must be true or false"),
        (with_rule(archive=0), "rule r: archive must be true or false"),
        (with_rule(**{"class": "mifid"}), "rule r: class must be one of classes"),
        (with_rule(**{"class": None}), "rule r: class must be the name of a class"),
        (with_rule(when={"Queue": ["x"]}), "rule r: when has no member 'Queue'"),
        (with_rule(when={"queue": "x"}), "rule r: when: queue must be a list of texts"),
        (with_rule(when={"queue": []}), "rule r: when: queue must be a list of texts"),
        (with_rule(when={"queue": ["a*b"]}), "rule r: when: queue must be a list of texts"),
        (with_rule(when={"queue": [" a"]}), "rule r: when: queue must be a list of texts"),
        (with_rule(when={"country": ["no"]}), "rule r: when: country must be a list of ISO codes"),
        (with_rule(when={"country": ["N*"]}), "rule r: when: country must be a list of ISO codes"),
        (
            with_rule(when={"number_prefix": ["47"]}),
            "rule r: when: number_prefix must be a list of beginnings of E.164",
        ),
        (with_rule(when={"number_prefix": ["+47*"]}), "rule r: when: number_prefix must be"),
        (with_rule(when={"direction": ["Incoming"]}), "rule r: when: direction must be a list of incoming, outgoing"),
        (with_rule(when={"consent": ["yes"]}), "rule r: when: consent must be a list of given, denied"),
        (with_rule(when={"seconds": {}}), "rule r: when: seconds must be an object with min"),
        (with_rule(when={"seconds": {"min": 2, "max": 1}}), "rule r: when: seconds must be"),
        (with_rule(when={"denied": "yes"}), "rule r: when: denied must be true or false"),
        (with_rule(when=[]), "rule r: when must be an object"),
        (changed(default={"class": "mifid"}), "default: class must be one of classes"),
        (changed(default={"when": {}}), "default has no member 'when'"),
        (changed(default=[]), "default must be an object"),
        (changed(classes=[]), "classes must be an object"),
        (changed(classes={"+4722334455": {}}), "the name of a class must be"),
        (changed(classes={"x": None}), "class x must be an object"),
        (with_class(keep="5 years"), "class x: keep must be null, or a number of hours"),
        (with_class(keep=5), "class x: keep must be null"),
        (with_class(delete_after="05y"), "class x: delete_after must be null"),
        (with_class(lock="worm"), "class x: lock must be one of none, governance, compliance"),
        (with_class(lock="governance"), "class x: lock needs keep"),
        (with_class(lock="compliance", keep="31y"), "class x: keep is over 30 years"),
        (with_class(lock="compliance", keep="361m"), "class x: keep is over 30 years"),
        (with_class(basis="a\nb"), "class x: basis must be"),
        (with_class(purpose="x"), "class x has no member 'purpose'"),
    ],
    ids=str,
)
def test_wrong_policy_is_refused_with_rule_and_member(document: dict[str, Any], words: str) -> None:
    assert words in refusal(document)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "schema: 1", "\ufeff{}", "[" * 8000, '{"a":' * 1000, "1" * 8000,
        '{"schema": 1, "schema": 1}',
        '{"schema": 1, "rules": [], "default": {"class": "default", "class": "default"}}', json.dumps(DESIGN) + "x",
        '{"schema": 1, "rules": [{"rule": "r", "when": {"seconds": {"min": NaN}}}], "default": {}}',
        '{"schema": 1, "rules": [{"rule": "r", "when": {"seconds": {"max": 1e999}}}], "default": {}}', "\ud800",
    ],
)  # fmt: skip
def test_text_that_is_no_policy_is_refused(text: str) -> None:
    refusal(text)


@pytest.mark.parametrize("number", ["+4722334455", "22334455", "MIIEvQIBADANBgkqhkiG9w0BAQ"])
def test_value_that_may_be_a_number_or_a_key_is_not_repeated(number: str) -> None:
    wrong: list[dict[str, Any]] = [
        changed(**{number: 1}), with_rule(**{number: 1}), with_rule(when={number: 1}), with_rule(record=number),
        with_rule(**{"class": number}), with_rule(when={"country": [number]}),
        with_rule(when={"queue": [f"{number}*x"]}),
        with_class(keep=number), with_class(**{number: 1}), changed(schema=number),
        changed(rules=[{"rule": f"{number}+", "when": {}}]), changed(classes={f"{number}+": {}}),
    ]  # fmt: skip
    for document in wrong:
        assert number not in refusal(document)


def test_text_may_have_8_kb() -> None:
    text = json.dumps(DESIGN)
    parse_policy(text + " " * (MAX_BYTES - len(text)))
    assert "over 8192 bytes" in refusal(text + " " * (MAX_BYTES - len(text) + 1))
    assert "over 8192 bytes" in refusal("é" * 4097)


def test_class_that_keeps_longer_than_ten_years_is_fine_without_lock_compliance() -> None:
    for lock in ("none", "governance"):
        parse_policy(json.dumps(with_class(keep="30y", lock=lock)))


@given(st.text())
def test_arbitrary_text_is_a_policy_or_is_refused(text: str) -> None:
    try:
        parse_policy(text)
    except HeldError as held:
        assert held.reason is Reason.POLICY_INVALID
