"""The JSON Schemas of the API's answers about holds and erasures. Written by hand, but for names of the package."""

from __future__ import annotations

from typing import Any, get_args

from callseal.calls.members import schema_of
from callseal.governance.erasure_routes import ERASURE_ID
from callseal.retention.erasure import FileState, RequestState
from callseal.retention.hold import State

from ..members import object_schema
from .answers import FLAG, ID, NUMBER, TEXT, TEXT_OR_NULL, TIME, TIME_OR_NULL, ref, texts, whole

CERTIFICATE = "Certificate"
ERASURE: dict[str, Any] = schema_of(ERASURE_ID.pattern)
SHA256_OR_NULL: dict[str, Any] = {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"}


def law_schemas() -> dict[str, Any]:
    """Return the schemas by their names."""
    return {**_holds(), **_erasures()}


def _holds() -> dict[str, Any]:
    state = {"enum": [*get_args(State)]}
    scope = {
        "calls": texts(ID),
        **dict.fromkeys(("party", "queue", "agent"), TEXT_OR_NULL),
        **dict.fromkeys(("from", "to"), TIME_OR_NULL),
        "future": FLAG,
        "blind": {**FLAG, "description": "Whether party, queue and agent are keyed hashes."},
    }
    hold = {
        **dict.fromkeys(("name", "reason"), TEXT),
        "state": state,
        "scope": ref("HoldScope"),
        "calls": {**NUMBER, "description": "How many calls are under it."},
        "gone": {**texts(ID), "description": "Calls that were gone before they were held."},
        "placed_by": TEXT,
        "placed_at": TIME,
        "held_at": TIME_OR_NULL,
        "asked_by": TEXT_OR_NULL,
        "asked_at": TIME_OR_NULL,
        "approved_by": TEXT_OR_NULL,
        "approved_at": TIME_OR_NULL,
        "released_at": TIME_OR_NULL,
    }
    return {
        "HoldScope": whole(scope),
        "Hold": whole(hold),
        "Holds": whole({"holds": texts(ref("Hold"))}),
        "HoldState": whole({"name": TEXT, "state": state}),
    }


def _erasures() -> dict[str, Any]:
    states = [*get_args(FileState)]
    request = {
        "request": ERASURE,
        "tenant": TEXT,
        "state": {"enum": [*get_args(RequestState)]},
        "calls": NUMBER,
        "coverage_from": {**TIME_OR_NULL, "description": "Calls before this are found by their session id only."},
        "basis": TEXT,
        "anonymise": FLAG,
        "created": TIME,
        "due": {**TIME, "description": "The end of the time for an answer, which never moves."},
        "by": TEXT,
        "approved_by": TEXT_OR_NULL,
        **dict.fromkeys(("approved", "finished", "noticed", "notified"), TIME_OR_NULL),
        "certificates": NUMBER,
    }
    file = {"call": ID, "place": {"enum": ["archive", "sftp", "landing"]}, "state": {"enum": states}}
    counts = object_schema(dict.fromkeys(states, NUMBER))
    certified = {**file, "version": TEXT_OR_NULL, "sha256": SHA256_OR_NULL, "until": TIME_OR_NULL}
    certificate = {
        "certificate": {"type": "integer", "minimum": 1},
        "request": ERASURE,
        "tenant": TEXT,
        "time": TIME,
        "basis": TEXT,
        "files": texts(whole(certified)),
        "previous": {**SHA256_OR_NULL, "description": "The SHA-256 of the certificate before it."},
        "key": {**TEXT, "description": "The id of the key that signed it, in the tenant's folder proof/keys."},
    }
    return {
        "ErasureFile": whole({**file, "until": TIME_OR_NULL}),
        "ErasureSummary": whole(request),
        "Erasure": whole({**request, "counts": counts, "files": texts(ref("ErasureFile"))}),
        "Erasures": whole({"erasures": texts(ref("ErasureSummary"))}),
        CERTIFICATE: whole(certificate),
    }
