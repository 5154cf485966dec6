"""The values of erasures: states, ids and dates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from callseal.calls.call_name import CallName, original_key
from callseal.retention.erasure import LedgerFile, due_after, file_id, latest, request_id, state_of
from callseal.retention.erasure_notices import parse_answer


def files(*states: Any) -> list[LedgerFile]:
    return [LedgerFile("acme", "r", "c", str(n), "archive", state=state) for n, state in enumerate(states)]


@pytest.mark.parametrize(("states", "expected"), [
    ((), "done"), (("erased", "gone", "at_recipient"), "done"), (("gone",), "done"),
    (("erased", "pending"), "running"), (("failed", "held"), "running"),
    (("erased", "held"), "partly"), (("at_recipient", "retained"), "partly"),
    (("held", "gone"), "refused"), (("retained",), "refused"),
])  # fmt: skip
def test_state_of_a_request(states: tuple[str, ...], expected: str) -> None:
    assert state_of(files(*states)) == expected


def test_ids_are_of_their_parts() -> None:
    assert len({file_id("sftp", "acme/1.wav", None), file_id("archive", "acme/1.wav", None),
                file_id("archive", "acme/1.wav", "v"), file_id("archive", "acme/2.wav", None)}) == 4  # fmt: skip
    assert len({request_id("acme", "s", 0), request_id("acme", "s", 1), request_id("beta", "s", 0)}) == 3
    assert len(request_id("acme", "s", 0)) == 16


def test_the_time_for_an_answer_is_a_calendar_month() -> None:
    assert due_after(datetime(2026, 1, 31, 12, tzinfo=UTC)) == "2026-02-28T12:00:00.000Z"


def test_the_latest_lock_counts() -> None:
    one, two = files("retained", "retained")
    dates = [LedgerFile(**{**{name: getattr(file, name) for name in file.__slots__}, "until": until})
             for file, until in ((one, "2027"), (two, "2028"))]  # fmt: skip
    assert (latest(dates), latest(files("erased"))) == ("2028", None)


@pytest.mark.parametrize(("key", "original"), [
    ("acme/2026/1.wav", "acme/2026/1.wav"), ("acme/requests/7/2026/1.wav", "acme/2026/1.wav"),
    ("acme/requests/7/1.wav", "acme/1.wav"), ("acme/requests/1.wav", "acme/"),
])  # fmt: skip
def test_a_copy_on_request_is_of_its_call(key: str, original: str) -> None:
    assert original_key(key) == original


@pytest.mark.parametrize("key", [
    "acme/notices/erasure-0123456789abcdef.json", "acme/notices/erasure-0123456789ABCDEF.done",
    "acme/notices/x/erasure-0123456789abcdef.done", "acme/notices/erasure-0123456789abcdef.done ",
    "a/notices/erasure-0123456789abcdef.done", "acme/erasure-0123456789abcdef.done",
])  # fmt: skip
def test_what_is_no_answer_to_a_notice(key: str) -> None:
    assert parse_answer(key) is None
    assert parse_answer("acme/notices/erasure-0123456789abcdef.done") == ("acme", "0123456789abcdef")


def test_a_call_and_its_neighbour_have_other_ids() -> None:
    assert CallName("acme", "1").id != CallName("acme", "1b").id
