"""Shares: users who share recordings, the mails that were sent, and recipients who open them."""

from __future__ import annotations

import re
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from tests.support.archive import Reply, Visitor
from tests.support.stack import REGION

TO = "ola@lawyers.example"
LINK = re.compile(r"(\S+/s/([0-9a-f]{32})#(\S+))")


def mails() -> list[Any]:
    """Return the mails that were sent, each with source, subject, body and destinations."""
    return list(ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages)


def share(visitor: Visitor, call: str, /, **members: Any) -> Reply:
    """Ask for a share of a call's first file."""
    return visitor.post("/api/shares", {"call": call, "file": 0, "to": TO, "days": 7, "language": "en", **members})


def link(text: str) -> tuple[str, str]:
    """Return the id and the secret of the link in a mail."""
    found = LINK.search(text)
    assert found, text
    return found[2], found[3]


def code(text: str) -> str:
    """Return the code in a mail."""
    (found,) = re.findall(r"\b\d{8}\b", text)
    return str(found)


class Recipient:
    """A recipient with the link of a share, and a browser."""

    def __init__(self, browser: Visitor, share_id: str, secret: str) -> None:
        self.browser, self.id, self.secret = browser, share_id, secret

    def ask(self, **members: Any) -> Reply:
        """Ask for a code."""
        return self.browser.post(f"/s/{self.id}/code", {"secret": self.secret, **members})

    def code(self) -> str:
        """Ask for a code, and return it from the mail."""
        reply = self.ask()
        assert reply.status == 200, reply.data
        return code(mails()[-1].body)

    def open(self, code: str, **members: Any) -> Reply:
        """Try a code."""
        return self.browser.post(f"/s/{self.id}/open", {"secret": self.secret, "code": code, **members})

    def audio(self, span: str = "bytes=0-") -> Reply:
        """Ask for a range of the recording."""
        return self.browser.get(f"/s/{self.id}/audio", {"range": span})
