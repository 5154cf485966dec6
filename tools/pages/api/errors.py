"""The codes of the archive's errors: the status of each, and what it says. Written by hand.

tests/docs/test_api.py compares the codes with those that the functions raise.
"""

from __future__ import annotations

from collections.abc import Mapping

# By code: the statuses that it comes with, and a sentence.
ERRORS: Mapping[str, tuple[tuple[int, ...], str]] = {
    "InvalidRequest": ((400,), "A member of the body is unknown, doubled, missing or of a wrong value."),
    "InvalidFilter": ((400,), "A filter is unknown, empty, doubled, unreadable or too wide."),
    "InvalidCursor": ((400,), "The cursor is of another user, tenant or search, or is none."),
    "InvalidRange": ((400, 416), "Range is not one range of bytes (400), or has no byte of the file (416)."),
    "SignInFailed": ((400,), "The issuer's answer does not prove who signs in, or the archive has no issuer."),
    "NotSignedIn": ((401,), "There is no session, or it has ended."),
    "NotAllowed": ((403,), "No grant allows it."),
    "RestrictedRecording": ((403,), "A grant would allow it, but for the restricted call."),
    "SensitiveRecording": ((403,), "A grant would allow it, but for the sensitive call."),
    "ReasonRequired": ((403,), "An access must be asked for first, or a reason must be stated."),
    "TermsNotAccepted": ((403,), "The present terms must be accepted first."),
    "SecondPersonNeeded": ((403,), "The same person asked for it. Another one must approve."),
    "CsrfRefused": ((403,), "The header X-Callseal: 1 is missing."),
    "CodeRefused": ((403,), "The code is wrong, was used, has died, or is another browser's."),
    "NotFound": ((404,), "It does not exist, has ended, or is another tenant's."),
    "SealedRecording": ((409,), "The recording is sealed; `recipients` and `command` say how its owner opens it."),
    "PlainRecording": ((409,), "The recording is not sealed."),
    "ErasurePending": ((409,), "The call waits for its erasure."),
    "JsonRequired": ((415,), "The body must be JSON."),
    "TooMany": ((429,), "Too many codes were sent."),
    "AuditUnavailable": ((503,), "The audit cannot take the event, so nothing was done."),
    "Unavailable": ((503,), "A service does not answer, or the archive cannot send mail."),
}


def by_status(codes: tuple[str, ...]) -> Mapping[int, list[str]]:
    """Return codes by their statuses."""
    found = dict[int, list[str]]()
    for code in codes:
        for status in ERRORS[code][0]:
            found.setdefault(status, []).append(code)
    return dict(sorted(found.items()))
