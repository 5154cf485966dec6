"""The mails of shares, sent by SES as plain text.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Protocol

from callseal.archive.share import Share
from callseal.archive.share_texts import TEXTS
from callseal.aws.calls import calling
from callseal.inbound.http import RefusedRequestError


class SesClient(Protocol):
    """The part of boto3's client that Callseal uses."""

    # ruff: noqa: N803  # boto3's own names
    def send_email(self, *, FromEmailAddress: str, Destination: Any, Content: Any) -> Any:
        """Send a mail."""


class ShareMails:
    """Sends mails to the recipients of shares."""

    def __init__(self, client: SesClient, sender: str) -> None:
        """Take the client, and the address that mails are sent from, which may be empty."""
        self._client, self._sender = client, sender

    def check(self) -> None:
        """Raise RefusedRequestError `Unavailable` if the stack has no address to send from."""
        if not self._sender:
            sentence = (
                "This archive cannot share recordings yet, because it has no address to send mail from. "
                "An operator sets it with the stack's parameter ShareMailFrom."
            )
            raise RefusedRequestError(HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable", sentence)

    def send_link(self, share: Share, link: str) -> None:
        """Send the link of a share to its recipient."""
        texts = TEXTS[share.language]
        until = datetime.fromtimestamp(share.until, UTC).strftime("%Y-%m-%d %H:%M UTC")
        self._send(share, texts.link_subject, texts.link.format(sender=share.creator, link=link, until=until))

    def send_code(self, share: Share, code: str) -> None:
        """Send a code to the recipient of a share."""
        texts = TEXTS[share.language]
        self._send(share, texts.code_subject, texts.code.format(code=code))

    def _send(self, share: Share, subject: str, text: str) -> None:
        self.check()
        body = {"Text": {"Data": text, "Charset": "UTF-8"}}
        with calling("Sending a mail of a share"):
            self._client.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [share.to]},
                Content={"Simple": {"Subject": {"Data": subject, "Charset": "UTF-8"}, "Body": body}},
            )
