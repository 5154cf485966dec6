"""Landed objects that cannot be read: what S3 answers then, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Mapping

from callseal.core.errors import AccessRefusedError, CallsealError

_KEY_IS_OFF = ("KMS.DisabledException", "KMS.KMSInvalidStateException", "KMS.NotFoundException")
_FORBIDDEN = ("AccessDenied", "KMS.AccessDeniedException")
# What a GET without a key answers for an object under a key of the uploader's own (SSE-C):
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
_NEEDS_UPLOADERS_KEY = "InvalidRequest"
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Errors"
_IS_ARCHIVED = "InvalidObjectState"

# The answers to a GET that last until somebody acts. Expired or wrong credentials and a wrong clock have codes of their
# own (ExpiredToken, InvalidAccessKeyId, SignatureDoesNotMatch, RequestTimeTooSkewed), and say nothing of the object:
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
REFUSED_GET: Mapping[str, type[CallsealError]] = {
    f"on_{code}": AccessRefusedError for code in (*_FORBIDDEN, *_KEY_IS_OFF, _NEEDS_UPLOADERS_KEY, _IS_ARCHIVED)
}
# An answer to a HEAD has no code, and that to a copy may speak of its target: a GET tells.
REFUSED: Mapping[str, type[CallsealError]] = {"on_400": AccessRefusedError, "on_403": AccessRefusedError}

_LAND_AGAIN = "land it again without a header of encryption, so that it gets the bucket's default key"


def sentence(code: str, key: str | None) -> str:
    """Return what is wrong with a landed object, and what to do; `key` is the ARN of its KMS key, if that is known."""
    which = f"the KMS key {key}" if key else "a key"
    if code == _NEEDS_UPLOADERS_KEY:
        why = "It is encrypted with a key of the uploader's own (SSE-C), which S3 does not keep."
        what = f"Remove it, and {_LAND_AGAIN}."
    elif code == _IS_ARCHIVED:
        why, what = "Its storage class is an archive.", "Restore it in S3, or land it again as S3 Standard."
    elif code in _KEY_IS_OFF:
        why = f"It is encrypted with {which} that cannot be used: the key is disabled or deleted."
        what = f"Enable the key, or {_LAND_AGAIN}."
    else:
        why = f"It is encrypted with {which}." if key else ""
        what = f"Allow the role of encrypt_recording to read it (s3:GetObject, kms:Decrypt), or {_LAND_AGAIN}."
    return " ".join(filter(None, (f"S3 refuses to read the landed file: {code}.", why, what)))
