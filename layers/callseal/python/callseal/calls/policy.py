"""A tenant's policy: a JSON object in an SSM parameter that decides how each call is recorded, kept and delivered.

A policy is an ordered table of rules. The first rule whose conditions a call meets decides about it, and `default`
decides about every other call. `calls.conditions` and `calls.members` declare the members.

Values are checked here and not by schemas/tenant-policy.schema.json, because loading a validator would slow each cold
start. tests/unit/calls/test_policy_schema.py compares the parser with the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from callseal.calls.classes import DEFAULT, MAX_COMPLIANCE_YEARS, Class
from callseal.calls.conditions import CONDITIONS, Call, CountryOf, Hashed, all_of
from callseal.calls.decisions import Decision, Outcome, Rule, decide
from callseal.calls.facts import Facts
from callseal.calls.members import CLASS, NAMES, OUTCOME
from callseal.calls.strict_json import StrictJsonError, object_of, parse_json, read_members, read_value
from callseal.core.errors import HeldError, NotJudgedError, Reason
from callseal.tenants.settings import TenantSettings

SCHEMA = 1
TOP = ("schema", "classes", "rules", "default")


@dataclass(frozen=True, slots=True)
class Policy:
    """A tenant's policy. `version` is the SHA-256 of the parameter's text; policies of one meaning are equal."""

    version: str = field(compare=False)
    classes: Mapping[str, Class]
    rules: tuple[Rule, ...]
    default: Decision

    @property
    def waits(self) -> bool:
        """Whether a recording waits for its metadata, because the metadata can change what is decided."""
        decisions = (self.default, *(rule.decision for rule in self.rules))
        return any(rule.when for rule in self.rules) or any(each.consent == "required" for each in decisions)

    def check_against(self, settings: TenantSettings) -> None:
        """Raise HeldError `PolicyInvalid` if a class keeps calls in an archive that the settings do not deliver to."""
        keeping = [name for name, each in self.classes.items() if each.keep]
        if keeping and not settings.deliver_to_archive:
            raise invalid(f"class {keeping[0]}: keep needs an archive, and the setting deliver_to_archive is false")

    def check_locks(self, years: int) -> None:
        """Raise HeldError `PolicyInvalid` if a class has the lock `compliance` for over the maximum of a stack."""
        for name, each in self.classes.items():
            _check_lock(f"class {name}", each, years)


def parse_policy(text: str) -> Policy:
    """Return the policy in a JSON text. Raise HeldError `PolicyInvalid` if the text is no policy."""
    try:
        return _parsed(text)
    except StrictJsonError as exc:
        raise invalid(str(exc)) from exc


def _parsed(text: str) -> Policy:
    members = object_of(parse_json(text), "the policy", TOP)
    # true equals 1 in Python.
    if isinstance(members.get("schema"), bool) or members.get("schema") != SCHEMA:
        raise invalid(f"schema must be {SCHEMA}")
    for name in ("rules", "default"):
        if name not in members:
            raise invalid(f"{name} is missing")
    classes = {DEFAULT: Class(), **_classes(members.get("classes", {}))}
    default = _decision("default", object_of(members["default"], "default", OUTCOME), classes)
    return Policy(sha256(text.encode()).hexdigest(), classes, _rules(members["rules"], classes), default)


def judge(policy: Policy, facts: Facts, country_of: CountryOf, hashed: Hashed | None = None) -> Outcome:
    """Return what the policy decides about a call.

    `hashed` is given for the facts of a blind card. Raise NotJudgedError if a rule that such a card cannot decide comes
    before the first one that the call meets: the call then keeps its outcome.
    """
    call = Call(facts, country_of, hashed)
    for rule in policy.rules:
        met = all_of(CONDITIONS[name].meets(wanted, call) for name, wanted in rule.when.items())
        if met is None:
            raise NotJudgedError(f"Rule {rule.name} cannot be judged by hashes.")
        if met:
            return decide(rule.name, rule.decision, facts)
    return decide(DEFAULT, policy.default, facts)


def default_outcome(policy: Policy) -> Outcome:
    """Return what the policy decides about a call whose metadata never came.

    It is decided by the first rule without conditions, which every call meets, or else by `default`.
    """
    unconditional = (rule for rule in policy.rules if not rule.when)
    rule = next(unconditional, Rule(DEFAULT, {}, policy.default))
    return decide(rule.name, rule.decision, Facts())


def invalid(why: str) -> HeldError:
    """Return the error of a policy that cannot be used; `why` completes its sentence."""
    return HeldError(
        Reason.POLICY_INVALID,
        f"The tenant's policy cannot be used: {why}. Correct it in the parameter .../policy.",
    )


def _classes(value: Any) -> dict[str, Class]:
    if not isinstance(value, dict):
        raise invalid("classes must be an object")
    return {_name(name, "a class"): _class(f"class {name}", members) for name, members in value.items()}


def _class(where: str, value: Any) -> Class:
    read = read_members(where, object_of(value, where, CLASS), CLASS)
    found = Class(**read)
    if found.lock != "none" and found.keep is None:
        raise invalid(f"{where}: lock needs keep, which says until when")
    _check_lock(where, found, MAX_COMPLIANCE_YEARS)
    return found


def _check_lock(where: str, class_: Class, years: int) -> None:
    if not class_.may_be_locked(years):
        raise invalid(f"{where}: keep is over {years} years, which lock compliance does not take in this stack")


def _rules(value: Any, classes: Mapping[str, Class]) -> tuple[Rule, ...]:
    if not isinstance(value, list):
        raise invalid("rules must be a list")
    rules = tuple(_rule(number, each, classes) for number, each in enumerate(value, 1))
    names = [rule.name for rule in rules]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise invalid(f"there are two rules {twice}")
    return rules


def _rule(number: int, value: Any, classes: Mapping[str, Class]) -> Rule:
    members = object_of(value, f"rule number {number}", ("rule", "when", *OUTCOME))
    name = _name(members.pop("rule", None), f"rule number {number}")
    if name == DEFAULT:
        raise invalid(f"rule number {number}: the name {DEFAULT} is reserved for calls that no rule is for")
    where = f"rule {name}"
    if "when" not in members:
        raise invalid(f"{where}: when is missing; {{}} is for every call")
    conditions = {name: condition.member for name, condition in CONDITIONS.items()}
    given = object_of(members.pop("when"), f"{where}: when", conditions)
    when = {name: read_value(f"{where}: when", name, each, conditions[name]) for name, each in given.items()}
    return Rule(name, when, _decision(where, members, classes))


def _decision(where: str, members: Mapping[str, Any], classes: Mapping[str, Class]) -> Decision:
    read = read_members(where, members, OUTCOME)
    name = read.pop("class")
    if name not in classes:
        raise invalid(f"{where}: class must be one of classes")
    return Decision(class_=name, **read)


def _name(value: Any, where: str) -> str:
    try:
        return str(NAMES.read(value))
    except ValueError as exc:
        raise invalid(f"the name of {where} must be {NAMES.wanted}") from exc
