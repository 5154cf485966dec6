"""The scope of a new hold, from what a person asks for. Shared by the command and the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callseal.calls.call_name import CALL_ID
from callseal.calls.call_query import parse_span
from callseal.calls.card_table import index_key
from callseal.calls.card_walk import NEWEST
from callseal.calls.conditions import PATTERN
from callseal.calls.index_mode import IndexMode
from callseal.calls.numbers import Numbering
from callseal.core.audit import timestamp
from callseal.retention.hold import HoldInvalidError
from callseal.retention.scope import ANY, KINDS, Scope
from callseal.tenants.settings import TenantSettings

if TYPE_CHECKING:
    from callseal.calls.blind_index import BlindIndex
    from callseal.calls.card_table import CardTable

MAX_CALLS = 1000


@dataclass(frozen=True, slots=True)
class AskedScope:
    """What a person asks for: the ids of calls, or else filters as a search has them. `future` adds later calls."""

    calls: tuple[str, ...] = ()
    caller: str | None = None
    queue: str | None = None
    agent: str | None = None
    since: str | None = None
    until: str | None = None
    future: bool = False

    @property
    def filters(self) -> list[str]:
        """The given filters."""
        return [text for text in (self.caller, self.queue, self.agent, self.since, self.until) if text is not None]


class HoldScopes:
    """Makes scopes of holds."""

    def __init__(self, cards: CardTable, blind: BlindIndex) -> None:
        """Take the collaborators."""
        self._cards, self._blind = cards, blind

    def scope(self, tenant: str, asked: AskedScope, settings: TenantSettings, mode: IndexMode) -> Scope:
        """Return the scope. Raise HoldInvalidError, or FilterError for times.

        `mode` is how the tenant's calls are indexed.
        """
        _check_tenant(tenant, settings, mode)
        if asked.calls:
            return self._of_calls(tenant, asked)
        if not asked.filters:
            raise HoldInvalidError("A hold needs a scope: name calls, a caller, a queue, an agent, or times.")
        since, until = parse_span(asked.since, asked.until)
        values = {
            "party": _number(asked.caller, Numbering(settings.default_region, settings.own_numbers)),
            "queue": _text("queue", asked.queue, mode),
            "agent": _text("agent", asked.agent, mode),
        }
        given: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
        is_blind = mode == "blind"
        return Scope(
            since=timestamp(since) if since else None,
            until=timestamp(until) if until else None,
            future=asked.future,
            is_blind=is_blind,
            is_mixed=is_blind and any(self._is_plain(tenant, *each) for each in given.items()),
            **(self._hashed(tenant, given) if is_blind else given),
        )

    def _of_calls(self, tenant: str, asked: AskedScope) -> Scope:
        calls = tuple(dict.fromkeys(asked.calls))
        if asked.filters:
            raise HoldInvalidError("A hold of named calls takes no other filter. Place another hold for the filters.")
        if len(calls) > MAX_CALLS:
            raise HoldInvalidError(f"A hold names {MAX_CALLS} calls at most. Place several holds, or use filters.")
        for call in calls:
            if not CALL_ID.fullmatch(call):
                raise HoldInvalidError(f"{call!r} is no call's id, which has 32 characters of 0-9 and a-f.")
        if not asked.future:
            self._check_known(tenant, calls)
        return Scope(calls=calls, future=asked.future)

    def _check_known(self, tenant: str, calls: tuple[str, ...]) -> None:
        found = self._cards.cards(tenant, calls)
        known = {call for call, stored in found.items() if stored.card.is_listed or stored.card.gone}
        if unknown := [call for call in calls if call not in known]:
            raise HoldInvalidError(f"{tenant} has no call {unknown[0]}. For a call that has not landed, say future.")

    def _hashed(self, tenant: str, given: Mapping[str, str]) -> dict[str, Any]:
        return {
            name: value if value == ANY else self._blind.hashed(tenant, KINDS[name], value)
            for name, value in given.items()
        }

    def _is_plain(self, tenant: str, name: str, value: str) -> bool:
        """Return whether a plain card of a tenant whose calls are now indexed blind has a value."""
        return bool(self._cards.places(name, index_key(tenant, value), None, NEWEST, 1))


def _check_tenant(tenant: str, settings: TenantSettings, mode: IndexMode) -> None:
    if not settings.deliver_to_archive:
        raise HoldInvalidError(
            f"{tenant} has no archive, so its recordings are deleted some days after their delivery and none can be "
            "held. Holds need the setting deliver_to_archive=true."
        )
    if mode == "off":
        raise HoldInvalidError(f"The calls of {tenant} are not indexed (call_index=off), so no hold can find them.")


def _number(caller: str | None, numbering: Numbering) -> str | None:
    if caller is None:
        return None
    # The pattern of a number would be read as a number with fewer digits.
    number = None if "*" in caller else numbering.normalise(caller)
    if number is None or numbering.is_own(number):
        raise HoldInvalidError("The caller is withheld, no number, or the tenant's own, so no call is indexed by it.")
    return number


def _text(name: str, value: str | None, mode: IndexMode) -> str | None:
    if value is None:
        return None
    if not re.fullmatch(PATTERN, value):
        raise HoldInvalidError(f"The {name} is empty, too long or no text. It may have * at either end.")
    if mode == "blind" and "*" in value and value != ANY:
        raise HoldInvalidError(
            f"The tenant's calls are indexed blind, so the pattern {value} would match no {name}. Name each {name}, or "
            "use * for all."
        )
    return value
