"""The page's opener: an hour's recording opened in Chromium with the owner's key, compared with the stock tools.

The recording is sent by a server on this machine. The memory is that of all of Chromium's processes together.
"""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

from benchmarks.measure import Row, seconds
from tests.interop import keys, lab
from tests.interop.rows import GCM, plain, seal
from tests.interop.rows import Row as Variant
from tests.web.chromium import chromium
from tests.web.key_files import bare, openpgp_secret
from tests.web.site import Site, serve

ROUNDS = 3
MB = 1_000_000
# An hour of mp3 at 128 kbit/s, and of wav with two sides of 16 bits at 8 kHz.
MP3_HOUR, WAV_HOUR = 58 * MB, 115 * MB
SAMPLES_A_SECOND = 50


def opener_vs_stock_tools() -> list[Row]:
    """Measure the time and the memory that the page takes for an hour of mp3 and of wav, in both envelopes."""
    with serve() as site, chromium(f"{site.url}/opener.html") as page:
        rows = [row for kind in (cms_file, openpgp_file) for row in _rows(kind, page, site)]
    lab.leave()
    return rows


def cms_file(data: bytes) -> tuple[bytes, bytes, list[str | Path]]:
    """Return a sealed file, its key for the page, and the stock tool's command, which reads the file from its input."""
    key = keys.x509("rsa2048")
    command: list[str | Path] = ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", key.private_key]
    return seal(Variant(GCM, ("rsa2048",), "definite DER"), data), bare("rsa2048").data, command


def openpgp_file(data: bytes) -> tuple[bytes, bytes, list[str | Path]]:
    """Return the same of an OpenPGP file."""
    key = keys.openpgp("cv25519")
    command: list[str | Path] = ["gpg", "--batch", "--quiet", "--homedir", key.home, "--decrypt"]
    return seal(Variant("openpgp", ("cv25519",)), data), openpgp_secret("cv25519").data, command


def _rows(kind: Callable[[bytes], tuple[bytes, bytes, list[str | Path]]], page: Any, site: Site) -> Iterator[Row]:
    envelope = "cms" if kind is cms_file else "openpgp"
    for sound, size in (("mp3", MP3_HOUR), ("wav", WAV_HOUR)):
        data = plain(MB) * (size // MB)
        sealed, key, command = kind(data)
        file = {"sealed": site.put(sealed), "envelope": envelope, "size": len(sealed), "sha256": None}
        places, expected = {"key": site.put(key), "passphrase": ""}, sha256(data).hexdigest()
        with TemporaryDirectory(prefix="cs-") as name:
            path, into = Path(name) / "sealed", Path(name) / "plain"
            path.write_bytes(sealed)
            with peak_growth() as growth:
                _open(page, places, file, expected)
            pairs = [
                (_open(page, places, file, expected), seconds(partial(_stock, command, path, into)))
                for _ in range(ROUNDS)
            ]
            if sha256(into.read_bytes()).hexdigest() != expected:
                raise AssertionError("the stock tool wrote something else")
        tool, hour = str(command[0]), f"an hour of {sound}, {size // MB} MB"
        mine, peer = (statistics.median(times) for times in zip(*pairs, strict=True))
        name, goal = f"opener_{envelope}_{sound}_vs_{tool}", "<= 2" if envelope == "cms" else "<= 10"
        note = f"{hour}, with its transfer; {tool} reads a file"
        yield Row(name, round(mine, 2), round(peer, 2), "s", round(mine / peer, 2), goal, note)
        used = growth() / MB
        yield Row(f"opener_{envelope}_{sound}_memory", round(used), size // MB, "MB",
                  round(used / (size / MB), 2), "<= 4", f"{hour}; what Chromium's processes grow by")  # fmt: skip


def _open(page: Any, key: dict[str, str], file: dict[str, Any], expected: str) -> float:
    """Open a file in the page, and return the seconds that it took."""
    answer = page.call("stream", key, file)
    if answer["digest"] != expected:
        raise AssertionError("the page opened something else")
    return float(answer["milliseconds"]) / 1000


def _stock(command: list[str | Path], path: Path, into: Path) -> None:
    with path.open("rb") as source, into.open("wb") as target:
        subprocess.run(command, stdin=source, stdout=target, stderr=subprocess.DEVNULL, check=True)


@contextmanager
def peak_growth() -> Iterator[Callable[[], int]]:
    """Sample the memory of Chromium's processes. Yield a function that returns by how many bytes it grew at most."""
    ended, before, peaks = Event(), _memory(), [0]

    def sample() -> None:
        while not ended.wait(1 / SAMPLES_A_SECOND):
            peaks[0] = max(peaks[0], _memory())

    thread = Thread(target=sample)
    thread.start()
    try:
        yield lambda: max(0, peaks[0] - before)
    finally:
        ended.set()
        thread.join()


def _memory() -> int:
    """Return the memory of this process's browser in bytes. A page that several processes share counts once."""
    parents, sizes = dict[int, int](), dict[int, int]()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(process.name)] = int(process.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            if process.joinpath("comm").read_text().startswith("chrom"):
                size = process.joinpath("smaps_rollup").read_text().partition("\nPss:")[2]
                sizes[int(process.name)] = int(size.split()[0]) * 1024
        except (OSError, IndexError):
            continue  # it has ended
    return sum(size for process, size in sizes.items() if os.getpid() in _ancestors(process, parents))


def _ancestors(process: int, parents: Mapping[int, int]) -> Iterator[int]:
    while process := parents.get(process, 0):
        yield process
