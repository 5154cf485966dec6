"""A share: one recording that one address may listen to until a day, by a link and by codes.

The link has a secret, of which only the hash is stored. A code is bound to the browser that asked for it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import randbelow
from typing import Any

from callseal.core.audit import timestamp

SHARE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
CODE_DIGITS = 8
CODE_TIME, OPEN_TIME = timedelta(minutes=10), timedelta(minutes=30)
MAX_TRIES, MAX_DEAD = 5, 3
MAX_CODES, MAX_CODES_AN_HOUR = 10, 3
# The table removes a share so long after its end. Its events are in the trail.
KEPT_AFTER = timedelta(days=7)
# The attribute of an opening, before its browser's hash: when it ends, when its play began, and that this is recorded.
OPEN, PLAYED, RECORDED = "open_", "played_", "recorded_"


@dataclass(frozen=True, slots=True)
class Share:
    """A share as it was read. `until` and the times of codes are in seconds since 1970.

    `key`, `size` and `etag` are of the object that was shared. `sent` are the times at which codes were sent. `code` is
    the MAC of the code that is valid now, for the browser of the hash `browser`, and `taken` says that it was used.
    `dead` counts codes that wrong tries have killed. `openings` are by browsers' hashes.
    """

    id: str
    tenant: str
    created: str
    creator: str
    to: str
    call: str
    file: int
    key: str
    size: int
    etag: str
    language: str
    secret: str
    until: int
    cancelled: int | None = None
    dead: int = 0
    sent: tuple[int, ...] = ()
    code: str | None = None
    code_until: int = 0
    browser: str | None = None
    tries: int = 0
    taken: int | None = None
    openings: Mapping[str, int] = field(default_factory=dict)
    recorded: frozenset[str] = frozenset()

    def state(self, now: datetime) -> str:
        """Return `active`, `locked`, `expired` or `cancelled`."""
        if self.cancelled is not None:
            return "cancelled"
        if self.dead >= MAX_DEAD:
            return "locked"
        return "active" if self.until > now.timestamp() else "expired"

    def public(self, now: datetime) -> dict[str, Any]:
        """Return the members that the API shows to users of the tenant."""
        return {
            "id": self.id,
            "state": self.state(now),
            "to": self.to,
            "call": self.call,
            "file": self.file,
            "language": self.language,
            "user": self.creator,
            "created": self.created,
            "expires": timestamp(datetime.fromtimestamp(self.until, UTC)),
        }

    @property
    def masked(self) -> str:
        """The recipient's address, of whose first part only one character is shown."""
        local, _, domain = self.to.rpartition("@")
        return f"{local[:1]}***@{domain}"

    def may_send(self, now: datetime) -> bool:
        """Return whether one more code may be sent now."""
        hour_ago = (now - timedelta(hours=1)).timestamp()
        lately = [time for time in self.sent if time > hour_ago]
        return len(self.sent) < MAX_CODES and len(lately) < MAX_CODES_AN_HOUR

    def has_code_for(self, browser: str) -> bool:
        """Return whether the present code was sent to a browser. Counting a try finds out whether it is still valid."""
        return self.code is not None and hmac.compare_digest(self.browser or "", browser)

    def is_open(self, browser: str, now: datetime) -> bool:
        """Return whether the share is open in a browser."""
        return self.openings.get(browser, 0) > now.timestamp()


def new_code() -> str:
    """Return a random code."""
    return f"{randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"


def browser_hash(share: str, cookie: str) -> str:
    """Return by what a share knows a browser: another value for each share, and no cookie."""
    return sha256(f"{share}#{cookie}".encode()).hexdigest()


def code_mac(secret: str, share: str, browser: str, code: str) -> str:
    """Return the MAC of a code, bound to its share and its browser.

    The key is the link's secret, which the table does not have, so a reader of the table cannot try codes.
    """
    return hmac.new(secret.encode(), f"{share}#{browser}#{code}".encode(), sha256).hexdigest()
