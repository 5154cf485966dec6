"""Mails that are sent by SES are files that a test can read."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from localcloud.moto_process import MotoProcess

SENDER = "Archive <archive@callseal.example>"


class Mailer:
    def __init__(self, moto: MotoProcess, folder: Path) -> None:
        self.moto, self.folder, self.clock = moto, folder / "mail", folder / "clock"

    def send(self, content: dict[str, Any], **options: Any) -> str:
        arguments = {"FromEmailAddress": SENDER, "Destination": {"ToAddresses": ["kari@firm.example"]}} | options
        return str(self.moto.client("sesv2").send_email(Content=content, **arguments)["MessageId"])

    def mails(self) -> list[EmailMessage]:
        """Return the mails in their order, with a strict parser."""
        read: list[Any] = [
            message_from_bytes(path.read_bytes(), policy=policy.SMTP.clone(raise_on_defect=True))
            for path in sorted(self.folder.glob("*.eml"))
        ]
        return read


@pytest.fixture
def mailer(tmp_path: Path) -> Iterator[Mailer]:
    (tmp_path / "mail").mkdir()
    options = {"clock_file": tmp_path / "clock", "mail_dir": tmp_path / "mail", "mail_sender": SENDER}
    process = MotoProcess(0, "eu-north-1", lambda line: None, **{name: str(value) for name, value in options.items()})
    yield Mailer(process, tmp_path)
    process.close()


def simple(subject: str, **bodies: str) -> dict[str, Any]:
    return {"Simple": {"Subject": {"Data": subject}, "Body": {name: {"Data": text} for name, text in bodies.items()}}}


def test_mail_is_an_rfc_5322_message(mailer: Mailer) -> None:
    text = "Koden er 12345678.\n\n" + "En lang linje med æøå. " * 60
    message_id = mailer.send(
        simple("Ein Gespräch für Sie", Text=text),
        Destination={"ToAddresses": ["Kari <kari@firm.example>"], "CcAddresses": ["a@b.example", "c@d.example"],
                     "BccAddresses": ["hidden@firm.example"]},
        ReplyToAddresses=["reply@acme.example"],
    )  # fmt: skip

    (path,) = mailer.folder.iterdir()
    assert path.suffix == ".eml"
    lines = path.read_bytes().split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line for line in lines)
    (mail,) = mailer.mails()
    assert mail["From"] == SENDER
    assert (mail["To"], mail["Cc"]) == ("Kari <kari@firm.example>", "a@b.example, c@d.example")
    assert mail["Reply-To"] == "reply@acme.example"
    assert mail["Subject"] == "Ein Gespräch für Sie"
    assert message_id in mail["Message-ID"]
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == text.splitlines()
    assert b"hidden@" not in path.read_bytes()


def test_mail_with_both_bodies_has_both(mailer: Mailer) -> None:
    mailer.send(simple("s", Text="plain", Html="<p>rich</p>"))
    (mail,) = mailer.mails()
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content().strip() for part in mail.iter_parts()] == ["plain", "<p>rich</p>"]


def test_raw_mail_is_kept(mailer: Mailer) -> None:
    raw = f"From: {SENDER}\r\nTo: kari@firm.example\r\nSubject: raw\r\nX-Own: 1\r\n\r\nbody\r\n".encode()
    mailer.send({"Raw": {"Data": raw}})
    (mail,) = mailer.mails()
    assert (mail["Subject"], mail["X-Own"], mail.get_content().strip()) == ("raw", "1", "body")


def test_mails_are_in_their_order_and_by_the_clock(mailer: Mailer) -> None:
    mailer.send(simple("first", Text="x"))
    mailer.clock.write_text("86400", encoding="utf-8")
    mailer.send(simple("second", Text="x"))
    first, second = mailer.mails()
    assert [first["Subject"], second["Subject"]] == ["first", "second"]
    assert (parsedate_to_datetime(second["Date"]) - parsedate_to_datetime(first["Date"])).days >= 1


def test_sender_that_is_not_verified_is_refused(mailer: Mailer) -> None:
    sesv2 = mailer.moto.client("sesv2")
    with pytest.raises(sesv2.exceptions.MessageRejected):
        mailer.send(simple("s", Text="x"), FromEmailAddress="other@callseal.example")
    assert mailer.mails() == []
