"""None of the requests that asyncssh could answer itself, with the machine's own files, reaches them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, cast

import asyncssh
import pytest

from localcloud.sftp.files import Files
from localcloud.sftp.paths import absolute, folder_prefix, is_listable, object_key

# Methods that do not answer requests, and methods that answer without access to files.
HELPERS = {"format_user", "format_group", "format_longname", "reverse_map_path", "convert_attrs"}


def inherited() -> list[str]:
    """Return the methods that answer requests and are inherited from asyncssh."""
    names = [name for name, _ in inspect.getmembers(asyncssh.SFTPServer, inspect.isfunction) if name[0] != "_"]
    return [
        name for name in names if name not in HELPERS and getattr(Files, name) is getattr(asyncssh.SFTPServer, name)
    ]


@pytest.mark.parametrize("name", inherited())
def test_requests_that_asyncssh_answers_itself_are_refused(name: str) -> None:
    files = Files(cast("Any", None), "acme", cast("Any", None), lambda _: None)
    method: Callable[..., Any] = getattr(files, name)
    given = {"path": b"/etc/passwd", "oldpath": b"/etc/passwd", "newpath": b"/x", "attrs": asyncssh.SFTPAttrs()}
    arguments = [given.get(word, 0) for word in inspect.signature(method).parameters]

    async def attempt() -> None:
        answer = method(*arguments)
        if inspect.isawaitable(answer):
            await answer

    with pytest.raises((asyncssh.SFTPOpUnsupported, NotImplementedError)):
        asyncio.run(attempt())


@pytest.mark.parametrize(
    ("path", "seen"),
    [(b".", "/"), (b"", "/"), (b"..", "/"), (b"/../../etc", "/etc"), (b"in/../..", "/"), (b"//in//a/", "/in/a"),
     (b"/in/./a", "/in/a"), ("æ".encode(), "/æ")],
)  # fmt: skip
def test_no_path_leads_out_of_the_home(path: bytes, seen: str) -> None:
    assert absolute(path) == seen
    assert object_key("acme", path) == f"acme{seen}"
    assert folder_prefix("acme", path) == f"acme{seen}".rstrip("/") + "/"


def test_names_that_refer_to_another_folder_are_not_listed() -> None:
    assert [name for name in ("", ".", "..", "a/b", "a", ".a") if is_listable(name)] == ["a", ".a"]
