"""docs/interoperability.md, generated from the tests' results: `python -m tests.interop.page`."""

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

Each row is a variant that Callseal writes, and each column a reader that a tenant may have. For each cell, each
recipient alone, with only its own key, opened files of 0, 1, 16 and about 600 thousand bytes. The results were
compared byte for byte.

- **yes**: all files opened.
- **no**: all files were refused, for the reason in the note.
- **in part**: the files of some recipients were refused, for the reason in the note.

CMS files have definite lengths (DER) up to 2 GiB, and indefinite lengths (BER) above. For this page, small files were
written in both forms.

This page is generated from the results of the tests (`make docs`). The tests fail if the page is stale, or if a
reader opens a file that it cannot open according to a note.
"""
AFTER = """\
## Changed, cut off, wrong key

The tests also flip bits in every part of a file, cut its end off at every kind of position, and try wrong keys. The
readers are `openssl cms`, Bouncy Castle, `gpg`, `sq`, `rnp` and pysequoia:

- **authenveloped-gcm and OpenPGP** are authenticated: a changed or shortened recording never opens without an error.
  The reader reports it by its exit code or exception, and may have written output before. So write to a temporary
  name. There is one gap: if a file was cut off before its encrypted content, `gpg` writes no output and still ends
  with exit code 0. So also check that the output file exists.
- **The framing** (version numbers, lengths, names of recipients) is not authenticated: a reader may not notice a
  changed bit there. It then opens the recording itself, byte for byte.
- **enveloped-cbc is not authenticated.** A file that was cut off is refused. But a file with a flipped bit in the
  encrypted content opens *without an error*, with 16 bytes of noise and one flipped bit in the next 16 bytes. A
  flipped bit in the initialisation vector is one flipped bit in the first 16 bytes. A flipped bit in the padding is
  refused. In the last 16 bytes it is mostly refused, and otherwise the end of the recording is wrong. With a wrong
  RSA key, a reader refuses the file or, by chance, writes noise, but never the recording. So compare the `sha256` of
  the delivered file with that of its audit event, or use the default profile.

## Above 2 GiB

Lengths are definite up to 2,147,483,647 bytes in total. Above that they are indefinite (BER, the content in pieces),
because Bouncy Castle's stream parser refuses longer definite lengths. It reads the headers of both forms.
`openssl cms` holds a file in memory and failed at 2 GB in our trial. `gpg`, `sq` and `rnp` stream.
"""


def render() -> str:
    """Return the page. Raise ValueError if the results differ from known.py."""
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
