"""What the tests ask of a browser: open files with key files."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.web.site import Site

MOST_INLINE = 20_000


class Page(Protocol):
    """A browser's page, Chromium's or Firefox's."""

    def call(self, name: str, *arguments: Any) -> Any: ...


@dataclass(frozen=True)
class KeyFile:
    """A key file as the listener chooses it, with the passphrase that the listener types."""

    data: bytes
    passphrase: str = ""


@dataclass(frozen=True)
class Sealed:
    """A sealed file, with the checksum of its card and its stated size, and in pieces of how many bytes it comes."""

    data: bytes
    envelope: str = "cms"
    sha256: str | None = None
    size: int | None = None
    step: int = 1 << 16


@dataclass(frozen=True)
class Answer:
    """The result for one file: the digest of the plain bytes, or a code; and how many bytes left the worker."""

    digest: str | None
    code: str | None
    about: str | None
    progress: int


class Browser:
    """A browser with the tests' page."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page, self.site = page, site

    def add(self, *keys: KeyFile) -> list[dict[str, Any]]:
        """Read key files with one opener, and return its answers."""
        return self.run(keys, [])["added"]

    def open(self, keys: KeyFile | Sequence[KeyFile], files: Sequence[Sealed]) -> list[Answer]:
        """Open files with key files. All keys must be accepted. A refusal without a single plain byte is checked."""
        answers = self.run([keys] if isinstance(keys, KeyFile) else keys, files)
        assert [answer for answer in answers["added"] if "code" in answer] == []
        return [_answer(**answer) for answer in answers["opened"]]

    def open_one(self, keys: KeyFile | Sequence[KeyFile], file: Sealed) -> Answer:
        (answer,) = self.open(keys, [file])
        return answer

    def run(self, keys: Sequence[KeyFile], files: Sequence[Sealed]) -> dict[str, Any]:
        return self.page.call(
            "run",
            [{"key": self._place(key.data), "passphrase": key.passphrase} for key in keys],
            [
                {"sealed": self._place(file.data), "envelope": file.envelope, "sha256": file.sha256,
                 "step": file.step} | ({} if file.size is None else {"size": file.size})
                for file in files
            ],
        )  # fmt: skip

    def _place(self, data: bytes) -> str:
        """Return small data as base64, because a request for each takes longer than opening it."""
        return b64encode(data).decode() if len(data) < MOST_INLINE else self.site.put(data)


def _answer(
    digest: str | None = None, code: str | None = None, about: str | None = None, message: str = "",
    received: int = 0, progress: int = 0,
) -> Answer:  # fmt: skip
    assert received == 0, "plain bytes left the worker before the refusal"
    assert (digest is None) != (code is None)
    return Answer(digest, code, about or None, progress)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
