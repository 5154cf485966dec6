"""The whole command, combined from its groups of sub-commands."""

from __future__ import annotations

import typer

from callseal_cli import (
    access,
    calls,
    copy,
    dispose,
    erase,
    files,
    held,
    holds,
    keys,
    policy,
    profile,
    reports,
    status,
    tenants,
)
from callseal_cli.selftest import command

HELP = """\
Tenants, keys, held and delivered files, and the state of a Callseal stack.

It works on AWS and on the local cloud, with the usual environment of AWS tools (AWS_PROFILE, AWS_REGION,
AWS_ENDPOINT_URL, ...).

\b
Exit codes:
  0  done: the key is usable or proven, the file is held, all is well
  1  the answer is no: not usable, not proven, not held, or something needs attention
  2  wrong use, or it cannot be done: no such stack, no credentials, AWS refused
"""

# Plain help: it is also read in pipes and copied into documents.
app = typer.Typer(
    name="callseal", help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
app.add_typer(tenants.app, name="tenants")
app.add_typer(keys.app, name="keys")
app.add_typer(policy.app, name="policy")
app.add_typer(held.app, name="held")
app.add_typer(files.app, name="files")
app.add_typer(calls.app, name="calls")
app.add_typer(access.app, name="access")
app.add_typer(holds.app, name="holds")
app.add_typer(dispose.app, name="dispose")
app.add_typer(erase.app, name="erase")
app.add_typer(reports.app, name="reports")
app.add_typer(profile.app, name="profile")
app.command("copy")(copy.copy)
app.command("status")(status.status)
app.command("selftest")(command.selftest)


@app.callback(help=HELP)
def callseal() -> None:
    """Hold the help of the whole command."""
