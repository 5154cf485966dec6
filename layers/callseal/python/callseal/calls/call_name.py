"""The name of a call: its files' landing key without the tenant and the extension, and the public id made from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from callseal.core.formats import ENVELOPES, MEDIA_TYPES, METADATA_TYPES
from callseal.core.landing import RESERVED_FOLDERS, tenant_of

CALL_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
# The folder of a tenant's area with copies on request, each in a folder of its request.
REQUESTS = "requests"


@dataclass(frozen=True, slots=True)
class CallName:
    """A tenant, and the base name that a call's recordings and metadata share, folders included (`2026/11/4711_1`)."""

    tenant: str
    name: str

    @property
    def id(self) -> str:
        """The call's public id, 32 lower-case hex characters."""
        return sha256(f"{self.tenant}\0{self.name}".encode()).hexdigest()[:32]


def call_of(key: str) -> CallName | None:
    """Return the call that a landed or delivered file belongs to, by its key. None if the key is not of a call's file.

    The extension may have any case. An output's key has an envelope's suffix after it. A copy on request is found by
    its `original_key`.
    """
    tenant, plain = tenant_of(key), _without_suffix(key)
    name, _, _ = plain.partition("/")[2].rpartition(".")
    is_reserved = name.partition("/")[0] in RESERVED_FOLDERS and "/" in name
    is_file = extension_of(key) in MEDIA_TYPES and name and not name.endswith("/") and not is_reserved
    return CallName(tenant, name) if tenant and is_file else None


def original_key(key: str) -> str:
    """Return the key of a delivered file, of which this may be a copy in `<tenant>/requests/<id>/`."""
    tenant, _, rest = key.partition("/")
    folder, _, copied = rest.partition("/")
    return f"{tenant}/{copied.partition('/')[2]}" if folder == REQUESTS else key


def extension_of(key: str) -> str:
    """Return the extension of a landed or delivered file in lower case, without an envelope's suffix."""
    return _without_suffix(key).rpartition("/")[2].rpartition(".")[2].lower()


def is_metadata(key: str) -> bool:
    """Return whether a file is a call's metadata, not its recording."""
    return extension_of(key) in METADATA_TYPES


def _without_suffix(key: str) -> str:
    for envelope in ENVELOPES.values():
        key = key.removesuffix(envelope.suffix)
    return key
