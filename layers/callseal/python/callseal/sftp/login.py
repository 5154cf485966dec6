"""Logins: what the server asks about one, and why one is refused.

The shape is AWS Transfer Family's for a Lambda identity provider:
https://docs.aws.amazon.com/transfer/latest/userguide/custom-lambda-idp.html
A login with a key comes without a password, or with an empty one: the server has not looked at the key yet, will be
given all keys that may open a session, and compares for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from callseal.core.landing import TENANT
from callseal.tenants.login_sources import Address, parse_address

PROTOCOL = "SFTP"


class Refusal(StrEnum):
    """Why a login or an operation was refused."""

    PROTOCOL_NOT_OFFERED = "ProtocolNotOffered"
    PASSWORD_NOT_TAKEN = "PasswordNotTaken"  # noqa: S105  # a reason
    SOURCE_UNKNOWN = "SourceUnknown"
    TENANT_UNKNOWN = "TenantUnknown"
    TENANT_NOT_SET_UP = "TenantNotSetUp"
    SOURCE_NOT_ALLOWED = "SourceNotAllowed"
    PRIVATE_KEY_PASTED = "PrivateKeyPasted"
    NO_KEY_USABLE = "NoKeyUsable"
    KEY_REFUSED = "KeyRefused"
    CONNECTION_REJECTED = "ConnectionRejected"
    ACCESS_DENIED = "AccessDenied"


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """A server's question. `tenant` is None if the user's name cannot be a tenant's.

    People type passwords where a name belongs, so a name is repeated only if a tenant of that name exists.
    """

    tenant: str | None
    address: Address | None
    protocol: str
    has_password: bool
    server: str

    @property
    def session(self) -> dict[str, Any]:
        """What the audit is told of who asked."""
        return {"server": self.server or None, "address": str(self.address) if self.address else None}


def parse_login(event: Mapping[str, Any]) -> LoginRequest:
    """Read the event of a login; whatever is missing or odd in it is refused by what comes of it, not by an error."""
    name, password = event.get("username"), event.get("password")
    return LoginRequest(
        tenant=name if isinstance(name, str) and TENANT.fullmatch(name) else None,
        address=parse_address(event.get("sourceIp")),
        protocol=str(event.get("protocol", ""))[:8],
        has_password=bool(password),
        server=str(event.get("serverId") or "")[:64],
    )
