"""The JSON Schema of a tenant's policy, from `callseal.calls.members` and `callseal.calls.conditions`."""

from __future__ import annotations

import json

from callseal.calls.conditions import CONDITIONS
from callseal.calls.members import CLASS, NAMES, OUTCOME
from callseal.calls.policy import SCHEMA

from .members import object_schema, properties_of

RULE_NAME = {"allOf": [NAMES.schema, {"not": {"const": "default"}}]}
LOCKED = {"required": ["lock"], "properties": {"lock": {"enum": ["governance", "compliance"]}}}
KEPT = {"required": ["keep"], "properties": {"keep": {"type": "string"}}}


def schema(_before: str) -> str:
    """Return schemas/tenant-policy.schema.json."""
    conditions = {name: condition.member for name, condition in CONDITIONS.items()}
    rule = {"rule": RULE_NAME, "when": object_schema(properties_of(conditions)), **properties_of(OUTCOME)}
    properties = {
        "schema": {"const": SCHEMA},
        "classes": {
            "type": "object",
            "propertyNames": NAMES.schema,
            "additionalProperties": {**object_schema(properties_of(CLASS)), "if": LOCKED, "then": KEPT},
        },
        "rules": {"type": "array", "items": object_schema(rule, "rule", "when")},
        "default": object_schema(properties_of(OUTCOME)),
    }
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:callseal:tenant-policy",
        "title": "A tenant's policy",
        "description": "The value of the SSM parameter /<stack>/tenants/<tenant>/policy. The first rule that a call "
        "meets decides about it. The functions also refuse a class that `classes` lacks, two rules of one name, min "
        "over max, and lock compliance for over 10 years.",
        **object_schema(properties, "schema", "rules", "default"),
    }
    return json.dumps(document, indent=2) + "\n"
