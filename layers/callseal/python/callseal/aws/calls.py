"""Calls to AWS: one session for all clients, and the SDK's errors turned into ours at the edge."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from urllib3.exceptions import HTTPError

from callseal.core.errors import AccessRefusedError, CallsealError, TransientError

if TYPE_CHECKING:
    from boto3.session import Session

# Their DEBUG logs repeat requests and answers whole: landing keys, which may hold a caller's number, and tenants' keys.
for _name in ("boto3", "botocore", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)

# A pool for ten records at once with the parts of their uploads; SDK retries are for hiccups, SQS's for the rest.
CONFIG = Config(
    # Writing botocore's own user agent anew takes an eighth of a request's time.
    user_agent="callseal",
    max_pool_connections=32,
    # What is sent is checked by mypy, with the stubs of boto3, before it ever runs.
    parameter_validation=False,
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard"},
    # TLS and a CRC-32 guard the bytes on their way, as by default; given the CRC-32, the SDK would hash once more.
    s3={"payload_signing_enabled": False},
)


def client(session: Session, service: str) -> Any:
    """Make a client; the further ones of a session cost a fraction of the first."""
    return session.client(service, config=CONFIG)  # type: ignore[call-overload]


@contextmanager
def calling(doing: str, **outcomes: type[CallsealError]) -> Iterator[None]:
    """Turn what the SDK raises into our errors: `on_412=OutputExistsError` by HTTP status, TransientError for the rest.

    AWS's own message is left out on purpose: it may name an object's key.
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
