"""The server's request about a login, and the reasons for refusals.

The shape is that of AWS Transfer Family for a Lambda identity provider:
https://docs.aws.amazon.com/transfer/latest/userguide/custom-lambda-idp.html
A request for a login with a key has no password, or an empty one. The server has not checked the key yet: it receives
all keys that may open a session, and compares them itself.
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
    """A server's request. `tenant` is None if the user name cannot be a tenant's name.

    People type passwords into the field for the name, so a name is logged only if a tenant of that name exists.
    """

    tenant: str | None
    address: Address | None
    protocol: str
    has_password: bool
    server: str

    @property
    def session(self) -> dict[str, Any]:
        """The members `server` and `address` of an audit event's session."""
        return {"server": self.server or None, "address": str(self.address) if self.address else None}


def parse_login(event: Mapping[str, Any]) -> LoginRequest:
    """Return the request in an event. A missing or malformed member raises no error, but leads to a refusal later."""
    name, password = event.get("username"), event.get("password")
    return LoginRequest(
        tenant=name if isinstance(name, str) and TENANT.fullmatch(name) else None,
        address=parse_address(event.get("sourceIp")),
        protocol=str(event.get("protocol", ""))[:8],
        has_password=bool(password),
        server=str(event.get("serverId") or "")[:64],
    )
