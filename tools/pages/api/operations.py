"""The operations of the archive's API by their routes: what each does, takes and answers. Written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from callseal.archive.audit_routes import FILTERS as AUDIT_FILTERS
from callseal.archive.open_recording import ACCESS, PLAYED
from callseal.archive.search_calls import CURSOR
from callseal.archive.serve_share import ASK, OPEN
from callseal.archive.share_recording import NEW_SHARE
from callseal.archive.sign_in import VERSION
from callseal.calls.call_query import FILTERS
from callseal.calls.members import Member
from callseal.governance.erasure_routes import NEW_ERASURE
from callseal.governance.hold_routes import HOLD_OF_CALL, NEW_HOLD

SESSION, SHARE, LOGIN = "session", "share", "login"
JSON = "application/json"
_ANY_CALL = ("NotFound", "NotAllowed", "RestrictedRecording", "SensitiveRecording", "AuditUnavailable")
_LAW = ("NotAllowed", "AuditUnavailable")
_SECOND = ("NotFound", *_LAW, "SecondPersonNeeded")
_BYTES = (*_ANY_CALL, "ReasonRequired", "ErasurePending", "InvalidRange")
AUDIO = ("audio/wav", "audio/mpeg", "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation. `body` is None if it has no body; a table without members is an empty object.

    `answers` are by status: what it is, and the name of its schema, or its media types, or None. `cookie` is the cookie
    that it needs.
    """

    id: str
    summary: str
    answers: Mapping[int, tuple[str, str | tuple[str, ...] | None]]
    errors: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    body: Mapping[str, Member] | None = None
    cookie: str | None = SESSION
    headers: tuple[str, ...] = field(default=())


def _part(summary: str, name: str, codes: tuple[str, ...], cookie: str, media: tuple[str, ...]) -> Operation:
    """Return an operation that answers a range of bytes."""
    return Operation(name, summary, {206: ("A part of the file.", media)}, codes, cookie=cookie, headers=("Range",))


