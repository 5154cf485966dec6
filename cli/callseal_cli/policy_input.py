"""Read a policy from a file, check it as the functions do, and ask before it is stored."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from callseal.calls.policy import Policy, parse_policy
from callseal.core.errors import HeldError
from callseal.tenants.settings import TenantSettings
from callseal_cli.errors import CannotError
from callseal_cli.screen import printable

# Far over what a parameter takes, and little to read.
MAX_FILE_BYTES = 1_000_000
# The last sentence of the functions' error, which sends the reader to the parameter.
_LOOK_IN_PARAMETER = re.compile(r"\s*[A-Z][^.]*\.\.\./policy\.\Z")


def decode_json(data: bytes) -> str:
    """Return the text of a JSON file in UTF-8, without its mark."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise CannotError("The file is not UTF-8. Save it as UTF-8.") from exc


def read_text(
    file: Path, decode: Callable[[bytes], str] = decode_json, convert: Callable[[str], str] = lambda text: text
) -> str:
    """Return the text of a JSON file, `-` for standard input. Raise CannotError if it is too long or no text."""
    if str(file) == "-":
        data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    else:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise CannotError(f"{file} has over {MAX_FILE_BYTES:,} bytes, far more than a parameter takes.")
    with _as_own_error():
        return convert(decode(data))


def checked(text: str, settings: TenantSettings | None = None, years: int | None = None) -> Policy:
    """Return the policy as the functions parse it.

    Raise CannotError if they refuse it, with a tenant's settings, or in a stack with a maximum of `years`.
    """
    with _as_own_error():
        policy = parse_policy(text)
        if settings:
            policy.check_against(settings)
        if years is not None:
            policy.check_locks(years)
        return policy


def can_ask() -> bool:
    """Return whether there is a person on a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def question(changes: Sequence[str], policy: Policy) -> bool:
    """Show what changes and ask on the terminal. Return whether the answer is yes."""
    for line in changes:
        typer.echo(printable(line), err=True)
    locked = [name for name, each in policy.classes.items() if each.lock == "compliance"]
    if locked:
        warning = f"Recordings of {', '.join(locked)} will be locked: nobody can delete them before their date."
        typer.echo(warning, err=True)
    return typer.confirm("Store this policy?", err=True)


@contextmanager
def _as_own_error() -> Iterator[None]:
    """Raise a HeldError as the command's own, without the sentence about the parameter."""
    try:
        yield
    except HeldError as held:
        raise CannotError(_LOOK_IN_PARAMETER.sub("", str(held))) from held
