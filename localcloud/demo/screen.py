"""The demo's output: colours and a spinner on a terminal, plain text elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_STYLES = {"sealed": "green", "plain": "yellow", "held": "red", "yes": "green", "NO": "bold red"}


class Screen:
    """Prints titles, chapters, sentences and tables."""

    def __init__(self) -> None:
        # Wide enough for the tables if the output goes to a file.
        console = Console(highlight=False)
        self._console = console if console.is_terminal else Console(highlight=False, width=150)
        self._chapter = 0

    def title(self, text: str, about: str) -> None:
        """Print the title."""
        self._console.print(f"\n[bold cyan]{escape(text)}[/]\n{escape(about)}")

    def chapter(self, text: str, about: str = "") -> None:
        """Print the heading of the next chapter."""
        self._chapter += 1
        self._console.print(f"\n[bold]{self._chapter}. {escape(text)}[/]")
        if about:
            self._console.print(escape(about), style="dim")

    def say(self, text: str) -> None:
        """Print a sentence."""
        self._console.print(f"   {escape(text)}")

    def warn(self, text: str) -> None:
        """Print an error."""
        self._console.print(f"[bold red]{escape(text)}[/]")

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show a spinner while the block runs, and then how long it took."""
        started = monotonic()
        with self._console.status(escape(text)):
            yield
        self._console.print(f"   {escape(text)}: done in {monotonic() - started:.1f} s", style="dim")

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        """Print a table. Cells that begin with a state's word are coloured."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(column, justify="right" if column in ("bytes", "seconds") else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_cell(cell) for cell in row))
        self._console.print(table)


def _cell(value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    style = _STYLES.get(text.split(" ", 1)[0])
    return f"[{style}]{escape(text)}[/]" if style else escape(text)
