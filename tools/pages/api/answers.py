"""The JSON Schemas of the API's answers. Written by hand, but for names that the package declares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from callseal.archive.access import ACTIONS, REASONED
from callseal.archive.share_texts import TEXTS
from callseal.calls.call_file import DELIVERED, FETCHED
from callseal.calls.card_facts import HASHED
from callseal.calls.facts import CONSENTS, DIRECTIONS
from callseal.core.event_types import EventType
from callseal.core.formats import ENVELOPES
from callseal.core.stored import PLAIN

from ..members import object_schema
from .errors import ERRORS

_EVENTS = Path(__file__).resolve().parents[3] / "schemas" / "audit-event.schema.json"
TEXT: dict[str, Any] = {"type": "string"}
TEXT_OR_NULL: dict[str, Any] = {"type": ["string", "null"]}
FLAG: dict[str, Any] = {"type": "boolean"}
TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
TIME_OR_NULL: dict[str, Any] = {"type": ["string", "null"], "format": "date-time"}
NUMBER: dict[str, Any] = {"type": "integer", "minimum": 0}
ID: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-f]{32}$"}


def schemas() -> dict[str, Any]:
    """Return the schemas by their names."""
    return {**_shared(), **_calls(), **_shares(), **_trail()}


def whole(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has all of these members and no others."""
    return object_schema(properties, *properties)


def ref(name: str) -> dict[str, Any]:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def texts(schema: Mapping[str, Any] = TEXT) -> dict[str, Any]:
    """Return the schema of a list of values of a schema, which are texts if none is named."""
    return {"type": "array", "items": schema}


def _shared() -> dict[str, Any]:
    error = {"error": {"enum": [*ERRORS]}, "message": {**TEXT, "description": "A sentence for the user, in English."}}
    sealed = {
        "recipients": {**texts(), "description": "Fingerprints of the keys that open it. With SealedRecording only."},
        "command": {**TEXT, "description": "Opens the downloaded file. With SealedRecording only."},
    }
    terms = {"version": TEXT, "text": TEXT}
    me = {
        "user": whole({"email": TEXT, "name": TEXT}),
        "tenant": TEXT,
        "may": {**texts({"enum": [*ACTIONS]}), "description": "What some grant allows with some call."},
        "reason_for": texts({"enum": [*REASONED]}),
        "terms": _or_null(whole({**terms, "accepted": FLAG})),
    }
    return {"Error": object_schema({**error, **sealed}, *error), "Me": whole(me), "Terms": whole(terms)}


def _calls() -> dict[str, Any]:
    flags = {
        **dict.fromkeys(("restricted", "sensitive", "denied"), FLAG),
        "consent": {"enum": [*CONSENTS]},
        **dict.fromkeys(("informed", "paused", "agent_accepted"), FLAG),
    }
    file = {
        "n": {**NUMBER, "description": "The file's number within the call, which never changes."},
        "destination": {"enum": ["archive", "sftp"]},
        **dict.fromkeys(("bucket", "key"), TEXT),
        "version": TEXT_OR_NULL,
        "size": {"type": ["integer", "null"], "minimum": 0},
        "sha256": TEXT_OR_NULL,
        "sealed": {"enum": [PLAIN, *ENVELOPES, None]},
        "recipients": texts(),
        "state": {"enum": [DELIVERED, FETCHED]},
    }
    card = {
        "id": ID,
        **dict.fromkeys(("tenant", "name"), TEXT),
        "session_id": TEXT_OR_NULL,
        "started": TIME_OR_NULL,
        "ended": TIME_OR_NULL,
        "seconds": {"type": ["number", "null"], "minimum": 0},
        "direction": {"enum": [*DIRECTIONS, None]},
        **dict.fromkeys(("caller", "callee", "agent", "queue"), TEXT_OR_NULL),
        "flags": whole(flags),
        "class": TEXT_OR_NULL,
        "keep_until": TIME_OR_NULL,
        "dispose_on": TIME_OR_NULL,
        "holds": texts(),
        "files": texts(ref("File")),
        "policy": whole({"version": TEXT_OR_NULL, "rule": TEXT_OR_NULL, "denied": FLAG}),
        "indexed": {"enum": ["both", "metadata", "files"]},
        "metadata": {"enum": ["read", "unreadable", "not_read", "none"]},
        "blind": texts({"enum": [*HASHED]}),
        "erasure_pending": FLAG,
    }
    page = {"calls": texts(ref("Call")), "cursor": TEXT_OR_NULL, "searched_until": TIME_OR_NULL}
    peaks = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}}
    return {
        "File": whole(file),
        "Call": whole(card),
        "Calls": whole(page),
        "Access": whole({"access": ID, "expires": TIME}),
        "Url": whole({"url": {"type": "string", "format": "uri"}}),
        "Waveform": whole({
            "rows": {**texts({**peaks, "minItems": 1000, "maxItems": 1000}), "minItems": 2, "maxItems": 2},
            "seconds": {"type": "number", "minimum": 0},
        }),
    }  # fmt: skip


def _shares() -> dict[str, Any]:
    share = {
        "id": ID,
        "state": {"enum": ["active", "locked", "expired", "cancelled"]},
        "to": TEXT,
        "call": ID,
        "file": NUMBER,
        "language": {"enum": [*TEXTS]},
        "user": {**TEXT, "description": "Who shared it."},
        "created": TIME,
        "expires": TIME,
    }
    return {
        "Share": whole(share),
        "NewShare": whole({"share": ref("Share")}),
        "Shares": whole({"shares": texts(ref("Share"))}),
        "CodeSent": whole({"to": {**TEXT, "description": "The masked address."}, "terms": _or_null(ref("Terms"))}),
        "Opened": whole({"expires": TIME}),
    }


def _trail() -> dict[str, Any]:
    kinds = [str(kind) for kind in EventType if "archive" in kind.always]
    archive = json.loads(_EVENTS.read_text())["properties"]["archive"]["properties"]
    event = {"kind": {"enum": kinds}, "time": TIME, **archive}
    return {"Event": whole(event), "Events": whole({"events": texts(ref("Event")), "cursor": TEXT_OR_NULL})}
