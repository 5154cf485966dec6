"""Print the command's answer: tables on a terminal, plain lines in a pipe, one JSON document with `--json`.

Standard output has only the answer. Progress and errors go to standard error.
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
    """Rows under columns. `empty` is printed if there are none."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    empty: str = "None."


@dataclass(frozen=True, slots=True)
class Facts:
    """Values by name, one a line."""

    facts: Mapping[str, object]


Part = Table | Facts | str


class Screen:
    """Prints answers as text or as JSON."""

    def __init__(self, as_json: bool, *, quiet: bool = False) -> None:
        """Take whether to print JSON. `quiet` shows no progress, for look-ups inside other long work."""
        self._as_json, self._quiet = as_json, quiet
        self._out = _Console(file=sys.stdout, highlight=False, soft_wrap=True, markup=False, emoji=False)

    def show(self, document: Mapping[str, Any], *parts: Part) -> None:
        """Print `document` as JSON, or else the parts, which have the same content for a person."""
        try:
            if self._as_json:
                # ASCII only: a key's name may contain control characters, which a terminal would execute.
                print(json.dumps(document, indent=2, default=_plain_value))
            else:
                for part in parts:
                    self._show(part)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader has closed the pipe (`| head`). The exit code stays, and Python's last flush goes to /dev/null.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    @contextmanager
    def progress(self, doing: str) -> Iterator[Callable[[int], None]]:
        """Show the progress of long work on a terminal. Yield a function to call with each number of items done."""
        console = Console(file=sys.stderr, highlight=False)
        columns = (SpinnerColumn(), TextColumn("{task.description}: {task.completed}"))
        disable = self._quiet or not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=disable) as bar:
            task = bar.add_task(doing, total=None)
            yield lambda count: bar.advance(task, count)

    @contextmanager
    def steps(self, total: int) -> Iterator[Callable[[str], None]]:
        """Show the current step of long work on a terminal. Yield a function to call with each step's name."""
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
        # As wide as its content: a fingerprint or a key that is wrapped cannot be copied.
        width = sum(max(map(cell_len, column)) + 2 for column in zip(table.columns, *rows, strict=True))
        # rich takes the width only together with a height if the terminal is a dumb one.
        _Console(file=sys.stdout, highlight=False, width=width, height=len(rows) + 1).print(shown)


class _Console(Console):
    """A console that raises BrokenPipeError, where rich's own ends the program with exit code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def print_error(sentence: str, as_json: bool) -> None:
    """Print an error on standard error, as `{"error": ...}` if JSON is wanted."""
    text = json.dumps({"error": sentence}) if as_json else f"callseal: {printable(sentence)}"
    print(text, file=sys.stderr)


def cell(value: object) -> str:
    """Return a value as text for a person, or "-" for None or an empty text."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if isinstance(value, timedelta):
        return _age(value)
    if isinstance(value, Mapping):
        return cell([f"{name}={cell(item)}" for name, item in value.items()])
    if isinstance(value, list | tuple):
        return ", ".join(cell(item) for item in value) or "-"
    return printable(str(value))


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return rows as CSV with a header line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def printable(text: str) -> str:
    """Return a text with its control characters escaped: landing keys may have any, and a terminal executes them."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def _age(age: timedelta) -> str:
    minutes = max(0, int(age.total_seconds())) // 60
    days, hours = divmod(minutes // 60, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _plain_value(value: object) -> object:
    """Return a JSON value for a datetime (as in audit events) or a timedelta (whole seconds). Raise TypeError."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    raise TypeError(f"{type(value).__name__} has no JSON form")
