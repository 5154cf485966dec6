"""The key register's rows, from events that arrive twice, late and in any order."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from callseal.core.audit import timestamp
from callseal.keys.register import KeyRecord, after

START = datetime(2026, 11, 24, tzinfo=UTC)
A, B, C = (letter * 64 for letter in "ABC")


def at(minute: int) -> str:
    return timestamp(START + timedelta(minutes=minute))


def event(kind: str, minute: int, version: str, *names: str, reason: str | None = None) -> tuple[str, dict[str, Any]]:
    recipients = [
        {"fingerprint": one, "kind": "x509", "not_after": at(9999), "algorithm": "RSA", "strength": 3072}
        for one in names
    ]
    return kind, {"time": at(minute), "key_version": version, "recipients": recipients, "reason": reason}


def rows(*events: tuple[str, dict[str, Any]]) -> dict[str, KeyRecord]:
    known: dict[str, KeyRecord] = {}
    for kind, detail in events:
        known = after(known.values(), kind, detail)
    return known


def test_a_key_is_seen_accepted_proven_and_retired() -> None:
    found = rows(
        event("KeyAccepted", 1, "v1", A),
        event("KeyProven", 2, "v1", A),
        event("KeyAccepted", 5, "v2", B),
    )
    assert found[A] == KeyRecord(
        A, None, "x509", "RSA", 3072, first_seen=at(1), accepted=at(1), last_accepted=at(1), proven=at(2),
        not_after=at(9999), retired=at(5), secret_version_id="v1",
    )  # fmt: skip
    assert (found[B].retired, found[B].accepted, found[B].secret_version_id) == (None, at(5), "v2")


def test_a_rejected_key_is_seen_and_never_in_use() -> None:
    found = rows(event("KeyAccepted", 1, "v1", A), event("KeyRejected", 2, "v2", B, reason="KeyTooWeak"))
    assert (found[B].first_seen, found[B].accepted, found[B].retired) == (at(2), None, None)
    assert found[A].retired is None


def test_restored_version_is_in_use_again_from_its_first_acceptance() -> None:
    found = rows(event("KeyAccepted", 1, "v1", A), event("KeyAccepted", 5, "v2", B), event("KeyAccepted", 7, "v1", A))
    assert (found[A].accepted, found[A].retired) == (at(1), None)
    assert found[B].retired == at(7)


def test_same_key_in_a_new_version_counts_as_a_new_value() -> None:
    found = rows(event("KeyAccepted", 1, "v1", A), event("KeyAccepted", 5, "v2", B), event("KeyAccepted", 7, "v3", A))
    assert (found[A].first_seen, found[A].accepted, found[A].secret_version_id) == (at(1), at(7), "v3")


def test_a_revocation_is_kept_until_the_key_is_accepted_again() -> None:
    first = (event("KeyAccepted", 1, "v1", A), event("KeyRejected", 3, "v2", A, reason="KeyRevoked"))
    assert rows(*first)[A].revoked == at(3)
    assert rows(*reversed(first))[A].revoked == at(3)
    assert rows(*first, event("KeyAccepted", 4, "v3", A))[A].revoked is None


LIFE = [
    event("KeyAccepted", 1, "v1", A),
    event("KeyProven", 2, "v1", A),
    event("KeyRejected", 3, "v2", C, reason="KeyTooWeak"),
    event("KeyAccepted", 4, "v3", B),
    event("KeyAccepted", 6, "v1", A),
]


def test_any_order_of_events_gives_the_same_row() -> None:
    in_order = rows(*LIFE)
    for order in itertools.permutations(LIFE):
        found = rows(*order)
        assert {name: (row.first_seen, row.proven, row.last_accepted) for name, row in found.items()} == {
            name: (row.first_seen, row.proven, row.last_accepted) for name, row in in_order.items()
        }
        assert {name for name, row in found.items() if row.last_accepted and not row.retired} == {A}


@given(st.lists(st.sampled_from(LIFE), max_size=12))
def test_repeats_change_nothing(more: list[tuple[str, dict[str, Any]]]) -> None:
    found = rows(*LIFE, *more)
    assert found == rows(*LIFE)
