"""The comparison of fingerprints: only here is a key noticed that was exchanged on its way to the operator."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from callseal_cli.errors import CannotError
from callseal_cli.keycheck import Verdict

Fingerprints = Annotated[
    list[str] | None,
    typer.Option(
        "--fingerprint",
        metavar="FINGERPRINT",
        help="What the tenant read out over another channel; once for each key. Needed where nobody can be asked.",
    ),
]
CHANNEL = (
    "Compare over another channel than the one that brought the key: call the tenant at a number you know, and let it "
    "read its fingerprint out."
)


def confirmed(verdict: Verdict, given: Sequence[str] | None) -> bool:
    """Return whether the keys are the tenant's: by the fingerprints that were given, else asked on a terminal.

    Raises CannotError if other fingerprints were given, and if none was and there is no terminal to ask on.
    """
    if given:
        _compare(verdict, given)
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CannotError(
            f"Nothing was put: nobody has compared the key's fingerprint. {CHANNEL} Then repeat the command with "
            f"{' '.join(f'--fingerprint {one}' for one in _fingerprints(verdict))}."
        )
    for key in verdict.keys:
        typer.echo(f"  {_spaced(key)}", err=True)
    return typer.confirm(f"{CHANNEL}\nDoes the tenant read the same?", err=True)


def _compare(verdict: Verdict, given: Sequence[str]) -> None:
    found, wanted = _fingerprints(verdict), {_plain(one) for one in given}
    if wanted != set(found):
        raise CannotError(
            f"Nothing was put: the file holds {', '.join(found)}, and --fingerprint names {', '.join(sorted(wanted))}. "
            "If the tenant read that out, somebody has exchanged the key: ask for it again over another channel."
        )


def _fingerprints(verdict: Verdict) -> list[str]:
    return [str(key["fingerprint"]) for key in verdict.keys if key["usable"]]


def _plain(text: str) -> str:
    """Return a fingerprint as it is compared: openssl separates by colons, gpg by spaces."""
    return re.sub(r"[\s:]", "", text).removeprefix("0x").upper()


def _spaced(key: dict[str, Any]) -> str:
    """Return a fingerprint as it is read out, in groups of four."""
    return f"{key['kind']} {key['algorithm']}: {' '.join(re.findall('.{1,4}', key['fingerprint']))}"
