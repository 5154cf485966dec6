"""Landed objects that cannot be read: the error codes of S3, and what an operator can do."""

from __future__ import annotations

from collections.abc import Mapping

from callseal.core.errors import AccessRefusedError, CallsealError

_KEY_IS_OFF = ("KMS.DisabledException", "KMS.KMSInvalidStateException", "KMS.NotFoundException")
_FORBIDDEN = ("AccessDenied", "KMS.AccessDeniedException")
# The response to a GET without a key, if the object is under the uploader's own key (SSE-C):
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
_NEEDS_UPLOADERS_KEY = "InvalidRequest"
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Errors"
_IS_ARCHIVED = "InvalidObjectState"

# The errors of a GET that last until an operator acts. Expired or wrong credentials and a wrong clock have other codes
# (ExpiredToken, InvalidAccessKeyId, SignatureDoesNotMatch, RequestTimeTooSkewed), which do not concern the object:
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
REFUSED_GET: Mapping[str, type[CallsealError]] = {
    f"on_{code}": AccessRefusedError for code in (*_FORBIDDEN, *_KEY_IS_OFF, _NEEDS_UPLOADERS_KEY, _IS_ARCHIVED)
}
# A failed HEAD has no code, and a failed copy may be due to its target. Only a GET shows what is wrong with the object.
REFUSED: Mapping[str, type[CallsealError]] = {"on_400": AccessRefusedError, "on_403": AccessRefusedError}

_UPLOAD_AGAIN = "upload it again without an encryption header, so that S3 uses the bucket's default key"


def sentence(code: str, key: str | None) -> str:
    """Return what is wrong with a landed object, and what to do. `key` is the ARN of its KMS key, if known."""
    which = f"the KMS key {key}" if key else "a key"
    if code == _NEEDS_UPLOADERS_KEY:
        why = "It is encrypted with the uploader's own key (SSE-C), which S3 does not store."
        action = f"Delete it, and {_UPLOAD_AGAIN}."
    elif code == _IS_ARCHIVED:
        why, action = "Its storage class is an archive.", "Restore it in S3, or upload it again as S3 Standard."
    elif code in _KEY_IS_OFF:
        why = f"It is encrypted with {which} that is disabled or deleted."
        action = f"Enable the key in KMS, or {_UPLOAD_AGAIN}."
    else:
        why = f"It is encrypted with {which}." if key else ""
        action = f"Allow the role of encrypt_recording to read it (s3:GetObject, kms:Decrypt), or {_UPLOAD_AGAIN}."
    return " ".join(filter(None, (f"S3 refuses to read the landed file: {code}.", why, action)))