OPERATIONS: Mapping[str, Operation] = {
    "GET /auth/login": Operation(
        "login", "Send the browser to the issuer.", {302: ("To the issuer.", None)}, ("SignInFailed",),
        query=("return",), cookie=None,
    ),
    "GET /auth/callback": Operation(
        "callback", "Take the issuer's answer, and start a session.",
        {200: ("A page that leads back to where the sign-in began.", ("text/html",))},
        ("SignInFailed", "AuditUnavailable"), query=("state", "code"), cookie=LOGIN,
    ),
    "POST /auth/logout": Operation("logout", "End the session.", {204: ("Signed out.", None)}, cookie=None),
    "GET /api/me": Operation(
        "me", "Show who has signed in, and the terms.", {200: ("The user.", "Me")}, ("NotSignedIn",)
    ),
    "POST /api/me/terms": Operation(
        "acceptTerms", "Accept the present terms.", {204: ("Accepted.", None)},
        ("NotSignedIn", "AuditUnavailable"), body=VERSION,
    ),
    "GET /api/calls": Operation(
        "searchCalls", "Search calls, newest first, 50 a page.", {200: ("A page of calls.", "Calls")},
        ("InvalidFilter", "InvalidCursor", "NotAllowed", "AuditUnavailable"), query=(*FILTERS, CURSOR),
    ),
    "GET /api/calls/{id}": Operation("showCall", "Show a call's card.", {200: ("The card.", "Call")}, _ANY_CALL),
    "GET /api/calls/{id}/audit": Operation(
        "auditOfCall", "Show what was done with a call, newest first.", {200: ("A page of events.", "Events")},
        (*_ANY_CALL, "InvalidFilter", "InvalidCursor"), query=(CURSOR,),
    ),
    "GET /api/audit": Operation(
        "searchAudit", "Show what was done with a tenant's calls, newest first.",
        {200: ("A page of events.", "Events")}, (*_ANY_CALL, "InvalidFilter", "InvalidCursor"),
        query=(*AUDIT_FILTERS, CURSOR),
    ),
    "POST /api/calls/{id}/access": Operation(
        "access", "Ask for access to a file for 15 minutes. It is recorded first.",
        {201: ("Granted to this session.", "Access")}, (*_ANY_CALL, "ReasonRequired", "ErasurePending"), body=ACCESS,
    ),
    "POST /api/calls/{id}/played": Operation(
        "played", "Report which seconds were played.", {204: ("Recorded.", None)}, (*_ANY_CALL, "ReasonRequired"),
        body=PLAYED,
    ),
    "GET /api/calls/{id}/files/{n}/audio": _part(
        "Return a part of a plain recording.", "audio", (*_BYTES, "SealedRecording"), SESSION, AUDIO
    ),
    "GET /api/calls/{id}/files/{n}/sealed": _part(
        "Return a part of a sealed recording, which its owner opens in the page.", "sealed",
        (*_BYTES, "PlainRecording"), SESSION, ("application/octet-stream",),
    ),
    "POST /api/calls/{id}/files/{n}/download": Operation(
        "download", "Return a URL from which the file is downloaded within 60 seconds.", {200: ("The URL.", "Url")},
        (*_ANY_CALL, "ReasonRequired", "ErasurePending"), body={},
    ),
    "GET /api/calls/{id}/files/{n}/waveform": Operation(
        "waveform", "Return the peaks of a plain recording's two sides.", {200: ("The peaks.", "Waveform")},
        (*_ANY_CALL, "ReasonRequired", "ErasurePending", "SealedRecording"),
    ),
    "POST /api/shares": Operation(
        "share", "Share a recording with one address, and mail the link.", {201: ("Shared.", "NewShare")},
        (*_ANY_CALL, "ReasonRequired", "ErasurePending", "SealedRecording"), body=NEW_SHARE,
    ),
    "GET /api/shares": Operation("listShares", "List shares, newest first.", {200: ("The shares.", "Shares")}),
    "DELETE /api/shares/{id}": Operation(
        "cancelShare", "Cancel a share.", {204: ("It has ended.", None)}, ("NotFound", "AuditUnavailable")
    ),
    "GET /api/holds": Operation("listHolds", "List holds by their names.", {200: ("The holds.", "Holds")}, _LAW),
    "POST /api/holds": Operation(
        "placeHold", "Place a hold on calls that are named, or on those that meet all filters.",
        {202: ("It is being placed. Its scope stops disposal and erasure already.", "HoldState")}, _ANY_CALL,
        body=NEW_HOLD,
    ),
    "POST /api/calls/{id}/holds": Operation(
        "placeHoldOnCall", "Place a hold on one call.",
        {202: ("It is being placed. Its scope stops disposal and erasure already.", "HoldState")}, _ANY_CALL,
        body=HOLD_OF_CALL,
    ),
    "POST /api/holds/{name}/release": Operation(
        "releaseHold", "Ask for the release of a hold. Another person must approve it.",
        {200: ("Asked for.", "HoldState")}, ("NotFound", *_LAW), body={},
    ),
    "POST /api/holds/{name}/approve": Operation(
        "approveRelease", "Approve the release of a hold for which another person asked.",
        {202: ("Its calls are being set free.", "HoldState")}, _SECOND, body={},
    ),
    "GET /api/erasures": Operation(
        "listErasures", "List requests for erasure, newest first.", {200: ("The requests.", "Erasures")}, _LAW
    ),
    "POST /api/erasures": Operation(
        "startErasure", "Start a request for erasure of a call or of a caller's calls. Nothing is deleted yet.",
        {201: ("The request, or the open one about the same.", "Erasure")}, _ANY_CALL, body=NEW_ERASURE,
    ),
    "GET /api/erasures/{id}": Operation(
        "showErasure", "Show a request with the states of its files.", {200: ("The request.", "Erasure")},
        ("NotFound", *_LAW),
    ),
    "POST /api/erasures/{id}/approve": Operation(
        "approveErasure", "Approve a request that another person started.",
        {202: ("It is carried out.", "Erasure")}, (*_ANY_CALL, "SecondPersonNeeded"), body={},
    ),
    "GET /api/erasures/{id}/certificate": Operation(
        "certificateOfErasure", "Return the last certificate. Its bytes are what is signed.",
        {200: ("The certificate.", "Certificate")}, ("NotFound", *_LAW),
    ),
    "POST /s/{id}/code": Operation(
        "sendCode", "Mail a code to the share's address. Sets the cookie of the share's browser.",
        {200: ("Sent.", "CodeSent")}, ("NotFound", "TooMany", "AuditUnavailable"), body=ASK, cookie=None,
    ),
    "POST /s/{id}/open": Operation(
        "openShare", "Open a share in this browser for 30 minutes.", {200: ("Open.", "Opened")},
        ("NotFound", "CodeRefused", "TermsNotAccepted", "AuditUnavailable"), body=OPEN, cookie=SHARE,
    ),
    "GET /s/{id}/audio": _part(
        "Return a part of a shared recording.", "sharedAudio", ("NotFound", "InvalidRange", "AuditUnavailable"), SHARE,
        AUDIO,
    ),
}  # fmt: skip
