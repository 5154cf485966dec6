"""What a policy decides: each condition, each outcome, and the order of rules."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.calls.decisions import Outcome
from callseal.calls.facts import Facts, Flags
from callseal.calls.policy import Policy, default_outcome, judge, parse_policy
from callseal.core.errors import HeldError, NotJudgedError, Reason
from callseal.tenants.settings import TenantSettings
from tests.unit.calls import policies as example
from tests.unit.calls.policies import DESIGN, country_of, hashed, policy

CALL = Facts(
    session_id="4711", seconds=60, direction="incoming", caller="+4722334455", callee="+4623456789", agent="kari",
    queue="trading-oslo",
)  # fmt: skip


def judged(found: Policy, facts: Facts) -> Outcome:
    return judge(found, facts, country_of)


def flagged(**flags: Any) -> Facts:
    return Facts(flags=Flags(**flags))


# ---- conditions -----------------------------------------------------------------------------------------------------

MET: list[tuple[dict[str, Any], Facts]] = [
    ({}, Facts()),
    ({"queue": ["trading-oslo"]}, CALL),
    ({"queue": ["trading-*"]}, CALL),
    ({"queue": ["*-oslo"]}, CALL),
    ({"queue": ["*ding-o*"]}, CALL),
    ({"queue": ["*"]}, CALL),
    ({"queue": ["trading-oslo*"]}, CALL),
    ({"queue": ["sales", "trading-*"]}, CALL),
    ({"agent": ["kari"]}, CALL),
    ({"agent": ["k*"]}, CALL),
    ({"direction": ["incoming"]}, CALL),
    ({"direction": ["outgoing", "incoming"]}, CALL),
    ({"direction": ["in*"]}, CALL),
    ({"direction": ["*"]}, CALL),
    ({"country": ["NO"]}, CALL),
    ({"country": ["DK", "NO"]}, CALL),
    ({"country": ["SE"]}, replace(CALL, direction="outgoing")),
    ({"country": ["NO"]}, replace(CALL, direction="internal")),
    ({"country": ["NO"]}, replace(CALL, direction=None)),
    ({"number_prefix": ["+47"]}, CALL),
    ({"number_prefix": ["+4722334455"]}, CALL),
    ({"number_prefix": ["+46"]}, replace(CALL, direction="outgoing")),
    ({"session_prefix": ["47"]}, CALL),
    ({"session_prefix": ["4711"]}, CALL),
    ({"session_prefix": ["47*"]}, CALL),
    ({"session_prefix": ["*11"]}, CALL),
    ({"restricted": True}, flagged(restricted=True)),
    ({"restricted": False}, Facts()),
    ({"sensitive": True}, flagged(sensitive=True)),
    ({"sensitive": False}, Facts()),
    ({"denied": True}, flagged(denied=True)),
    ({"denied": False}, Facts()),
    ({"paused": True}, flagged(paused=True)),
    ({"agent_accepted": True}, flagged(agent_accepted=True)),
    ({"agent_accepted": False}, Facts()),
    ({"consent": ["unknown"]}, Facts()),
    ({"consent": ["given", "denied"]}, flagged(consent="denied")),
    ({"consent": ["*"]}, flagged(consent="not_asked")),
    ({"seconds": {"min": 60}}, CALL),
    ({"seconds": {"max": 60}}, CALL),
    ({"seconds": {"min": 59.5, "max": 60.5}}, CALL),
    ({"seconds": {"min": 0}}, replace(CALL, seconds=0)),
    ({"queue": ["trading-*"], "direction": ["incoming"], "denied": False, "seconds": {"min": 1}}, CALL),
]
NOT_MET: list[tuple[dict[str, Any], Facts]] = [
    ({"queue": ["trading"]}, CALL),
    ({"queue": ["Trading-*"]}, CALL),
    ({"queue": ["trading-oslo-*"]}, CALL),
    ({"queue": ["*-osl"]}, CALL),
    ({"queue": ["*"]}, Facts()),
    ({"queue": ["*"]}, replace(CALL, queue=None)),
    ({"agent": ["*"]}, Facts()),
    ({"agent": ["Kari"]}, CALL),
    ({"direction": ["outgoing"]}, CALL),
    ({"direction": ["*"]}, Facts()),
    ({"country": ["SE"]}, CALL),
    ({"country": ["NO"]}, Facts()),
    ({"country": ["NO"]}, replace(CALL, caller="+99912345")),
    ({"country": ["NO"]}, replace(CALL, direction="outgoing")),
    ({"number_prefix": ["+46"]}, CALL),
    ({"number_prefix": ["+47"]}, Facts()),
    ({"number_prefix": ["+4"]}, replace(CALL, caller="raw:4722334455")),
    ({"session_prefix": ["711"]}, CALL),
    ({"session_prefix": ["*"]}, Facts()),
    ({"restricted": True}, Facts()),
    ({"restricted": False}, flagged(restricted=True)),
    ({"sensitive": True}, flagged(restricted=True)),
    ({"denied": True}, flagged(consent="denied")),
    ({"paused": False}, flagged(paused=True)),
    ({"agent_accepted": True}, flagged(informed=True)),
    ({"consent": ["given"]}, Facts()),
    ({"consent": ["given"]}, flagged(consent="not_asked")),
    ({"seconds": {"min": 60.5}}, CALL),
    ({"seconds": {"max": 59}}, CALL),
    ({"seconds": {"min": 0}}, Facts()),
    ({"queue": ["trading-*"], "denied": True}, CALL),
]


@pytest.mark.parametrize(("when", "facts"), MET, ids=str)
def test_call_meets_the_rule(when: dict[str, Any], facts: Facts) -> None:
    assert judged(policy({"when": when}), facts).rule == "r0"


@pytest.mark.parametrize(("when", "facts"), NOT_MET, ids=str)
def test_call_does_not_meet_the_rule(when: dict[str, Any], facts: Facts) -> None:
    assert judged(policy({"when": when}), facts).rule == "default"


def test_every_condition_is_in_both_tables() -> None:
    from callseal.calls.conditions import CONDITIONS

    for table in (MET, NOT_MET):
        assert {name for when, _ in table for name in when} == {*CONDITIONS}


def test_country_is_not_asked_for_a_number_that_is_none() -> None:
    found = policy({"when": {"country": ["NO"]}})
    assert judge(found, replace(CALL, caller="raw:1881"), lambda number: pytest.fail(number)).rule == "default"


# ---- outcomes -------------------------------------------------------------------------------------------------------

PLAIN = Outcome("r0", "default", "may", "none", False, False, True, False, None)
GIVEN, REFUSED, DENIED = flagged(consent="given"), flagged(consent="denied"), flagged(denied=True)
OUTCOMES: list[tuple[dict[str, Any], Facts, dict[str, Any]]] = [
    ({}, Facts(), {}),
    ({}, DENIED, {}),
    ({"class": "orders"}, Facts(), {"class_": "orders"}),
    ({"archive": False}, Facts(), {"archive": False}),
    ({"restricted": True}, Facts(), {"restricted": True}),
    ({"restricted": False}, flagged(restricted=True), {"restricted": True}),
    ({"sensitive": True}, Facts(), {"sensitive": True}),
    ({}, flagged(sensitive=True), {"sensitive": True}),
    ({"sensitive": True, "archive": False}, Facts(), {"sensitive": True, "archive": False}),
    ({"record": "never"}, Facts(), {"held": Reason.RECORDING_DENIED}),
    ({"record": "never"}, GIVEN, {"held": Reason.RECORDING_DENIED}),
    ({"record": "never", "consent": "required"}, Facts(), {"held": Reason.RECORDING_DENIED}),
    ({"record": "must"}, Facts(), {}),
    ({"record": "must"}, DENIED, {"restricted": True, "denied": True}),
    ({"record": "must"}, REFUSED, {"restricted": True, "denied": True}),
    ({"record": "must", "restricted": False}, DENIED, {"restricted": True, "denied": True}),
    ({"record": "must", "consent": "required"}, REFUSED, {"restricted": True, "denied": True}),
    ({"record": "must", "consent": "required"}, Facts(), {"restricted": True}),
    ({"record": "must", "consent": "required"}, GIVEN, {}),
    ({"consent": "required"}, GIVEN, {}),
    ({"consent": "required"}, Facts(), {"held": Reason.CONSENT_MISSING}),
    ({"consent": "required"}, REFUSED, {"held": Reason.CONSENT_MISSING}),
    ({"consent": "required"}, flagged(consent="not_asked"), {"held": Reason.CONSENT_MISSING}),
]


@pytest.mark.parametrize(("members", "facts", "changes"), OUTCOMES, ids=str)
def test_outcome_of_a_rule(members: dict[str, Any], facts: Facts, changes: dict[str, Any]) -> None:
    said = {name: members[name] for name in ("record", "consent") if name in members}
    expected = replace(PLAIN, **said, **changes)
    assert judged(policy({"when": {}, **members}, orders={}), facts) == expected
    # The same members in `default`.
    assert judged(policy(default=members, orders={}), facts) == replace(expected, rule="default")
    assert expected.needs_sealed_archive is (expected.restricted or expected.sensitive)


def test_missing_members_of_a_rule_never_come_from_default() -> None:
    default = {
        "class": "orders",
        "record": "never",
        "consent": "required",
        "restricted": True,
        "sensitive": True,
        "archive": False,
    }
    found = policy({"when": {}}, default=default, orders={})
    assert judged(found, Facts()) == PLAIN


def test_first_rule_wins() -> None:
    found = policy({"when": {"queue": ["trading-*"]}}, {"when": {"agent": ["kari"]}}, {"when": {}})
    assert judged(found, CALL).rule == "r0"
    assert judged(found, replace(CALL, queue="sales")).rule == "r1"
    assert judged(found, Facts()).rule == "r2"


def test_policy_of_the_documentation() -> None:
    found = parse_policy(json.dumps(DESIGN))
    assert judged(found, CALL) == Outcome("orders", "orders", "must", "none", False, False, True, False, None)
    assert judged(found, replace(CALL, flags=Flags(denied=True))).denied
    assert judged(found, DENIED).held is Reason.RECORDING_DENIED
    assert judged(found, flagged(restricted=True)).rule == "by-law-only"
    assert judged(found, Facts()).rule == "default"


# ---- the policy as a whole ------------------------------------------------------------------------------------------


def test_version_is_the_hash_of_the_text() -> None:
    texts = [json.dumps(DESIGN), json.dumps(DESIGN, indent=1)]
    versions = [parse_policy(text).version for text in texts]
    assert versions == [sha256(text.encode()).hexdigest() for text in texts]
    assert parse_policy(texts[0]) == parse_policy(texts[1])


@pytest.mark.parametrize(
    ("rules", "default", "waits"),
    [
        ([], {}, False),
        ([{"when": {}}], {}, False),
        ([{"when": {}, "record": "never"}], {"record": "must"}, False),
        ([{"when": {"denied": False}}], {}, True),
        ([{"when": {}}, {"when": {"queue": ["*"]}}], {}, True),
        ([{"when": {}, "consent": "required"}], {}, True),
        ([], {"consent": "required"}, True),
    ],
)
def test_recordings_wait_if_metadata_can_change_the_outcome(
    rules: list[dict[str, Any]], default: dict[str, Any], waits: bool
) -> None:
    assert policy(*rules, default=default).waits is waits


@given(example.policies, example.facts, example.facts)
def test_policy_that_does_not_wait_holds_whatever_the_metadata_says(found: Policy, one: Facts, other: Facts) -> None:
    if not found.waits:
        first, second = judged(found, one), judged(found, other)
        assert (first.rule, first.held, first.class_) == (second.rule, second.held, second.class_)


def test_metadata_that_never_came_is_decided_by_default() -> None:
    found = policy({"when": {"denied": False}, "record": "must"}, default={"restricted": True})
    assert default_outcome(found) == replace(PLAIN, rule="default", restricted=True)
    assert default_outcome(policy(default={"consent": "required"})).held is Reason.CONSENT_MISSING


def test_rule_without_conditions_decides_without_metadata_too() -> None:
    found = policy({"when": {"queue": ["*"]}}, {"when": {}, "record": "never"}, default={"record": "must"})
    assert (default_outcome(found).rule, default_outcome(found).held) == ("r1", Reason.RECORDING_DENIED)


def test_class_that_keeps_needs_an_archive() -> None:
    with_archive, without = TenantSettings(deliver_to_archive=True), TenantSettings()
    keeping = policy(orders={"keep": "5y"})
    keeping.check_against(with_archive)
    policy(orders={"delete_after": "5y"}).check_against(without)
    with pytest.raises(HeldError, match="class orders: keep needs an archive") as held:
        keeping.check_against(without)
    assert held.value.reason is Reason.POLICY_INVALID


def test_class_is_not_locked_for_longer_than_the_stack_takes() -> None:
    orders = policy(orders={"keep": "5y", "lock": "compliance"})
    orders.check_locks(5)
    with pytest.raises(HeldError, match="class orders: keep is over 4 years") as held:
        orders.check_locks(4)
    assert held.value.reason is Reason.POLICY_INVALID
    policy(orders={"keep": "5y", "lock": "governance"}).check_locks(4)


@given(example.policies, example.rules, example.facts)
def test_rule_at_the_end_changes_nothing_above_it(found: Policy, added: dict[str, Any], facts: Facts) -> None:
    extra = policy(added, **{name: {} for name in example.CLASS_NAMES}).rules[0]
    longer = replace(found, rules=(*found.rules, replace(extra, name="added")))
    before, after = judged(found, facts), judged(longer, facts)
    assert after == before or (before.rule, after.rule) == ("default", "added")


@given(example.policies, example.facts, st.randoms())
def test_order_of_conditions_and_values_never_changes_an_outcome(found: Policy, facts: Facts, random: Any) -> None:
    def shuffled(when: dict[str, Any]) -> dict[str, Any]:
        items = [
            (name, tuple(random.sample(each, len(each))) if isinstance(each, tuple) else each)
            for name, each in when.items()
        ]
        return dict(random.sample(items, len(items)))

    other = replace(found, rules=tuple(replace(rule, when=shuffled(dict(rule.when))) for rule in found.rules))
    assert judged(found, facts) == judged(other, facts) == judged(found, facts)


@given(example.policies, example.facts)
def test_what_is_never_recorded_is_always_held_and_what_must_be_never(found: Policy, facts: Facts) -> None:
    outcome = judged(found, facts)
    assert (outcome.record == "never") is (outcome.held is Reason.RECORDING_DENIED)
    assert outcome.record != "must" or outcome.held is None
    assert not outcome.denied or outcome.restricted


# ---- blind cards ----------------------------------------------------------------------------------------------------


def blind(facts: Facts) -> Facts:
    def of(kind: str, text: str | None) -> str | None:
        return text if text is None else hashed(kind, text)

    return replace(
        facts, caller=of("number", facts.caller), callee=of("number", facts.callee), agent=of("agent", facts.agent),
        queue=of("queue", facts.queue),
    )  # fmt: skip


BLIND: list[tuple[dict[str, Any], str | None]] = [
    ({"queue": ["trading-oslo"]}, "r0"),
    ({"queue": ["sales"]}, "default"),
    ({"queue": ["*"]}, "r0"),
    ({"queue": ["trading-*"]}, None),
    ({"queue": ["trading-oslo", "x*"]}, "r0"),
    ({"queue": ["x*"], "denied": True}, "default"),
    ({"queue": ["x*"], "denied": False}, None),
    ({"agent": ["kari"]}, "r0"),
    ({"agent": ["trading-oslo"]}, "default"),
    ({"agent": ["k*"]}, None),
    ({"country": ["NO"]}, None),
    ({"number_prefix": ["+47"]}, None),
    ({"number_prefix": ["+47"], "direction": ["outgoing"]}, "default"),
    ({"session_prefix": ["47"], "direction": ["in*"], "seconds": {"min": 1}}, "r0"),
]


@pytest.mark.parametrize(("when", "rule"), BLIND, ids=str)
def test_blind_card_is_judged_by_hashes(when: dict[str, Any], rule: str | None) -> None:
    found = policy({"when": when})
    if rule:
        assert judge(found, blind(CALL), country_of, hashed).rule == rule
        return
    with pytest.raises(NotJudgedError, match="Rule r0"):
        judge(found, blind(CALL), country_of, hashed)


def test_rule_that_cannot_be_judged_below_the_first_match_decides_nothing() -> None:
    found = policy({"when": {"queue": ["trading-oslo"]}}, {"when": {"number_prefix": ["+47"]}})
    assert judge(found, blind(CALL), country_of, hashed).rule == "r0"


@pytest.mark.parametrize("when", [{"number_prefix": ["+47"]}, {"country": ["NO"]}, {"queue": ["x*"]}])
def test_fact_that_is_absent_from_a_blind_card_is_not_met(when: dict[str, Any]) -> None:
    assert judge(policy({"when": when}), Facts(), country_of, hashed).rule == "default"


@given(example.policies, example.facts)
def test_blind_card_is_judged_like_a_plain_one_or_not_at_all(found: Policy, facts: Facts) -> None:
    try:
        outcome = judge(found, blind(facts), country_of, hashed)
    except NotJudgedError:
        return
    assert outcome == judged(found, facts)


# ---- the sealing path -----------------------------------------------------------------------------------------------


def test_policy_is_imported_without_parsers_numbers_or_aws() -> None:
    needless = {"boto3", "botocore", "phonenumbers", "pyexpat", "xml", "csv", "callseal.calls.numbers"}
    script = f"import sys, callseal.calls.policy; print(sorted(set(sys.modules) & {needless!r}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
