"""The card of a call: what it shows, and that no order, repeat or division of its sources changes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.calls.call_file import Delivery, stored_file
from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import CardFacts, blind_facts, plain_facts, stored_facts
from callseal.calls.facts import Facts, Flags
from callseal.core.audit import timestamp

CALL = CallName("acme", "2026/4711_1")
BEGAN = datetime(2026, 11, 24, 10, tzinfo=UTC)
MEMBERS = [
    "id", "tenant", "name", "session_id", "started", "ended", "seconds", "direction", "caller", "callee", "agent",
    "queue", "flags", "class", "keep_until", "dispose_on", "holds", "files", "policy", "indexed", "metadata", "blind",
    "erasure_pending",
]  # fmt: skip
FILE_MEMBERS = {
    "n", "destination", "bucket", "key", "version", "size", "sha256", "sealed", "recipients", "state",
}  # fmt: skip
FACTS = Facts(
    session_id="4711", started=BEGAN, ended=BEGAN + timedelta(seconds=61), seconds=61.0, direction="incoming",
    caller="+4522334455", callee="+4733445566", agent="kari@acme.example", queue="trading-1",
    flags=Flags(restricted=True, consent="given"),
)  # fmt: skip
OUTCOME = {
    "version": "f" * 64, "rule": "orders", "class": "orders", "record": "must", "consent": "none", "restricted": False,
    "sensitive": True, "archive": True, "denied": True, "held": None, "keep_until": "2031-11-24T10:01:01.000Z",
    "dispose_on": "2033-11-24T10:01:01.000Z",
}  # fmt: skip


def nobodys(_number: str) -> bool:
    return False


def at(minutes: float) -> str:
    return timestamp(BEGAN + timedelta(minutes=minutes))


def place(key: str, destination: str = "sftp") -> tuple[str, str, str]:
    return destination, f"{destination}-bucket", f"acme/2026/4711_1.{key}"


def delivery(name: str, minutes: float, size: int = 4) -> Delivery:
    return Delivery(name, at(minutes), size, "ab" * 32, "cms", ("AB" * 32,))


def with_metadata(source: str = "xml", known: CardFacts | None = None) -> Callable[[Card], Card]:
    known = known or plain_facts(FACTS, nobodys)
    key = f"acme/2026/4711_1.{source}"
    return lambda card: card.with_metadata(key, "read", known, at(2))


def with_delivery(key: str, name: str, minutes: float, destination: str = "sftp", size: int = 4) -> Any:
    return lambda card: card.with_delivery(place(key, destination), delivery(name, minutes, size))


def with_fetch(key: str, minutes: float) -> Callable[[Card], Card]:
    return lambda card: card.with_fetch(place(key), at(minutes))


def changed(*changes: Callable[[Card], Card]) -> Card:
    card = Card(CALL)
    for change in changes:
        card = change(card)
    return card


ALL: list[Callable[[Card], Card]] = [
    with_metadata(),
    lambda card: card.with_outcome(OUTCOME),
    with_delivery("wav.p7m", "first", 3),
    with_delivery("wav.p7m", "first", 20),  # a recheck reports the same delivery later
    with_delivery("wav.p7m", "second", 30, size=5),  # removed, and landed again
    with_delivery("wav.p7m", "archived", 3, "archive"),
    with_delivery("xml.p7m", "metadata", 4),
    with_fetch("wav.p7m", 10),
    with_fetch("wav.p7m", 40),
    with_fetch("xml.p7m", 5),
]


def unnumbered(card: Card) -> Any:
    shown = card.public()
    files = sorted(({**file, "n": None} for file in shown["files"]), key=lambda file: (file["key"], file["bucket"]))
    return {**shown, "files": files}


def test_a_card_has_exactly_the_public_members() -> None:
    for card in (Card(CALL), changed(*ALL)):
        shown = card.public()
        assert list(shown) == MEMBERS
        assert set(shown["policy"]) == {"version", "rule", "denied"}
        assert [*shown["flags"]] == [
            "restricted", "sensitive", "denied", "consent", "informed", "paused", "agent_accepted",
        ]  # fmt: skip
        assert all(set(file) == FILE_MEMBERS for file in shown["files"])
        assert json.loads(json.dumps(shown)) == shown


def test_what_is_absent_is_null_false_or_unknown() -> None:
    shown = changed(with_delivery("wav", "first", 3)).public()
    absent = (
        "session_id", "ended", "seconds", "direction", "caller", "callee", "agent", "queue", "class", "keep_until",
        "dispose_on",
    )  # fmt: skip
    assert {name: shown[name] for name in absent} == dict.fromkeys(absent)
    assert shown["flags"] == {
        "restricted": False, "sensitive": False, "denied": False, "consent": "unknown", "informed": False,
        "paused": False, "agent_accepted": False,
    }  # fmt: skip
    assert shown["policy"] == {"version": None, "rule": None, "denied": False}
    assert (shown["started"], shown["indexed"], shown["metadata"]) == (at(3), "files", "none")
    assert (shown["holds"], shown["blind"], shown["erasure_pending"]) == ([], [], False)


def test_a_whole_card() -> None:
    shown = changed(*ALL).public()
    assert (shown["id"], shown["tenant"], shown["name"]) == (CALL.id, "acme", "2026/4711_1")
    assert (shown["started"], shown["ended"], shown["seconds"]) == (at(0), timestamp(FACTS.ended or BEGAN), 61)
    assert (shown["caller"], shown["agent"], shown["queue"]) == ("+4522334455", "kari@acme.example", "trading-1")
    assert (shown["flags"]["restricted"], shown["flags"]["sensitive"], shown["flags"]["denied"]) == (True, True, False)
    assert shown["policy"] == {"version": "f" * 64, "rule": "orders", "denied": True}
    assert (shown["class"], shown["dispose_on"]) == ("orders", "2033-11-24T10:01:01.000Z")
    assert (shown["indexed"], shown["metadata"]) == ("both", "read")
    assert [(file["n"], file["key"], file["destination"]) for file in shown["files"]] == [
        (0, "acme/2026/4711_1.wav.p7m", "sftp"), (1, "acme/2026/4711_1.wav.p7m", "archive"),
        (2, "acme/2026/4711_1.xml.p7m", "sftp"),
    ]  # fmt: skip
    assert [(file["state"], file["size"], file["version"]) for file in shown["files"]] == [
        ("fetched", 5, None), ("delivered", 4, None), ("fetched", 4, None),
    ]  # fmt: skip
    assert shown["files"][0]["recipients"] == ["AB" * 32]


@given(st.lists(st.sampled_from(range(len(ALL))), max_size=12), st.permutations(range(len(ALL))))
def test_no_order_and_no_repeat_changes_a_card(repeats: list[int], order: list[int]) -> None:
    numbers = [*order, *repeats]
    card = changed(*(ALL[number] for number in numbers))
    assert unnumbered(card) == unnumbered(changed(*ALL))
    assert sorted(file.n for file in card.files) == [0, 1, 2]


@given(st.permutations([*range(len(ALL)), *range(len(ALL))]))
def test_a_files_number_never_changes(order: list[int]) -> None:
    card, numbers = Card(CALL), dict[Any, int]()
    for number in order:
        card = ALL[number](card)
        assert numbers.items() <= {file.place: file.n for file in card.files}.items()
        numbers = {file.place: file.n for file in card.files}


def test_recordings_are_listed_first_and_keep_their_numbers() -> None:
    shown = changed(with_delivery("xml", "m", 1), with_delivery("wav", "r", 2)).public()
    assert [(file["n"], file["key"][-3:]) for file in shown["files"]] == [(0, "wav"), (1, "xml")]
    shown = changed(with_delivery("xml", "m", 1), with_delivery("wav", "r", 2), with_delivery("mp3", "s", 3)).public()
    assert [(file["n"], file["key"][-3:]) for file in shown["files"]] == [(0, "wav"), (2, "mp3"), (1, "xml")]


def test_a_file_that_landed_again_is_not_fetched_yet() -> None:
    file = changed(with_delivery("wav", "first", 0), with_fetch("wav", 5), with_delivery("wav", "second", 60)).files[0]
    assert file.state == "delivered"
    assert file.fetched_at(at(61)).state == "fetched"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_a_recheck_leaves_a_file_fetched(order: tuple[int, ...]) -> None:
    """It reports the same delivery again, an hour later."""
    changes = [with_delivery("wav", "first", 0), with_fetch("wav", 5), with_delivery("wav", "first", 60)]
    assert changed(*(changes[number] for number in order)).files[0].state == "fetched"


def test_a_download_alone_is_no_card_for_readers() -> None:
    card = changed(with_fetch("wav", 5))
    assert not card.is_listed
    assert changed(with_fetch("wav", 5), with_delivery("wav", "first", 3)).is_listed


def test_an_outcome_alone_is_no_card_for_readers() -> None:
    assert not Card(CALL).with_outcome(OUTCOME).is_listed


@pytest.mark.parametrize(("state", "files", "expected"), [
    (None, ["wav"], "none"), (None, ["xml"], "not_read"), ("unreadable", ["xml"], "unreadable"), ("read", [], "read"),
])  # fmt: skip
def test_what_became_of_the_metadata(state: Any, files: list[str], expected: str) -> None:
    card = changed(*(with_delivery(key, key, 1) for key in files))
    if state:
        card = card.with_metadata(
            "acme/2026/4711_1.xml", state, plain_facts(FACTS, nobodys) if state == "read" else None, at(0)
        )
    assert card.public()["metadata"] == expected


def test_the_first_metadata_that_was_read_stays() -> None:
    other = plain_facts(replace(FACTS, queue="other"), nobodys)
    assert changed(with_metadata("xml"), with_metadata("json", other)).facts.queue == "trading-1"
    assert changed(with_metadata("xml"), with_metadata("xml", other)).facts.queue == "other", "it was read again"
    unreadable: Callable[[Card], Card] = lambda card: card.with_metadata("x", "unreadable", None, at(0))  # noqa: E731
    assert changed(unreadable, with_metadata("json")).metadata == "read"
    assert changed(with_metadata("json"), unreadable).facts.queue == "trading-1"


def hashed(kind: str, text: str) -> str:
    return f"k1:{kind}-{len(text)}"


def test_a_blind_card_names_nobody() -> None:
    card = changed(with_metadata(known=blind_facts(FACTS, nobodys, hashed)), *ALL[2:])
    text = json.dumps([card.public(), card.known and card.known.stored()])
    assert not [value for value in (FACTS.caller, FACTS.callee, FACTS.agent, FACTS.queue) if value and value in text]
    shown = card.public()
    assert [shown[name] for name in ("caller", "callee", "agent", "queue")] == [None] * 4
    assert shown["blind"] == ["caller", "callee", "agent", "queue"]
    assert (shown["session_id"], shown["name"], shown["started"]) == ("4711", "2026/4711_1", at(0))
    assert changed(with_metadata(known=blind_facts(replace(FACTS, agent=None, caller=None), nobodys, hashed))).public()[
        "blind"
    ] == ["callee", "queue"]


@pytest.mark.parametrize(("direction", "party"), [("incoming", 11), ("outgoing", 12), (None, 11), ("internal", 11)])
def test_the_outside_party_is_found(direction: Any, party: int) -> None:
    facts = replace(FACTS, direction=direction, caller="+4522334455", callee="+47334455661")
    assert blind_facts(facts, nobodys, hashed).party == f"k1:number-{party}"
    assert plain_facts(facts, nobodys).party == ("+4522334455" if party == 11 else "+47334455661")


def test_the_tenants_own_numbers_are_not_found() -> None:
    own = {"+4522334455"}.__contains__
    assert plain_facts(FACTS, own).party is None
    assert plain_facts(FACTS, own).facts.caller == "+4522334455", "a plain card has all facts"
    known = blind_facts(FACTS, own, hashed)
    assert (known.party, list(known.hashed)) == (None, ["callee", "agent", "queue"])


@pytest.mark.parametrize(
    "known", [plain_facts(FACTS, nobodys), blind_facts(FACTS, nobodys, hashed), CardFacts(Facts())]
)
def test_facts_and_files_are_stored_whole(known: CardFacts) -> None:
    assert stored_facts(json.loads(json.dumps(known.stored()))) == known
    for file in changed(*ALL).files:
        assert stored_file(json.loads(json.dumps(file.stored()))) == file


def test_only_the_latest_deliveries_are_kept() -> None:
    card = changed(*(partial(Card.with_delivery, place=place("wav"), delivery=delivery(f"d{n}", n)) for n in range(20)))
    assert [each.id for each in card.files[0].deliveries] == [f"d{n}" for n in range(12, 20)]
    assert card.landed == at(0)
