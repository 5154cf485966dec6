"""JSON Schemas of objects whose members `callseal.calls.members` describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callseal.calls.members import Member


def object_schema(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    """Return the schema of an object with these properties and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
        "properties": properties,
    }


def properties_of(members: Mapping[str, Member]) -> dict[str, Any]:
    """Return the schema of each member, with its default and its description."""
    return {name: _property(member) for name, member in members.items()}


def _property(member: Member) -> dict[str, Any]:
    default = {} if member.default is None else {"default": member.default}
    return {**member.schema, **default, "description": f"{member.wanted[0].upper()}{member.wanted[1:]}."}
