"""The network between the functions and moto: injects faults, records requests, and adds checks that moto lacks.

Only the functions' own clients use it (`Network.session` replaces `callseal.wiring.container.Session`). The tests'
clients talk to moto directly.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from boto3.session import Session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError, ConnectionClosedError
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

from tests.security.privacy.watch import CALLERS, WATCH
from tests.support.functions import MODULE_PREFIX
from tests.support.stack import ARCHIVE, SFTP
from tests.template.permissions import calls

# The output buckets' policies refuse these without If-None-Match (template.yaml, NeverOverwrite).
WRITES = {"PutObject", "CopyObject", "CompleteMultipartUpload"}
# Part of every error message that is made up here, as S3's own messages name the key. It must never appear in a log.
FOREIGN_WORDS = f"words of AWS about acme/+{CALLERS[0]}"


class Crash(BaseException):
    """The execution environment is gone: it ends here, and sends none of its later requests."""


@dataclass(frozen=True)
class Request:
    """One attempt of a request. Bucket and key are set for S3 only."""

    operation: str
    bucket: str
    key: str
    headers: dict[str, str]
    body: bytes
    raw: AWSPreparedRequest

    @property
    def members(self) -> dict[str, Any]:
        """Return the members of a JSON body."""
        return dict(json.loads(self.body))


Action = Callable[[Request], AWSResponse | None]


@dataclass
class _Rule:
    operation: str
    bucket: str | None
    action: Action
    after: bool
    skip: int
    times: int | None

    def fits(self, request: Request) -> bool:
        return self.operation == request.operation and self.bucket in (None, request.bucket)


@dataclass
class Network:
    """Carries requests to moto, one at a time, so that a condition and its write are atomic as in S3."""

    s3: Any
    requests: list[Request] = field(default_factory=list)
    _rules: list[_Rule] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)
    _rules_lock: Lock = field(default_factory=Lock)

    def session(self) -> Session:
        """Return a replacement for boto3's Session: a new execution environment on this network."""
        session, crashed, function = Session(), [False], _asking_function()

        def send(request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
            if crashed[0]:
                raise Crash
            try:
                asked = _request(event_name, request)
                _note(function, event_name, asked)
                return self._carry(asked, event_name)
            except Crash:
                crashed[0] = True
                raise

        session.events.unregister("before-send", botocore_stubber)
        session.events.register("before-send", send)
        return session

    def before(self, operation: str, action: Action, *, bucket: str | None = None, skip: int = 0,
               times: int | None = 1) -> None:  # fmt: skip
        """Run an action before such a request is sent, `times` times (None: always).

        The action may answer the request itself.
        """
        self._rules.append(_Rule(operation, bucket, action, False, skip, times))

    def after(self, operation: str, action: Action, *, bucket: str | None = None, skip: int = 0,
              times: int | None = 1) -> None:  # fmt: skip
        """Run an action after such a request was executed. It may replace the answer."""
        self._rules.append(_Rule(operation, bucket, action, True, skip, times))

    def fail(self, operation: str, status: int, code: str, *, bucket: str | None = None, skip: int = 0,
             times: int | None = 1) -> None:  # fmt: skip
        """Answer with an error, without executing the request."""
        self.before(operation, lambda request: refusal(request, status, code), bucket=bucket, skip=skip, times=times)

    def cut(self, operation: str, *, bucket: str | None = None, times: int | None = 1, after: bool = False) -> None:
        """Lose the connection before the request arrives, or the answer `after` the request was executed."""
        (self.after if after else self.before)(operation, _lose, bucket=bucket, times=times)

    def crash(self, when: str, operation: str, bucket: str | None = None) -> None:
        """End the execution environment directly `before` or `after` such a request."""
        (self.after if when == "after" else self.before)(operation, _crash, bucket=bucket)

    def mend(self) -> None:
        """Remove all faults."""
        self._rules.clear()

    def asked(self, operation: str, bucket: str | None = None) -> list[Request]:
        """Return the attempts of one operation so far."""
        return [one for one in self.requests if one.operation == operation and bucket in (None, one.bucket)]

    def _carry(self, request: Request, event_name: str) -> AWSResponse | None:
        self.requests.append(request)
        if answer := self._apply(request, after=False):
            return answer
        with self._lock:
            answer = self._as_s3_does(request) or botocore_stubber(event_name, request.raw)
        return self._apply(request, after=True) or answer

    def _apply(self, request: Request, *, after: bool) -> AWSResponse | None:
        with self._rules_lock:
            action = next((rule.action for rule in self._rules if rule.after == after and _due(rule, request)), None)
        return action(request) if action else None

    def _as_s3_does(self, request: Request) -> AWSResponse | None:
        """Return the refusal of S3 or of a bucket policy if moto would accept the request."""
        if request.bucket in (SFTP, ARCHIVE):
            if request.operation in WRITES and request.headers.get("If-None-Match") != "*":
                return refusal(request, 403, "AccessDenied")
            if request.operation == "CopyObject" and self._etag(request.bucket, request.key):
                return refusal(request, 412, "PreconditionFailed")
        if wanted := request.headers.get("x-amz-copy-source-if-match"):
            bucket, _, key = unquote(request.headers["x-amz-copy-source"]).lstrip("/").partition("/")
            if self._etag(bucket, key) not in (None, wanted):
                return refusal(request, 412, "PreconditionFailed")
        return None

    def _etag(self, bucket: str, key: str) -> str | None:
        try:
            return str(self.s3.head_object(Bucket=bucket, Key=key)["ETag"])
        except ClientError:
            return None


def refusal(request: Request, status: int, code: str) -> AWSResponse:
    """Return an error as AWS does: S3 in XML, the others in JSON; a HEAD has no body."""
    if request.bucket:
        body = f"<Error><Code>{code}</Code><Message>{FOREIGN_WORDS}</Message></Error>"
    else:
        body = json.dumps({"__type": code, "message": FOREIGN_WORDS})
    return answer(request, status, b"" if request.raw.method == "HEAD" else body.encode())


def answer(request: Request, status: int, body: bytes) -> AWSResponse:
    """Return an answer to a request."""
    headers: Any = {"content-length": str(len(body)), "x-amz-request-id": "0"}
    return AWSResponse(request.raw.url, status, headers, MockRawResponse(body))  # type: ignore[arg-type]


def cancelling(code: str, named: str) -> Action:
    """Cancel a transaction as DynamoDB does: with the code for each action that names `named`.

    Execute the transaction if no action names it.
    """

    def cancel(request: Request) -> AWSResponse | None:
        blamed = [named in json.dumps(each) for each in request.members["TransactItems"]]
        reasons = [{"Code": code if each else "None"} for each in blamed]
        members = {"__type": "TransactionCanceledException", "message": FOREIGN_WORDS, "CancellationReasons": reasons}
        return answer(request, 400, json.dumps(members).encode()) if any(blamed) else None

    return cancel


def refusing(code: str, named: str) -> Action:
    """Refuse a whole request that names `named`."""
    return lambda request: refusal(request, 400, code) if named.encode() in request.body else None


def _request(event_name: str, raw: AWSPreparedRequest) -> Request:
    _, service, operation = event_name.split(".")
    url = urlsplit(raw.url)
    bucket = (url.hostname or "").partition(".")[0] if service == "s3" else ""
    headers = {name: _text(value) for name, value in raw.headers.items()}
    body = raw.body if isinstance(raw.body, bytes) else b""
    return Request(operation, bucket, unquote(url.path.removeprefix("/")) if bucket else "", headers, body, raw)


def _asking_function() -> str:
    """Return the name of the function whose handler is being set up."""
    modules = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_stack(None))
    return next((name.removeprefix(MODULE_PREFIX) for name in modules if name.startswith(MODULE_PREFIX)), "")


def _note(function: str, event_name: str, request: Request) -> None:
    """Record the call. After the tests, the function's role is checked against it (tests/template/permissions)."""
    _, service, operation = event_name.split(".")
    headers = {name.lower(): value for name, value in request.headers.items()}
    calls.note(function, service, operation, str(request.raw.url), headers, request.body)
    if service == "dynamodb":
        WATCH.table(request.members)
    if operation == "PutEvents":
        WATCH.put_events(request.members["Entries"])


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _due(rule: _Rule, request: Request) -> bool:
    if not rule.fits(request) or rule.times == 0:
        return False
    if rule.skip:
        rule.skip -= 1
        return False
    if rule.times:
        rule.times -= 1
    return True


def _lose(request: Request) -> AWSResponse | None:
    raise ConnectionClosedError(endpoint_url=str(request.raw.url))


def _crash(_: Request) -> AWSResponse | None:
    raise Crash
