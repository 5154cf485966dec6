"""Mails that functions send by SES v2: moto accepts them, and each becomes a file that a person or a test can read."""

import base64
import functools
import io
import json
import os
import time
from collections.abc import Callable, Iterable
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any

from localcloud.clock_file import ClockFile
from localcloud.moto_app import WsgiApp

_SEND_EMAIL = "/v2/email/outbound-emails"
_RECIPIENTS = {"ToAddresses": "To", "CcAddresses": "Cc"}


def write_mails(app: WsgiApp, folder: Path, sender: str, clock: ClockFile) -> WsgiApp:
    """Return an app that writes each mail into a folder as `*.eml`, and takes `sender` for verified."""
    # moto's SES is imported with the first mail: few runs send any.
    verify = functools.cache(lambda: _verify(sender))

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) != ("POST", _SEND_EMAIL):
            return app(environ, start_response)
        verify()
        body, statuses = environ["wsgi.input"].read(), []
        environ["wsgi.input"] = io.BytesIO(body)

        def started(status: str, *arguments: Any) -> Any:
            statuses.append(status)
            return start_response(status, *arguments)

        answer = b"".join(app(environ, started))
        if statuses[-1].startswith("200"):
            mail = _mail(json.loads(body))
            _complete(mail, json.loads(answer)["MessageId"], clock)
            _write(folder, mail)
        return [answer]

    return serve


def _verify(sender: str) -> None:
    from moto.ses.models import SESBackend

    is_verified, accepted = SESBackend._is_verified_address, parseaddr(sender)[1].lower()

    @functools.wraps(is_verified)
    def verified(self: Any, source: str) -> bool:
        return parseaddr(source)[1].lower() == accepted or is_verified(self, source)

    SESBackend._is_verified_address = verified  # type: ignore[method-assign]


def _mail(request: dict[str, Any]) -> EmailMessage:
    content = request["Content"]
    if "Raw" in content:
        parsed: Any = message_from_bytes(base64.b64decode(content["Raw"]["Data"]), policy=policy.SMTP)
        mail: EmailMessage = parsed
        return mail
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = request["FromEmailAddress"]
    for member, header in _RECIPIENTS.items():
        if addresses := request.get("Destination", {}).get(member):
            mail[header] = ", ".join(addresses)
    if reply_to := request.get("ReplyToAddresses"):
        mail["Reply-To"] = ", ".join(reply_to)
    simple = content["Simple"]
    mail["Subject"] = simple["Subject"]["Data"]
    for header in simple.get("Headers", []):
        mail[header["Name"]] = header["Value"]
    _set_body(mail, simple["Body"])
    return mail


def _set_body(mail: EmailMessage, body: dict[str, Any]) -> None:
    text, html = body.get("Text"), body.get("Html")
    if text:
        mail.set_content(text["Data"])
    if html and text:
        mail.add_alternative(html["Data"], subtype="html")
    elif html:
        mail.set_content(html["Data"], subtype="html")


def _complete(mail: EmailMessage, message_id: str, clock: ClockFile) -> None:
    # SES sets both, whatever the sender has set.
    del mail["Message-ID"], mail["Date"]
    mail["Message-ID"] = f"<{message_id}@email.amazonses.com>"
    mail["Date"] = format_datetime(clock.now())


def _write(folder: Path, mail: EmailMessage) -> None:
    # The names are in the order of the mails.
    draft = folder / f"{time.time_ns()}.draft"
    draft.write_bytes(mail.as_bytes())
    os.replace(draft, draft.with_suffix(".eml"))
