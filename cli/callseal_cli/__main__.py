"""`callseal` and `python -m callseal_cli`: run a sub-command; whatever goes wrong is a sentence and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import typer

from callseal_cli.app import app
from callseal_cli.errors import explain
from callseal_cli.options import Exit
from callseal_cli.screen import complain

# What typer returns after Ctrl-C.
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    try:
        code = int(app(list(arguments), prog_name="callseal", standalone_mode=False) or Exit.DONE)
        if code != INTERRUPTED:
            return code
        complain("Broken off.", as_json)
    except typer.TyperException as exc:
        complain(usage_error(exc), as_json)
    except typer.Abort:
        complain("Broken off.", as_json)
    except Exception as exc:  # noqa: BLE001  # exit code 1 is an answer, and a crash is none
        if sentence := explain(exc):
            complain(sentence, as_json)
        else:
            traceback.print_exc()
    return Exit.CANNOT


def usage_error(exc: typer.TyperException) -> str:
    """Say what was wrong with the call, and where its help is."""
    format_message = getattr(exc, "format_message", None)
    context = getattr(exc, "ctx", None)
    told = str(format_message() if format_message else exc)
    return f"{told} See {context.command_path} --help." if context else told


if __name__ == "__main__":
    sys.exit(main())
