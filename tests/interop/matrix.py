"""The matrix: every row x every peer x every recipient x every size, opened once a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tests.interop.lab import once
from tests.interop.peers import CMS_PEERS, OPENPGP_PEERS, PEERS, Job, Opened, Peer
from tests.interop.rows import CMS_ROWS, OPENPGP_ROWS, SIZES, Row, plain

FAMILIES = {"cms": (CMS_ROWS, CMS_PEERS), "openpgp": (OPENPGP_ROWS, OPENPGP_PEERS)}
CELLS = [(row, peer) for rows, peers in FAMILIES.values() for row in rows for peer in peers]


class Seen(NamedTuple):
    """The result of one reader for one file: `opened` byte for byte, `refused`, or `WRONG` bytes without an error."""

    key: str
    size: int
    verdict: str
    said: str


def seen(row: Row, peer: Peer) -> list[Seen]:
    """Return the results of one cell. The first caller opens the files."""
    if not peer.batched:
        return [Seen(*one) for one in once(f"cell-{peer.name}-{row.name}", lambda: _open([row], peer)[row.name])]
    name, rows = peer.name, [one for one, its in CELLS if its.name == peer.name]
    return [Seen(*one) for one in once(f"cells-{name}", lambda: _open(rows, PEERS[name]))[row.name]]


def _open(rows: Iterable[Row], peer: Peer) -> dict[str, list[Seen]]:
    attempts = [(row, key, size) for row in rows for key in row.recipients for size in SIZES]
    jobs = [Job(row.sealed(size), key) for row, key, size in attempts]
    found: dict[str, list[Seen]] = {}
    for (row, key, size), opened in zip(attempts, peer.open_many(jobs), strict=True):
        found.setdefault(row.name, []).append(Seen(key, size, _verdict(opened, size), opened.said))
    return found


def _verdict(opened: Opened, size: int) -> str:
    if opened.data is None:
        return "refused"
    return "opened" if opened.data == plain(size) else "WRONG"
