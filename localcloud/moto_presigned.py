"""Presigned URLs of S3 in front of moto, which checks neither their end nor their signature.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from localcloud.clock_file import ClockFile
from localcloud.moto_app import WsgiApp

_ALGORITHM = "AWS4-HMAC-SHA256"
_TIME = "%Y%m%dT%H%M%SZ"
_LONGEST = 7 * 24 * 3600
_SIGNATURE = "X-Amz-Signature"
_REQUIRED = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", _SIGNATURE)
# Clocks may differ by so much.
_SKEW = timedelta(minutes=15)


class _RefusedError(Exception):
    def __init__(self, status: str, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def check_presigned(app: WsgiApp, clock: ClockFile, secrets: Mapping[str, str]) -> WsgiApp:
    """Return an app that refuses what S3 refuses of a presigned URL; `secrets` by access key id."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path, _, query = environ["RAW_URI"].partition("?")
        parameters = [_decoded(part) for part in query.split("&") if part]
        names = {name for name, _ in parameters}
        try:
            if _SIGNATURE in names or "X-Amz-Algorithm" in names:
                _check(environ, path, parameters, clock.now(), secrets)
            elif {"AWSAccessKeyId", "Signature", "Expires"} <= names:
                # A region that is newer than Signature Version 4 takes no older version.
                raise _RefusedError(
                    "400 Bad Request",
                    "InvalidRequest",
                    f"The authorization mechanism you have provided is not supported. Please use {_ALGORITHM}.",
                )
        except _RefusedError as exc:
            start_response(exc.status, [("Content-Type", "application/xml")])
            return [f"<Error><Code>{exc.code}</Code><Message>{escape(str(exc))}</Message></Error>".encode()]
        return app(environ, start_response)

    return serve


def _check(
    environ: Mapping[str, Any], path: str, parameters: list[tuple[str, str]], now: datetime, secrets: Mapping[str, str]
) -> None:
    given = dict(parameters)
    key, *scope = given.get("X-Amz-Credential", "").split("/")
    signed, seconds = _times(given, scope)
    if now < signed - _SKEW:
        raise _denied("Request is not yet valid")
    if now > signed + timedelta(seconds=seconds):
        raise _denied("Request has expired")
    if key not in secrets:
        raise _RefusedError(
            "403 Forbidden", "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
        )
    canonical = _canonical_request(environ, path, parameters, given["X-Amz-SignedHeaders"])
    text = "\n".join([_ALGORITHM, given["X-Amz-Date"], "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()])
    if not hmac.compare_digest(_signature(secrets[key], scope, text), given[_SIGNATURE]):
        raise _RefusedError(
            "403 Forbidden",
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided."
            " Check your key and signing method.",
        )


def _times(given: Mapping[str, str], scope: list[str]) -> tuple[datetime, int]:
    """Return when a URL was signed, and for how many seconds. Raise _RefusedError if its parameters are unfit."""
    try:
        signed = datetime.strptime(given["X-Amz-Date"], _TIME).replace(tzinfo=UTC)
        seconds = int(given["X-Amz-Expires"])
        date, _region, service, end = scope
    except (KeyError, ValueError):
        raise _unfit() from None
    fits = (
        all(given.get(name) for name in _REQUIRED)
        and given["X-Amz-Algorithm"] == _ALGORITHM
        and 0 < seconds <= _LONGEST
        and (date, service, end) == (given["X-Amz-Date"][:8], "s3", "aws4_request")
        and "host" in given["X-Amz-SignedHeaders"].split(";")
    )
    if not fits:
        raise _unfit()
    return signed, seconds


def _canonical_request(
    environ: Mapping[str, Any], path: str, parameters: list[tuple[str, str]], signed_headers: str
) -> str:
    query = sorted((_encoded(name), _encoded(value)) for name, value in parameters if name != _SIGNATURE)
    headers = "".join(f"{name}:{_header(environ, name)}\n" for name in signed_headers.split(";"))
    return "\n".join(
        [
            environ["REQUEST_METHOD"],
            quote(unquote(path), safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            headers,
            signed_headers,
            dict(parameters).get("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"),
        ]
    )


def _signature(secret: str, scope: list[str], text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _header(environ: Mapping[str, Any], name: str) -> str:
    variable = name.upper().replace("-", "_")
    value = environ.get(variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}", "")
    return " ".join(str(value).split())


def _decoded(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return unquote(name), unquote(value)


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _denied(message: str) -> _RefusedError:
    return _RefusedError("403 Forbidden", "AccessDenied", message)


def _unfit() -> _RefusedError:
    message = f"Query-string authentication version 4 requires the {', '.join(_REQUIRED)} parameters."
    return _RefusedError("400 Bad Request", "AuthorizationQueryParametersError", message)
