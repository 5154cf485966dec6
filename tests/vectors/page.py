"""docs/keys-accepted.md, generated from the judges' verdicts on each key file: `python -m tests.vectors.page`."""

from __future__ import annotations

from pathlib import Path

from tests.interop import lab
from tests.support import keys
from tests.vectors.case import Case
from tests.vectors.seen import CASES, FAMILIES, seen

PAGE = Path(__file__).parents[2] / "docs" / "keys-accepted.md"
TITLES = {"x509": ("X.509", "openssl 3.0"), "openpgp": ("OpenPGP", "gpg 2.2")}
INTRO = """\
# Which keys are accepted

Each row is a key file, good or bad, that a tenant may send. The files were made with openssl, gpg and sq. OpenPGP
keys of versions 3 and 6 were built packet by packet. Three programs judged each file:

- `callseal keys check FILE`, the operator's command.
- The function: the file was pasted as a tenant's key, and a recording landed. The recording was delivered (*usable*),
  or held for the reason in the table.
- The family's own tool. For openssl: does `openssl cms -encrypt` seal to the file, and does `openssl verify` at
  security level 2 accept the certificate? For gpg: are the file's keys imported into an empty home, and does
  `gpg --encrypt` seal to all of them?

The command and the function share their code, and always agree. If openssl or gpg disagrees, a note explains why.

This page is generated from the results of the tests (`make docs`). The tests fail if the page is stale.
"""


def render() -> str:
    """Return the page."""
    notes = list(dict.fromkeys(case.difference for _, case in CASES if case.difference))
    tables = [_table(family, cases, notes) for family, cases in FAMILIES.items()]
    numbered = [f"{number}. {note}" for number, note in enumerate(notes, start=1)]
    return "\n".join((INTRO, *tables, "## Where they differ, and why\n", *numbered, ""))


def _table(family: str, cases: list[Case], notes: list[str]) -> str:
    title, tool = TITLES[family]
    head = f"| key file | `callseal keys check` | the function | {tool} | note |\n|---|---|---|---|---|"
    rows = (_row(family, case, notes) for case in cases)
    return "\n".join((f"## {title}: {len(cases)} files\n", head, *rows, ""))


def _row(family: str, case: Case, notes: list[str]) -> str:
    said = seen(family, case)
    note = f"[{notes.index(case.difference) + 1}]" if case.difference else ""
    cells = (case.name, said.check.says, said.function.says, said.outside.says, note)
    return f"| {' | '.join(cells)} |".replace("  ", " ")


if __name__ == "__main__":
    try:
        PAGE.write_text(render())
    finally:
        keys.clean_up()
        lab.leave()
