"""`callseal` and `python -m callseal_cli`: run a sub-command, and report an error as a sentence and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import typer

from callseal_cli.app import app
from callseal_cli.errors import explain
from callseal_cli.options import Exit
from callseal_cli.screen import print_error

# What typer returns after Ctrl-C.
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    try:
        code = int(app(list(arguments), prog_name="callseal", standalone_mode=False) or Exit.DONE)
        if code != INTERRUPTED:
            return code
        print_error("Interrupted.", as_json)
    except typer.TyperException as exc:
        print_error(usage_error(exc), as_json)
    except typer.Abort:
        print_error("Interrupted.", as_json)
    except Exception as exc:  # noqa: BLE001  # Python's exit code for a crash, 1, would be read as the answer "no"
        if sentence := explain(exc):
            print_error(sentence, as_json)
        else:
            traceback.print_exc()
    return Exit.CANNOT


def usage_error(exc: typer.TyperException) -> str:
    """Return a sentence about the wrong call that names its help."""
    format_message = getattr(exc, "format_message", None)
    context = getattr(exc, "ctx", None)
    sentence = str(format_message() if format_message else exc)
    return f"{sentence} See {context.command_path} --help." if context else sentence


if __name__ == "__main__":
    sys.exit(main())
