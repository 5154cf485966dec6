"""`callseal files`: the files delivered by SFTP that are ready, fetched, or expired."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from callseal.sftp.file_state import DELIVERED, EXPIRED, FETCHED
from callseal_cli import delivered
from callseal_cli.options import AsJson, Exit, StackName, TenantName, tenant_name
from callseal_cli.screen import Screen, Table, csv_text
from callseal_cli.stack import find_stack
from callseal_cli.tagging import tag_earlier

app = typer.Typer(help="The files that were delivered by SFTP.", no_args_is_help=True)

LISTED = ("state", "delivered", "expires", "fetched", "size", "key")


class State(StrEnum):
    """The state of a delivered file, as the functions write it."""

    DELIVERED = DELIVERED
    FETCHED = FETCHED
    EXPIRED = EXPIRED


@app.command("tag")
def tag_files(stack: StackName = None, as_json: AsJson = False) -> int:
    """Tag what was delivered by SFTP before files had a tag, so that it expires. It can be repeated."""
    screen = Screen(as_json)
    counts = tag_earlier(find_stack(stack), screen)
    text = f"{counts['tagged']} of {counts['files']} files had no tag, and have one now."
    screen.show(counts, text)
    return Exit.DONE


@app.command("list")
def list_files(
    tenant: TenantName,
    state: Annotated[State | None, typer.Option("--state", help="Only files in this state.")] = None,
    stack: StackName = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: AsJson = False,
) -> int:
    """List a tenant's delivered files: ready, fetched, or expired unfetched, until 30 days after their end."""
    screen = Screen(as_json)
    found = delivered.files(find_stack(stack), screen, tenant_name(tenant), state)
    rows = [[file[name] for name in LISTED] for file in found]
    table = csv_text(delivered.ATTRIBUTES, found) if as_csv else Table(LISTED, rows, "There is no such file.")
    screen.show({"tenant": tenant, "files": found}, table)
    return Exit.DONE
