"""The blind index: keyed hashes of numbers, agents and queues, by which a search finds a call without storing them.

A tenant's key is the MAC of its name and its salt under the stack's HMAC key in KMS. The salt is an item of the calls
table. Without it the key cannot be computed again, so deleting the salt makes a tenant's hashes useless.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.aws.items import ChangedMeanwhileError, conditionally, item, plain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from callseal.aws.mac_key import MacKey
    from callseal.calls.card_facts import Kind
    from callseal.core.clock import Clock

# Names the key and the form that values have when they are hashed. A change of either needs another name, so that a
# search can look for each name that is in use.
VERSION = "k1"
CONTEXT = b"callseal/blind/v1/"
CACHE_TIME = timedelta(seconds=60)
HASH_BYTES, SALT_BYTES = 16, 32
# The id of a tenant's salt among its calls, whose ids are 32 hex characters.
SALT_ID = "salt"


class BlindIndex:
    """Hashes values with their tenant's key. Thread-safe.

    A worker requests a tenant's key at most once in CACHE_TIME.
    """

    def __init__(self, client: DynamoDBClient, table: str, key: MacKey, clock: Clock) -> None:
        """Take the client and the name of the calls table, which has the salts, and the stack's HMAC key."""
        self._client, self._table, self._key, self._clock = client, table, key, clock
        self._keys: dict[str, tuple[bytes, datetime]] = {}
        self._lock = Lock()

    def hashed(self, tenant: str, kind: Kind, text: str) -> str:
        """Return the hash of a value. A tenant without a salt gets one."""
        with self._lock:
            key = self._tenant_key(tenant) or self._use(tenant, self._new_salt(tenant))
        return _hash(key, kind, text)

    def find(self, tenant: str, values: Mapping[Kind, str]) -> dict[Kind, str]:
        """Return the hashes of values, or {} if the tenant has no salt, so no card of it has a hash."""
        with self._lock:
            key = self._tenant_key(tenant)
        return {kind: _hash(key, kind, text) for kind, text in values.items()} if key else {}

    def salt(self, tenant: str) -> str:
        """Return a tenant's salt, in hex. A tenant without a salt gets one."""
        return self._salt(tenant) or self._new_salt(tenant)

    def _tenant_key(self, tenant: str) -> bytes | None:
        """Return a tenant's key, or None if it has no salt. That it has none is never taken from the cache."""
        key, until = self._keys.get(tenant, (b"", self._clock()))
        if self._clock() < until:
            return key
        salt = self._salt(tenant)
        return self._use(tenant, salt) if salt else None

    def _use(self, tenant: str, salt: str) -> bytes:
        """Return the key of a salt, and keep it for CACHE_TIME."""
        key = self._key.mac(CONTEXT + tenant.encode() + bytes.fromhex(salt))
        self._keys[tenant] = key, self._clock() + CACHE_TIME
        return key

    def _salt(self, tenant: str) -> str | None:
        with calling("Reading a tenant's salt"):
            found = self._client.get_item(
                TableName=self._table, Key=item({"tenant": tenant, "id": SALT_ID}), ConsistentRead=True
            )
        salt: str | None = plain(found.get("Item", {})).get("salt")
        return salt

    def _new_salt(self, tenant: str) -> str:
        """Create a tenant's salt. If another worker creates it at the same time, return that one."""
        salt = secrets.token_hex(SALT_BYTES)
        try:
            with conditionally("Creating a tenant's salt"):
                self._client.put_item(
                    TableName=self._table,
                    Item=item({"tenant": tenant, "id": SALT_ID, "salt": salt}),
                    ConditionExpression="attribute_not_exists(id)",
                )
        except ChangedMeanwhileError:
            if not (other := self._salt(tenant)):
                raise  # it was deleted again
            return other
        return salt


def _hash(key: bytes, kind: Kind, text: str) -> str:
    digest = hmac.digest(key, f"{kind}\0{text}".encode(), "sha256")[:HASH_BYTES]
    return f"{VERSION}:{urlsafe_b64encode(digest).decode().rstrip('=')}"
