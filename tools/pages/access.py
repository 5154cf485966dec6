"""The JSON Schema of a tenant's access, from `callseal.archive.access`."""

from __future__ import annotations

import json

from callseal.archive.access import GRANT, REASON_FOR, REQUIRED, TERMS

from .members import object_schema, properties_of


def schema(_before: str) -> str:
    """Return schemas/tenant-access.schema.json."""
    terms = object_schema(properties_of(TERMS), *TERMS)
    properties = {
        "grants": {"type": "array", "items": object_schema(properties_of(GRANT), *REQUIRED)},
        **properties_of({"reason_for": REASON_FOR}),
        "terms": {**terms, "type": ["object", "null"]},
    }
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:callseal:tenant-access",
        "title": "A tenant's access",
        "description": "The value of the SSM parameter /<stack>/tenants/<tenant>/access. Without it no user has "
        "access. An action on a call is allowed if a single grant allows all of it.",
        **object_schema(properties, "grants"),
    }
    return json.dumps(document, indent=2) + "\n"
