"""Notices to the recipient: which files it must erase, too. Sealed to the tenant if its recordings are.

<tenant>/notices/erasure-<id>.json(.p7m or .pgp)    names, SHA-256 and sizes; no number
<tenant>/notices/erasure-<id>.done                  the recipient's answer, with any content
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.calls.card import Card
from callseal.core.audit import timestamp
from callseal.core.clock import Clock
from callseal.core.errors import HeldError, OutputExistsError
from callseal.core.formats import ENVELOPES
from callseal.core.landing import TENANT
from callseal.core.log import Log
from callseal.core.stored import PLAIN, OutputHeaders, sealed_headers, tagging
from callseal.crypto.recipients import GpgFactory
from callseal.crypto.seal_bytes import seal_bytes
from callseal.retention.erasure import LedgerFile, Request, file_id
from callseal.retention.erasure_places import manifest_of
from callseal.tenants.directory import KeyVersion, Tenants

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER = "notices"
_DONE = re.compile(rf"({TENANT.pattern})/{FOLDER}/erasure-([0-9a-f]{{16}})\.done", re.ASCII)
# Returns the key that a tenant's files are sealed to. Raises HeldError with one of the Key* reasons.
KeyOf = Callable[[str], KeyVersion]


class Notices:
    """Writes notices, and removes their answers."""

    def __init__(
        self, s3: S3Client, bucket: str, tenants: Tenants, key_of: KeyOf, gpg: GpgFactory, clock: Clock, log: Log
    ) -> None:
        """Take the collaborators. `bucket` is the SFTP bucket."""
        self._s3, self.bucket, self._tenants = s3, bucket, tenants
        self._key_of, self._gpg, self._clock, self._log = key_of, gpg, clock, log

    def write(self, request: Request, cards: Sequence[Card], files: Sequence[LedgerFile]) -> bool:
        """Write the notice about files. Return False if the tenant's key cannot be used now; a later run repeats it."""
        try:
            plain = notice(request, _named(cards, files), timestamp(self._clock()))
            suffix, data, headers = self._sealed(request.tenant, plain)
        except HeldError as held:
            self._log.warning("notice not written", extra={"tenant": request.tenant, "reason": held.reason})
            return False
        self._put(f"{request.tenant}/{FOLDER}/erasure-{request.id}.json{suffix}", data, headers)
        return True

    def remove_answer(self, key: str) -> None:
        """Delete an answer."""
        with calling("Removing the answer to a notice"):
            self._s3.delete_object(Bucket=self.bucket, Key=key)

    def _sealed(self, tenant: str, plain: bytes) -> tuple[str, bytes, OutputHeaders]:
        settings = self._tenants.settings(tenant)
        if not settings.encrypt:
            return "", plain, OutputHeaders("application/json", "", PLAIN)
        recipients = self._key_of(tenant).recipients
        sealed = seal_bytes(plain, recipients, settings.cms_profile, self._gpg)
        headers = sealed_headers(recipients.envelope, "", tuple(recipients.members))
        return ENVELOPES[recipients.envelope].suffix, sealed, headers

    def _put(self, key: str, data: bytes, headers: OutputHeaders) -> None:
        try:
            with calling("Writing a notice", on_412=OutputExistsError):
                self._s3.put_object(
                    Bucket=self.bucket, Key=key, Body=data, ContentType=headers.content_type,
                    Metadata=headers.metadata, IfNoneMatch="*", Tagging=tagging("files"),
                )  # fmt: skip
        except OutputExistsError:
            return  # an earlier run has written it


def notice(request: Request, files: Sequence[dict[str, Any]], time: str) -> bytes:
    """Return the bytes of a notice."""
    document = {
        "notice": 1, "request": request.id, "tenant": request.tenant, "time": time, "files": files,
    }  # fmt: skip
    return json.dumps(document, indent=1).encode() + b"\n"


def parse_answer(key: str) -> tuple[str, str] | None:
    """Return the tenant and the request that an answer's key names, or None if it is no answer."""
    found = _DONE.fullmatch(key)
    return (found[1], found[2]) if found else None


def _named(cards: Sequence[Card], files: Sequence[LedgerFile]) -> list[dict[str, Any]]:
    """Return the files that were ever in the tenant's area, with their names there, by the calls' cards."""
    by_id = {file.id: file for file in files}
    return [
        {
            "name": key.partition("/")[2],
            "sha256": by_id[identifier].sha256,
            "size": by_id[identifier].size,
            "fetched": by_id[identifier].fetched or None,
        }
        for key, identifier in sorted(set(_keys(cards)))
        if identifier in by_id
    ]


def _keys(cards: Sequence[Card]) -> Iterator[tuple[str, str]]:
    """Yield the keys of files in the area, with their ids in the ledger. Copies on request have a manifest beside."""
    for card in cards:
        for file in card.files:
            if file.destination == "sftp":
                for key in (file.key, manifest_of(file.key)):
                    yield key, file_id("sftp", key, None)
