"""docs/interoperability.md, written from what the tests see: `python -m tests.interop.page`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.interop import lab
from tests.interop.known import KNOWN, known, problem
from tests.interop.matrix import FAMILIES, seen
from tests.interop.peers import Peer
from tests.interop.rows import Row

PAGE = Path(__file__).parents[2] / "docs" / "interoperability.md"
TITLES = {"cms": "X.509: CMS (`.p7m`)", "openpgp": "OpenPGP (`.pgp`)"}
INTRO = """\
# Which readers open what Callseal delivers

Every row is a variant that we write, every column a reader that a tenant may have. In each cell, files of 0, 1, 16 and
about 600 thousand bytes were opened by each recipient alone, with nothing but its own key, and compared byte for byte.

- **yes**: all of them opened.
- **no**, **in part**: all, or those of some recipients, were refused, for the reason in the note.

CMS files are definite DER up to 2 GiB, and indefinite BER above; here small files are written either way.

This page is written from what the tests see (`python -m tests.interop.page`, with `PYTHONPATH=layers/callseal/python`),
and they fail when it is stale. A reader that opens what a note says it cannot makes them fail too.
"""
AFTER = """\
## Changed, cut off, wrong key

The tests also flip bits all over a file, cut its tail off at every kind of place, and try wrong keys, with
`openssl cms`, Bouncy Castle, `gpg`, `sq`, `rnp` and pysequoia:

- **authenveloped-gcm and OpenPGP** are authenticated: a changed or shortened recording never opens without an error.
  The reader tells by its exit code or exception, and may have written something before: write to a temporary name.
  One gap: of a file that was cut off before its encrypted content, `gpg` makes no output and still ends with exit
  code 0. So look for the output file as well.
- **The framing** (version numbers, lengths, names of recipients) is not authenticated: a bit may be changed there
  without the reader's notice. What it then opens is the recording, byte for byte.
- **enveloped-cbc is not authenticated.** A file that was cut off is refused. But a bit flipped in the encrypted content
  opens *without an error*, as 16 bytes of noise and one flipped bit in the 16 bytes behind them; one in the
  initialisation vector as one flipped bit in the first 16 bytes. In the padding, it is refused; in the last 16 bytes,
  mostly, and else the recording ends wrongly. With a wrong RSA key, a reader refuses or, by chance, gives noise, never
  the recording. So compare the delivered file's `sha256` with that of its audit event, or use the default profile.

## Above 2 GiB

Lengths are definite up to 2,147,483,647 bytes in all. Above that they are indefinite (BER, the content in pieces), for
Bouncy Castle's stream parser refuses longer ones; it reads the heads of both. `openssl cms` holds a file in memory and
failed at 2 GB when we tried; `gpg`, `sq` and `rnp` stream.
"""


def render() -> str:
    """Write the page; raises ValueError where what was seen is not what known.py says."""
    parts = [INTRO]
    for family, (rows, peers) in FAMILIES.items():
        parts.append(f"## {TITLES[family]}\n\n{_table(rows, peers)}\n")
    notes = (f"{number}. {entry.reason} *{entry.advice}*" for number, entry in enumerate(KNOWN, start=1))
    parts.append("## Notes\n\nThe reason, and *what a tenant with that reader can do*.\n\n" + "\n".join(notes) + "\n")
    return "\n".join((*parts, AFTER))


def _table(rows: Iterable[Row], peers: list[Peer]) -> str:
    lines = [
        "| sealed to | " + " | ".join(f"{peer.title} {peer.version()}" for peer in peers) + " |",
        "|---|" + "---|" * len(peers),
    ]
    form = "openpgp"
    for row in rows:
        if row.form != form:
            form = row.form
            lines.append(f"| **{form}** |" + " |" * len(peers))
        title = f"{row.title}, {row.lengths}" if row.lengths else row.title
        lines.append(f"| {title} | " + " | ".join(_cell(row, peer) for peer in peers) + " |")
    return "\n".join(lines)


def _cell(row: Row, peer: Peer) -> str:
    attempts = seen(row, peer)
    if problems := [said for one in attempts if (said := problem(row, peer, one))]:
        raise ValueError("\n".join(problems))
    opened = sum(one.verdict == "opened" for one in attempts)
    if opened == len(attempts):
        return "yes"
    entries = {known(row, peer, one.key) for one in attempts if one.verdict != "opened"}
    notes = ", ".join(str(number) for number, entry in enumerate(KNOWN, start=1) if entry in entries)
    return f"{'in part' if opened else 'no'} [{notes}]"


if __name__ == "__main__":
    try:
        PAGE.write_text(render())
    finally:
        lab.leave()
