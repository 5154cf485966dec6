"""Refused logins: one message for each, and one audit event for all from an address within a minute.

Anyone can cause refusals at any rate. A message uses no quota that sealing needs, but an event does. Messages are
therefore collected in a queue, and a batch of them becomes a few events with counts.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from callseal.core.audit import timestamp
from callseal.core.errors import UnreadableNotificationError
from callseal.sftp.login import Refusal

# The most events of a batch for a single address. The other addresses of the batch share one event for each reason.
MAX_ADDRESSES = 30
_MINUTE = len("2026-11-24T12:20")


@dataclass(frozen=True, slots=True)
class RefusedLogin:
    """A refused attempt. `time` is RFC 3339 in UTC. `tenant` is None unless a tenant of that name exists."""

    time: str
    address: str | None
    server: str | None
    tenant: str | None
    reason: str
    message: str | None = None

    @property
    def minute(self) -> str:
        """The minute of the attempt, `YYYY-MM-DDTHH:MM`."""
        return self.time[:_MINUTE]


@dataclass(frozen=True, slots=True)
class RefusedLines:
    """Refused lines of a tenant's SFTP keys in one version of the secret. `message` names them."""

    time: str
    tenant: str
    version: str
    message: str


Notice = RefusedLogin | RefusedLines


@dataclass(frozen=True, slots=True)
class RefusedLogins:
    """Attempts that share one event: the earliest one, the ids of all messages, and the number of addresses."""

    first: RefusedLogin
    messages: tuple[str, ...]
    addresses: int = 1


def refused_login(
    now: datetime, session: dict[str, Any], tenant: str | None, refusal: Refusal, message: str | None = None
) -> RefusedLogin:
    """Return a refused login. `session` has the members `address` and `server`."""
    return RefusedLogin(timestamp(now), session["address"], session["server"], tenant, refusal.value, message)


def write_notice(notice: Notice) -> str:
    """Return a notice as a message's body (JSON)."""
    kind = "login" if isinstance(notice, RefusedLogin) else "lines"
    return json.dumps({"kind": kind, **asdict(notice)})


def read_notice(body: str) -> Notice:
    """Return the notice in a message's body. Raise UnreadableNotificationError for any other text."""
    try:
        members = json.loads(body)
        kind = {"login": RefusedLogin, "lines": RefusedLines}[members.pop("kind")]
        notice: Notice = kind(**members)
        if isinstance(notice, RefusedLogin):
            Refusal(notice.reason)
        datetime.fromisoformat(notice.time)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise UnreadableNotificationError("The message is not a notice of a refused login.") from exc
    return notice


def aggregate(refused: Iterable[tuple[str, RefusedLogin]]) -> list[RefusedLogins]:
    """Return one group for each minute, address, server, tenant and reason. `refused` has the messages' ids.

    A batch with more than MAX_ADDRESSES groups keeps those of tenants first, then the largest. The rest becomes one
    group for each reason, without address and tenant.
    """
    groups = [_group(members) for members in _by(refused, "minute", "address", "server", "tenant", "reason")]
    groups.sort(key=lambda group: (group.first.tenant is None, -len(group.messages)))
    kept, rest = groups[:MAX_ADDRESSES], groups[MAX_ADDRESSES:]
    return [*kept, *_merged(rest)]


def _by(refused: Iterable[tuple[str, RefusedLogin]], *names: str) -> Iterator[list[tuple[str, RefusedLogin]]]:
    found: dict[tuple[Any, ...], list[tuple[str, RefusedLogin]]] = defaultdict(list)
    for identifier, login in refused:
        found[tuple(getattr(login, name) for name in names)].append((identifier, login))
    yield from found.values()


def _group(members: Sequence[tuple[str, RefusedLogin]]) -> RefusedLogins:
    first = min((login for _, login in members), key=lambda login: login.time)
    return RefusedLogins(first, tuple(sorted(identifier for identifier, _ in members)))


def _merged(groups: Sequence[RefusedLogins]) -> Iterator[RefusedLogins]:
    reasons: dict[str, list[RefusedLogins]] = defaultdict(list)
    for group in groups:
        reasons[group.first.reason].append(group)
    for merged in reasons.values():
        first = min((group.first for group in merged), key=lambda login: login.time)
        anybody = replace(first, address=None, tenant=None, message=None)
        messages = sorted(message for group in merged for message in group.messages)
        yield RefusedLogins(anybody, tuple(messages), len({group.first.address for group in merged}))
