"""The JSON Schema of a tenant's policy, from `callseal.calls.members` and `callseal.calls.conditions`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from callseal.calls.conditions import CONDITIONS
from callseal.calls.members import CLASS, NAMES, OUTCOME, Member
from callseal.calls.policy import SCHEMA

RULE_NAME = {"allOf": [NAMES.schema, {"not": {"const": "default"}}]}
LOCKED = {"required": ["lock"], "properties": {"lock": {"enum": ["governance", "compliance"]}}}
KEPT = {"required": ["keep"], "properties": {"keep": {"type": "string"}}}


def schema(_before: str) -> str:
    """Return schemas/tenant-policy.schema.json."""
    conditions = {name: condition.member for name, condition in CONDITIONS.items()}
    rule = {"rule": RULE_NAME, "when": _object(_properties(conditions)), **_properties(OUTCOME)}
    properties = {
        "schema": {"const": SCHEMA},
        "classes": {
            "type": "object",
            "propertyNames": NAMES.schema,
            "additionalProperties": {**_object(_properties(CLASS)), "if": LOCKED, "then": KEPT},
        },
        "rules": {"type": "array", "items": _object(rule, "rule", "when")},
        "default": _object(_properties(OUTCOME)),
    }
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:callseal:tenant-policy",
        "title": "A tenant's policy",
        "description": "The value of the SSM parameter /<stack>/tenants/<tenant>/policy. The first rule that a call "
        "meets decides about it. The functions also refuse a class that `classes` lacks, two rules of one name, min "
        "over max, and lock compliance for over 10 years.",
        **_object(properties, "schema", "rules", "default"),
    }
    return json.dumps(document, indent=2) + "\n"


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
        "properties": properties,
    }


def _properties(members: Mapping[str, Member]) -> dict[str, Any]:
    return {name: _property(member) for name, member in members.items()}


def _property(member: Member) -> dict[str, Any]:
    default = {} if member.default is None else {"default": member.default}
    return {**member.schema, **default, "description": f"{member.wanted[0].upper()}{member.wanted[1:]}."}
