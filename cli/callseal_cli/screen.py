"""What the command shows: tables for people on a terminal, plain lines in a pipe, one JSON document with `--json`.

Standard output has the answer and nothing else; progress and errors go to standard error.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a kind; `empty` is said where there are none."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    empty: str = "None."


@dataclass(frozen=True, slots=True)
class Facts:
    """What is to be told of one thing, by name."""

    facts: Mapping[str, object]


Part = Table | Facts | str


class Screen:
    """Shows an answer in the form that was asked for."""

    def __init__(self, as_json: bool, *, quiet: bool = False) -> None:
        """Take whether JSON was asked for; `quiet` shows no progress, for what runs inside other long work."""
        self._as_json, self._quiet = as_json, quiet
        self._out = _Console(file=sys.stdout, highlight=False, soft_wrap=True, markup=False, emoji=False)

    def show(self, document: Mapping[str, Any], *parts: Part) -> None:
        """Show the answer: `document` as JSON, or the parts, which say the same to a person."""
        try:
            if self._as_json:
                # ASCII alone: whatever a key's name has in it, no terminal takes it for a command.
                print(json.dumps(document, indent=2, default=_plain_value))
            else:
                for part in parts:
                    self._show(part)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has seen enough (`| head`); the exit code is the same. Python writes once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    @contextmanager
    def progress(self, doing: str) -> Iterator[Callable[[int], None]]:
        """Show on a terminal how far long work has come; gives what is called with each number of things done."""
        console = Console(file=sys.stderr, highlight=False)
        columns = (SpinnerColumn(), TextColumn("{task.description}: {task.completed}"))
        disable = self._quiet or not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=disable) as bar:
            task = bar.add_task(doing, total=None)
            yield lambda count: bar.advance(task, count)

    @contextmanager
    def steps(self, total: int) -> Iterator[Callable[[str], None]]:
        """Show on a terminal which step of long work is under way; gives what is called with each step's name."""
        console = Console(file=sys.stderr, highlight=False)
        columns = (SpinnerColumn(), TextColumn("{task.completed}/{task.total} {task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=total)
            yield lambda name: bar.update(task, advance=1, description=name)

    def _show(self, part: Part) -> None:
        if isinstance(part, Table) and part.rows:
            self._show_table(part)
        elif isinstance(part, Facts):
            for name, value in part.facts.items():
                self._out.print(Text(f"{name}:", "bold"), Text(cell(value)))
        else:
            self._out.print(Text(part.empty if isinstance(part, Table) else printable(part)))

    def _show_table(self, table: Table) -> None:
        rows = [[cell(value) for value in row] for row in table.rows]
        if not self._out.is_terminal:
            for row in (table.columns, *rows):
                print("\t".join(row))
            return
        shown = RichTable(*table.columns, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            shown.add_row(*map(Text, row))
        # As wide as it is: a fingerprint or a key that is cut up cannot be copied.
        width = sum(max(map(cell_len, column)) + 2 for column in zip(table.columns, *rows, strict=True))
        _Console(file=sys.stdout, highlight=False, width=width).print(shown)


class _Console(Console):
    """A console that does not end the program, with exit code 1, where nobody reads any more."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def complain(sentence: str, as_json: bool) -> None:
    """Say on standard error what went wrong."""
    text = json.dumps({"error": sentence}) if as_json else f"callseal: {printable(sentence)}"
    print(text, file=sys.stderr)


def cell(value: object) -> str:
    """Write a value for a person."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if isinstance(value, timedelta):
        return _age(value)
    if isinstance(value, list | tuple):
        return ", ".join(cell(one) for one in value) or "-"
    return printable(str(value))


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Write rows as CSV, with a line of column names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def printable(text: str) -> str:
    """Escape what a terminal would not print but obey: the platform names its files as it likes."""
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)


def _age(age: timedelta) -> str:
    minutes = max(0, int(age.total_seconds())) // 60
    days, hours = divmod(minutes // 60, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _plain_value(value: object) -> object:
    """Write what JSON has no form for: moments as in audit events, ages in seconds."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    raise TypeError(f"no JSON form for {type(value).__name__}")
