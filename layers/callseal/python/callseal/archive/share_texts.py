"""The texts of the mails of shares, in each language that a share can have. They name no caller and no call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Texts:
    """A subject and a text for the mail with the link, and for that with a code."""

    link_subject: str
    link: str
    code_subject: str
    code: str


TEXTS: Mapping[str, Texts] = {
    "en": Texts(
        "A call recording was shared with you",
        """\
{sender} has shared a call recording with you.

Open this link to listen to it:
{link}

The link works until {until}. When you open it, you can ask for a code, which is sent to this address. Do not forward
this message.
""",
        "Your code for a shared call recording",
        """\
Your code is {code}

It works once, for 10 minutes, and only in the browser in which you asked for it. Give it to no one.
If you did not ask for a code, ignore this message.
""",
    ),
    "nb": Texts(
        "Et samtaleopptak er delt med deg",
        """\
{sender} har delt et samtaleopptak med deg.

Åpne denne lenken for å høre det:
{link}

Lenken virker til {until}. Når du åpner den, kan du be om en kode, som sendes til denne adressen. Ikke videresend denne
meldingen.
""",
        "Koden din for et delt samtaleopptak",
        """\
Koden din er {code}

Den virker én gang, i 10 minutter, og bare i nettleseren der du ba om den. Ikke gi den til noen.
Hvis du ikke har bedt om en kode, kan du se bort fra denne meldingen.
""",
    ),
    "de": Texts(
        "Eine Gesprächsaufzeichnung wurde mit Ihnen geteilt",
        """\
{sender} hat eine Gesprächsaufzeichnung mit Ihnen geteilt.

Öffnen Sie diesen Link, um sie anzuhören:
{link}

Der Link gilt bis {until}. Wenn Sie ihn öffnen, können Sie einen Code anfordern, der an diese Adresse gesendet wird.
Leiten Sie diese Nachricht nicht weiter.
""",
        "Ihr Code für eine geteilte Gesprächsaufzeichnung",
        """\
Ihr Code lautet {code}

Er gilt einmal, 10 Minuten lang und nur in dem Browser, in dem Sie ihn angefordert haben. Geben Sie ihn nicht weiter.
Wenn Sie keinen Code angefordert haben, ignorieren Sie diese Nachricht.
""",
    ),
}
