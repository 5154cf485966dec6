"""A tenant's settings, from `TenantSettings`: the JSON Schema, and the table in docs/settings.md."""

from __future__ import annotations

import json
from dataclasses import Field, fields
from typing import Any

from callseal.tenants.settings import TenantSettings

from .markers import replace_part, table

DEFAULTS = TenantSettings()


def schema(_before: str) -> str:
    """Return schemas/tenant-settings.schema.json."""
    properties = {setting.name: _property(setting) for setting in fields(TenantSettings)}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:callseal:tenant-settings",
        "title": "A tenant's settings",
        "description": "The value of the SSM parameter /<stack>/tenants/<tenant>/settings. {} means the defaults.",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    return json.dumps(document, indent=2) + "\n"


def page(before: str) -> str:
    """Return docs/settings.md with its table of settings."""
    rows = ([f"`{each.name}`", f"`{_default(each)}`", *_words(each)] for each in fields(TenantSettings))
    return replace_part(before, "settings", table(("member", "default", "meaning", "must be"), rows))


def _words(setting: Field[Any]) -> tuple[str, str]:
    return setting.metadata["meaning"], setting.metadata["kind"].wanted


def _property(setting: Field[Any]) -> dict[str, Any]:
    kind, meaning = setting.metadata["kind"], setting.metadata["meaning"]
    return {**kind.schema, "default": getattr(DEFAULTS, setting.name), "description": meaning}


def _default(setting: Field[Any]) -> str:
    return json.dumps(getattr(DEFAULTS, setting.name))
