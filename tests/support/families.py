"""The two families of tenants' keys, for tests that apply to both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.keys import OpenPgpTenant, X509Tenant, openpgp_tenant, x509_tenant


@dataclass(frozen=True)
class Family:
    """How to make a tenant of the family, and what its outputs look like. Each `name` has a different key."""

    make: Callable[[str], X509Tenant | OpenPgpTenant]
    suffix: str
    envelope: str
    content_type: str


FAMILIES = {
    "x509": Family(lambda name: x509_tenant("rsa2048", name), ".p7m", "cms", "application/pkcs7-mime"),
    "openpgp": Family(lambda name: openpgp_tenant("cv25519", name), ".pgp", "openpgp", "application/pgp-encrypted"),
}
