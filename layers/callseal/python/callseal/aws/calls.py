"""Calls to AWS: the configuration of clients, and the conversion of the SDK's errors to errors of Callseal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from callseal.core.errors import AccessRefusedError, CallsealError, TransientError

if TYPE_CHECKING:
    from boto3.session import Session

# Their DEBUG logs repeat whole requests and responses: landing keys (with callers' numbers) and tenants' keys.
for _name in ("boto3", "botocore", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)

# The pool is for ten records at once and the parts of their uploads. The SDK retries short failures, SQS all others.
CONFIG = Config(
    # Building botocore's own user agent takes an eighth of a request's time.
    user_agent="callseal",
    max_pool_connections=32,
    # mypy checks the parameters, with the stubs of boto3.
    parameter_validation=False,
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard"},
    # TLS and a CRC-32 protect the bytes in transit, as by default. If the CRC-32 is given, the SDK would also hash the
    # payload to sign it.
    s3={"payload_signing_enabled": False},
)


def client(session: Session, service: str) -> Any:
    """Return a client. The first client of a session is the most expensive one."""
    made = session.client(service, config=CONFIG)  # type: ignore[call-overload]
    made.meta.events.register("after-call", refuse_cut_answer)
    return made


def refuse_cut_answer(http_response: Any, model: Any, **_: Any) -> None:
    """Raise IncompleteReadError for an answer that was cut off: the SDK would return it as one without members."""
    length = http_response.headers.get("content-length")
    has_body = model.http["method"] != "HEAD" and not model.has_streaming_output
    if length and has_body and http_response.status_code == HTTPStatus.OK:
        arrived = len(http_response.content)
        if arrived < int(length):
            raise IncompleteReadError(actual_bytes=arrived, expected_bytes=int(length))


@contextmanager
def calling(doing: str, **outcomes: type[CallsealError]) -> Iterator[None]:
    """Convert the SDK's errors: `on_412=OutputExistsError` by HTTP status or error code, else TransientError.

    AWS's own message is left out, because it may contain an object's key.
    """
    try:
        yield
    except ClientError as exc:
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = exc.response.get("Error", {}).get("Code", "unknown")
        error = outcomes.get(f"on_{code}") or outcomes.get(f"on_{status}") or TransientError
        raised = error(f"{doing} failed: {code} ({status}).")
        if isinstance(raised, AccessRefusedError):
            raised.code = code
        raise raised from exc
    except (BotoCoreError, HTTPClientError, HTTPError, OSError) as exc:
        raise TransientError(f"{doing} failed: {type(exc).__name__}.") from exc
