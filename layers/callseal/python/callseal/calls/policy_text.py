"""The JSON text of a policy: one line a class and a rule, without members that have their default."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from callseal.calls.classes import Class, Duration
from callseal.calls.conditions import CONDITIONS
from callseal.calls.decisions import Decision, Rule
from callseal.calls.members import CLASS, OUTCOME, Member
from callseal.calls.policy import SCHEMA, Policy


def policy_text(policy: Policy) -> str:
    """Return a text whose policy equals this one."""
    members = policy_members(policy)
    classes = [f"  {_json(name)}: {_json(each)}" for name, each in members["classes"].items()]
    rules = [f"  {_json(rule)}" for rule in members["rules"]]
    return (
        f'{{"schema": {SCHEMA},\n "classes": {{{_lines(classes)}}},\n "rules": [{_lines(rules)}],\n'
        f' "default": {_json(members["default"])}}}\n'
    )


def policy_members(policy: Policy) -> dict[str, Any]:
    """Return the policy as JSON values."""
    classes = {name: class_members(each) for name, each in policy.classes.items()}
    return {
        "schema": SCHEMA,
        "classes": classes,
        "rules": [_rule_members(rule) for rule in policy.rules],
        "default": decision_members(policy.default),
    }


def class_members(class_: Class) -> dict[str, Any]:
    """Return the members of a class as JSON values, without those that have their default."""
    given = {name: getattr(class_, name) for name in CLASS}
    return _unless_default(
        {name: str(each) if isinstance(each, Duration) else each for name, each in given.items()}, CLASS
    )


def decision_members(decision: Decision) -> dict[str, Any]:
    """Return the outcome members of a rule as JSON values; a `class` is always named."""
    given = {name: getattr(decision, "class_" if name == "class" else name) for name in OUTCOME}
    return {"class": decision.class_} | _unless_default(given, OUTCOME)


def _rule_members(rule: Rule) -> dict[str, Any]:
    values = {name: list(wanted) if isinstance(wanted, tuple) else wanted for name, wanted in rule.when.items()}
    when = {name: values[name] for name in CONDITIONS if name in values}
    return {"rule": rule.name, "when": when, **decision_members(rule.decision)}


def _unless_default(given: Mapping[str, Any], members: Mapping[str, Member]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value != members[name].default}


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"\n{line}," for line in lines).removesuffix(",")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
