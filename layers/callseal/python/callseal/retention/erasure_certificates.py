"""Certificates of erasures: what became of each file, signed with the stack's proof key.

There is a new certificate at each change of a state. Each names the SHA-256 of the one before, so none can be left out.
They are in the audit bucket, where lock_audit locks them. A certificate has no name of a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.aws.sign_key import SignKey
from callseal.core.audit import timestamp
from callseal.core.clock import Clock
from callseal.core.errors import OutputExistsError, SourceGoneError
from callseal.retention.erasure import LedgerFile, Request
from callseal.retention.erasure_table import ErasureTable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER = "erasures"


class Certificates:
    """Makes certificates."""

    def __init__(
        self,
        s3: S3Client,
        bucket: str,
        key: SignKey,
        table: ErasureTable,
        publish: Callable[[str], None],
        clock: Clock,
    ) -> None:
        """Take the collaborators. `publish` puts the key's public half into a tenant's area."""
        self._s3, self._bucket, self._key = s3, bucket, key
        self._table, self._publish, self._clock = table, publish, clock

    def renew(self, request: Request, files: Sequence[LedgerFile]) -> Request:
        """Return a request with a certificate of the present states of its files. A new one is made if they changed.

        Raise ChangedMeanwhileError if another run makes one: its certificate is the next in the chain.
        """
        states = _states(files)
        if states == request.certified_states:
            return request
        if request.begun_states != states:
            # It is saved before the write: a run that breaks off after it is continued with the same bytes, under the
            # same name. Otherwise two certificates would have the same number.
            request = self._table.save(request, begun=timestamp(self._clock()), begun_states=states)
        self._publish(request.tenant)
        data = certificate(request, files, self._key.id, request.begun or "")
        certified = replace(request, certificates=request.certificates + 1, certified=sha256(data).hexdigest())
        name = certificate_name(certified)
        # The signature comes first: a certificate that is there has one.
        self._put(f"{name}.sig", self._key.sign_file(data), "application/octet-stream")
        self._put(name, data, "application/json")
        return self._table.save(
            request,
            certificates=certified.certificates,
            certified=certified.certified,
            certified_states=states,
            begun=None,
            begun_states=None,
        )

    def _put(self, key: str, data: bytes, kind: str) -> None:
        with suppress(OutputExistsError), calling("Writing a certificate", on_412=OutputExistsError):
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=kind, IfNoneMatch="*")


def certificate(request: Request, files: Sequence[LedgerFile], key: str, time: str) -> bytes:
    """Return the bytes of a certificate."""
    document = {
        "certificate": request.certificates + 1,
        "request": request.id,
        "tenant": request.tenant,
        "time": time,
        "basis": request.basis,
        "files": [file.certified() for file in files],
        "previous": request.certified,
        "key": key,
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def certificate_name(request: Request) -> str:
    """Return the key of a request's last certificate. Its signature has the same key and `.sig`."""
    name = f"{request.certificates:04}-{(request.certified or '')[:32]}.json"
    return f"{FOLDER}/{request.tenant}/{request.id}/{name}"


def read_certificate(s3: S3Client, bucket: str, request: Request) -> tuple[bytes, bytes] | None:
    """Return a request's last certificate and its signature, or None if it has none yet."""
    if not request.certificates:
        return None
    name = certificate_name(request)
    with calling("Reading a certificate", on_404=SourceGoneError):
        data, signature = (s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in (name, f"{name}.sig"))
    return data, signature


def _states(files: Sequence[LedgerFile]) -> str:
    """Return a hash of the states of all files."""
    return sha256(json.dumps([[file.id, file.state, file.until] for file in files]).encode()).hexdigest()
