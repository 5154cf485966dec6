"""Policies and facts of calls for the tests of the policy, by hand and at random."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from callseal.calls.facts import CONSENTS, DIRECTIONS, Facts, Flags
from callseal.calls.policy import Policy, parse_policy

ENDED = datetime(2026, 11, 23, 10, 11, 12, tzinfo=UTC)
DESIGN: dict[str, Any] = {
    "schema": 1,
    "classes": {
        "default": {"keep": None, "delete_after": "90d", "lock": "none", "basis": "GDPR art. 6(1)(f): quality"},
        "orders": {
            "keep": "5y",
            "delete_after": "7y",
            "lock": "compliance",
            "basis": "Directive 2014/65/EU art. 16(7)",
        },
    },
    "rules": [
        {"rule": "orders", "when": {"queue": ["trading-*"]}, "class": "orders", "record": "must"},
        {"rule": "caller-refused", "when": {"denied": True}, "record": "never"},
        {"rule": "by-law-only", "when": {"restricted": True}, "restricted": True},
    ],
    "default": {"class": "default", "record": "may", "consent": "none"},
}


def policy(*rules: dict[str, Any], default: dict[str, Any] | None = None, **classes: Any) -> Policy:
    """Return a policy with these rules; those without a name get one."""
    named = [{"rule": f"r{number}", **rule} for number, rule in enumerate(rules)]
    return parse_policy(json.dumps({"schema": 1, "classes": classes, "rules": named, "default": default or {}}))


def country_of(number: str) -> str | None:
    """Return the country of a few numbers, as a stand-in for the real look-up."""
    return {"+47": "NO", "+46": "SE", "+45": "DK"}.get(number[:3])


def hashed(kind: str, text: str) -> str:
    """Return a stand-in for the keyed hash of a fact."""
    return f"hash of {kind} {text}"


NAMES = [f"{kind}-{number}" for kind in ("desk", "trading") for number in range(3)]
ODD = ["Sales, Oslo", 'the "loud" one', "a|b", "=1+1", "+", "-", "@x", "'x", "''", "1-2", "TRUE", "æøå", "a;b", "01"]
words = st.sampled_from([*NAMES, *ODD])
patterns = st.sampled_from([*NAMES, "*", "trading*", "*-1", "*ing*", "x*"]) | words
flags = st.builds(
    Flags, *[st.booleans()] * 3, consent=st.sampled_from(CONSENTS), paused=st.booleans(), agent_accepted=st.booleans()
)
numbers = st.sampled_from([None, "+4722334455", "+4670123456", "raw:1881"])
facts = st.builds(
    Facts,
    session_id=st.none() | st.sampled_from(["4711", "4712_1", "x"]),
    seconds=st.none() | st.sampled_from([0, 9.5, 60, 3600]),
    direction=st.none() | st.sampled_from(DIRECTIONS),
    caller=numbers,
    callee=numbers,
    agent=st.none() | words,
    queue=st.none() | words,
    flags=flags,
)


def _lists(items: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(items, min_size=1, max_size=3)


seconds = st.dictionaries(
    st.sampled_from(["min", "max"]), st.integers(0, 99) | st.sampled_from([0.5, 60.25]), min_size=1
)
whens = st.fixed_dictionaries(
    {},
    optional={
        "queue": _lists(patterns),
        "agent": _lists(patterns),
        "session_prefix": _lists(patterns),
        "direction": _lists(st.sampled_from([*DIRECTIONS, "*", "in*"])),
        "consent": _lists(st.sampled_from([*CONSENTS, "*n*"])),
        "country": _lists(st.sampled_from(["NO", "SE", "DK"])),
        "number_prefix": _lists(st.sampled_from(["+4", "+47", "+4670"])),
        "seconds": seconds.filter(lambda each: each.get("min", 0) <= each.get("max", 99)),
        **dict.fromkeys(["restricted", "sensitive", "denied", "paused", "agent_accepted"], st.booleans()),
    },
)
durations = st.builds("{}{}".format, st.integers(0, 120), st.sampled_from("hdm")) | st.sampled_from(["5y", "10y", "7y"])
classes = st.fixed_dictionaries(
    {},
    optional={
        "keep": st.none() | durations,
        "delete_after": st.none() | durations,
        "basis": st.just("") | words,
    },
) | st.fixed_dictionaries({"keep": durations, "lock": st.sampled_from(["none", "governance", "compliance"])})
CLASS_NAMES = ["default", "orders", "2014-65"]
outcomes = st.fixed_dictionaries(
    {},
    optional={
        "class": st.sampled_from(CLASS_NAMES),
        "record": st.sampled_from(["may", "must", "never"]),
        "consent": st.sampled_from(["none", "required"]),
        **dict.fromkeys(["restricted", "sensitive", "archive"], st.booleans()),
    },
)
rules = st.builds(lambda when, outcome: {"when": when, **outcome}, whens, outcomes)
documents = st.builds(
    lambda found, given, default: {
        "schema": 1,
        "classes": found,
        "rules": [{"rule": f"r{number}", **rule} for number, rule in enumerate(given)],
        "default": default,
    },
    st.fixed_dictionaries(dict.fromkeys(CLASS_NAMES, classes)),
    st.lists(rules, max_size=5),
    outcomes,
)
policies = documents.map(lambda document: parse_policy(json.dumps(document)))
