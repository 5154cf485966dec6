"""Compare fingerprints with the tenant: nothing else detects a key that was replaced on its way to the operator."""

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
        help="What the tenant read out over another channel; once for each key. Required without a terminal.",
    ),
]
CHANNEL = (
    "Compare it over another channel than the one by which the key came: call the tenant at a number that you know, "
    "and ask it to read out its fingerprint."
)


def confirmed(verdict: Verdict, given: Sequence[str] | None) -> bool:
    """Return whether the keys are the tenant's, by the given fingerprints or by a question on the terminal.

    Raise CannotError if other fingerprints are given, or if none is given and there is no terminal.
    """
    if given:
        _compare(verdict, given)
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CannotError(
            f"Nothing was stored: the key's fingerprint has not been compared. {CHANNEL} Then repeat the command with "
            f"{' '.join(f'--fingerprint {fingerprint}' for fingerprint in _fingerprints(verdict))}."
        )
    for key in verdict.keys:
        typer.echo(f"  {_spaced(key)}", err=True)
    return typer.confirm(f"{CHANNEL}\nDoes the tenant read the same?", err=True)


def _compare(verdict: Verdict, given: Sequence[str]) -> None:
    found, wanted = _fingerprints(verdict), {_plain(fingerprint) for fingerprint in given}
    if wanted != set(found):
        raise CannotError(
            f"Nothing was stored: the file has {', '.join(found)}, but --fingerprint names "
            f"{', '.join(sorted(wanted))}. If the tenant read that out, the key was replaced on its way: ask for it "
            "again over another channel."
        )


def _fingerprints(verdict: Verdict) -> list[str]:
    return [str(key["fingerprint"]) for key in verdict.keys if key["usable"]]


def _plain(text: str) -> str:
    """Return a fingerprint for comparison, without openssl's colons and gpg's spaces."""
    return re.sub(r"[\s:]", "", text).removeprefix("0x").upper()


def _spaced(key: dict[str, Any]) -> str:
    """Return a fingerprint for reading aloud, in groups of four digits."""
    return f"{key['kind']} {key['algorithm']}: {' '.join(re.findall('.{1,4}', key['fingerprint']))}"
