"""Who has signed in, by the claims of an ID token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callseal.archive.issuer import SignInRefusedError
from callseal.archive.may import User
from callseal.core.landing import TENANT

MAX_GROUPS, MAX_TEXT = 500, 200


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """The names of the claims that the stack's parameters configure, and the group of the platform's own staff."""

    tenant: str
    groups: str
    agent: str
    platform_group: str


@dataclass(frozen=True, slots=True)
class Person:
    """A user with a tenant and a name. `is_external` is true for the platform's own staff."""

    tenant: str
    user: User
    name: str
    is_external: bool


def person_of(claims: Mapping[str, Any], names: ClaimNames) -> Person:
    """Return the person of verified claims. Raise SignInRefusedError if they name no e-mail or no tenant.

    The tenant is a claim of its own, never the e-mail's domain, where others may have a mailbox too.
    """
    email, tenant = claims.get("email"), claims.get(names.tenant)
    if not isinstance(email, str) or "@" not in email or len(email) > MAX_TEXT or not email.isprintable():
        raise SignInRefusedError("The issuer's ID token has no e-mail address.")
    if claims.get("email_verified") is False:
        raise SignInRefusedError("The issuer has not verified the user's e-mail address.")
    if not isinstance(tenant, str) or not TENANT.fullmatch(tenant):
        raise SignInRefusedError(f"The issuer's ID token names no tenant in its claim {names.tenant}.")
    groups, name = _texts(claims.get(names.groups)), claims.get("name")
    agent = claims.get(names.agent)
    user = User(email.lower(), frozenset(groups), agent if isinstance(agent, str) and agent else None)
    shown = name if isinstance(name, str) and name else email
    return Person(tenant, user, shown[:MAX_TEXT], bool(names.platform_group) and names.platform_group in groups)


def _texts(claim: object) -> list[str]:
    """Return a claim's texts. Issuers write one group as a text, several as a list."""
    values = claim if isinstance(claim, list) else [claim]
    return [each for each in values[:MAX_GROUPS] if isinstance(each, str) and each]
