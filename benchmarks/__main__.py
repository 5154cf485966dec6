"""`make bench`: measure all rows, print a table, and write results.json and plot.svg.

`ROWS="name ..."` measures only these rows and writes no file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    archive_page,
    calls_requests,
    calls_search,
    disposal,
    envelopes,
    function,
    law_costs,
    opener,
    registers,
    sftp,
)
from benchmarks.measure import Row
from benchmarks.plot import svg
from tests.support.keys import clean_up

HERE = Path(__file__).resolve().parent
MEASUREMENTS: dict[str, Callable[[], Row | list[Row]]] = {
    "cms_gcm_vs_raw": envelopes.cms_gcm_vs_raw,
    "cms_gcm_vs_openssl": lambda: envelopes.cms_vs_openssl(
        "cms_gcm_vs_openssl", "authenveloped-gcm", "-aes-256-gcm", ">= 1.5"
    ),
    "cms_cbc_vs_openssl": lambda: envelopes.cms_vs_openssl(
        "cms_cbc_vs_openssl", "enveloped-cbc", "-aes-256-cbc", ">= 1.1"
    ),
    "pgp_vs_gpg": envelopes.pgp_vs_gpg,
    "small_cms_ms": envelopes.small_cms_ms,
    "small_pgp_vs_gpg": envelopes.small_pgp_vs_gpg,
    "function_vs_passthrough": function.function_vs_passthrough,
    "small_recordings_vs_passthrough": function.small_recordings_vs_passthrough,
    "two_destinations_vs_one": function.two_destinations_vs_one,
    "batch_vs_one_by_one": function.batch_vs_one_by_one,
    "memory": function.memory,
    "register_requests_per_event": registers.register_requests_per_event,
    "requests_per_recording": calls_requests.requests_per_recording,
    "requests_per_recording_with_policy": calls_requests.requests_per_recording_with_policy,
    "disposal_requests_per_call": disposal.disposal_requests_per_call,
    "law_costs": law_costs.law_costs,
    "requests_per_search_page": calls_search.requests_per_search_page,
    "sftp_out_of_order_vs_sequential": sftp.sftp_out_of_order_vs_sequential,
    "requests_to_first_sound": archive_page.requests_to_first_sound,
    "audio_kb_to_first_sound": archive_page.audio_kb_to_first_sound,
    "page_kb": archive_page.page_kb,
    "opener_vs_stock_tools": opener.opener_vs_stock_tools,
    "cold_start_vs_boto3": function.cold_start_vs_boto3,
}


def main(names: Sequence[str]) -> int:
    """Measure the named rows, or all. Return 0 even if goals are missed, because a benchmark only reports."""
    console, rows = Console(), []
    for name in names or MEASUREMENTS:
        with console.status(f"measuring {name}"):
            result = MEASUREMENTS[name]()
        rows += result if isinstance(result, list) else [result]
        for row in result if isinstance(result, list) else [result]:
            console.print(f"{row.name}: {row.ratio:g} ({row.goal}, {'met' if row.met else 'NOT met'})", highlight=False)
    clean_up()
    show(console, rows)
    if not names:
        (HERE / "results.json").write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n")
        (HERE / "plot.svg").write_text(svg(rows))
    return 0


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print the rows as a table."""
    table = Table()
    for column in ("name", "ours", "peer", "unit", "ratio", "goal", "met", "what"):
        table.add_column(column, justify="right" if column in ("ours", "peer", "ratio") else "left")
    for row in rows:
        met = "[green]yes[/]" if row.met else "[bold red]NO[/]"
        table.add_row(row.name, f"{row.ours:g}", f"{row.peer:g}", row.unit, f"{row.ratio:g}", row.goal, met, row.note)
    (console if console.is_terminal else Console(width=200)).print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
