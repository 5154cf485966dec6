"""Each place that an erasure has to reach: if it forgets one, a search of everything finds what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.retention.call_traces import CallTraces
from callseal.retention.erasure_places import CallPlaces, Stored
from callseal.retention.scope import Scope
from tests.functions.test_call_policy import BOTH, metadata
from tests.support import calls
from tests.support.clock import Clock
from tests.support.erasures import Desk
from tests.support.flow import Flow
from tests.support.holds import HoldScene
from tests.support.keys import x509_tenant
from tests.support.network import Network, refusal
from tests.support.stack import ARCHIVE, LANDING, SFTP, STACK, Stack
from tests.support.traces import Wanted, objects, search

CALL, NUMBER, SPOKEN = CallName("acme", "2026/4711_1"), "+4790000001", b"the caller's own words"
# What an erased call leaves on purpose: its tombstone, the ledger, and the audit trail of people and of files.
MAY_NAME = {("name", f"table {table}") for table in ("calls", "retention", "archive-trail")} | {
    ("sha256", "table retention"), ("sha256", "bucket audit"), ("name", "bucket audit"),
}  # fmt: skip


@dataclass
class InProcess:
    """The stack of this process, as the search needs it."""

    state_dir: Path
    stack_name: str = STACK

    @property
    def outputs(self) -> dict[str, str]:
        return {}

    def client(self, service: str) -> Any:
        return boto3.client(service)


@pytest.fixture
def desk(
    cloud: Stack, encrypt_recording: ModuleType, read_metadata: ModuleType, index_calls: ModuleType,
    erase_recordings: ModuleType, clock: Clock, monkeypatch: pytest.MonkeyPatch,
) -> Desk:  # fmt: skip
    """Return the desk for a call that is in every place."""
    monkeypatch.setattr("callseal.retention.hold_messages.SETTLE_SECONDS", 0)
    cloud.tenant("acme", x509_tenant().public_text, BOTH | {"call_index": "plain", "only_encrypt_sftp": True})
    flow = Flow(cloud, encrypt_recording, read_metadata)
    flow.land(f"acme/{CALL.name}.xml", metadata())
    flow.land(f"acme/{CALL.name}.wav", SPOKEN)
    calls.index(cloud, index_calls.lambda_handler)
    cloud.land(f"acme/{CALL.name}.txt", SPOKEN)
    cloud.s3.put_object(Bucket=ARCHIVE, Key=f"acme/{CALL.name}.mp3", Body=SPOKEN)
    cloud.s3.delete_object(Bucket=ARCHIVE, Key=f"acme/{CALL.name}.mp3")
    cloud.s3.put_object(Bucket=SFTP, Key=f"acme/requests/r1/{CALL.name}.wav", Body=SPOKEN)
    waveform = {"tenant": {"S": "acme"}, "place": {"S": f"{CALL.id}#0"}}
    cloud.dynamodb.put_item(TableName=f"{STACK}-archive-waveforms", Item=waveform)
    share = {
        "id": {"S": "s1"},
        "tenant": {"S": "acme"},
        "call": {"S": CALL.id},
        "created": {"S": "2026-11-30T00:00:00.000Z"},
    }
    cloud.dynamodb.put_item(TableName=f"{STACK}-archive-shares", Item=share)
    row = {"tenant": {"S": "acme"}, "key": {"S": f"acme/{CALL.name}.wav.p7m"}}
    cloud.dynamodb.put_item(TableName=f"{STACK}-files", Item=row)
    scene = HoldScene(cloud, clock)
    scene.hold("case 1", party=NUMBER)
    scene.release("case 1")
    return Desk(cloud, erase_recordings, clock)


@pytest.fixture
def left(desk: Desk, tmp_path: Path) -> Callable[[], set[tuple[str, str]]]:
    """Return a function that searches for the call, and returns what it found where."""
    stack = InProcess(tmp_path)
    wanted = Wanted(NUMBER[3:], SPOKEN, names=(f"{CALL.name}.", CALL.id))
    for bucket in (ARCHIVE, SFTP, LANDING):
        for content in objects(stack, bucket).values():
            if content:
                wanted.learn(content[0])

    def find() -> set[tuple[str, str]]:
        desk.cloud.audit()
        cancelled = {item["id"]["S"] for item in _shares(desk.cloud) if "cancelled" in item}
        hits = {hit for hit in search(stack, wanted) if (hit.place, hit.name) != ("table archive-shares", "acme s1")}
        open_shares = {("name", "table archive-shares")} if "s1" not in cancelled else set()
        return {(hit.what, hit.place) for hit in hits} | open_shares

    return find


def _shares(cloud: Stack) -> list[dict[str, Any]]:
    return list(cloud.dynamodb.scan(TableName=f"{STACK}-archive-shares")["Items"])


def test_nothing_is_left(desk: Desk, left: Any) -> None:
    before = left()
    assert {
        *(("recording", f"bucket {bucket}") for bucket in ("archive", "landing", "sftp")), ("sha256", "bucket sftp"),
        ("number", "bucket archive"), ("number", "table calls"),
        *(("name", f"table {table}") for table in ("archive-waveforms", "archive-shares", "files")),
    } <= before  # fmt: skip
    assert desk.erase()["state"] == "done"
    assert left() <= MAY_NAME


def test_the_register_forgets_a_file_whose_copy_has_expired(desk: Desk, left: Any) -> None:
    """The bucket's lifecycle has deleted the copy, so there is no file to erase in the SFTP area."""
    desk.cloud.s3.delete_object(Bucket=SFTP, Key=f"acme/{CALL.name}.wav.p7m")
    assert ("name", "table files") in left()
    assert desk.erase()["state"] == "done"
    assert left() <= MAY_NAME


def test_the_register_forgets_a_file_if_the_run_that_erased_it_has_crashed(
    desk: Desk, left: Any, network: Network
) -> None:
    request = desk.start()["request"]
    desk.approve(request)
    network.before("DeleteItem", lambda found: refusal(found, 500, "InternalServerError"))
    desk.run()
    assert desk.status(request)["state"] == "running"
    desk.run()
    assert desk.status(request)["state"] == "done"
    assert left() <= MAY_NAME


def forgetting(place: Callable[[Stored], bool]) -> Callable[[pytest.MonkeyPatch], None]:
    """Return a change of the product, so that an erasure does not find some objects."""

    def forget(monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("find", "delivered"):
            listed = getattr(CallPlaces, name)
            monkeypatch.setattr(
                CallPlaces, name, lambda *args, listed=listed: [each for each in listed(*args) if not place(each)]
            )

    return forget


def skipping(owner: type, name: str, instead: Any = lambda *_: None) -> Callable[[pytest.MonkeyPatch], None]:
    """Return a change of the product, so that a step of the erasure does nothing."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, instead)


PLACES = {
    "archive": (forgetting(lambda each: each.place == "archive"), ("recording", "bucket archive")),
    "hidden versions": (forgetting(lambda each: each.key.endswith(".mp3")), ("recording", "bucket archive")),
    "delete markers": (forgetting(lambda each: each.is_marker), ("name", "bucket archive")),
    "metadata in the archive": (
        forgetting(lambda each: each.place == "archive" and ".xml" in each.key), ("number", "bucket archive"),
    ),
    "sftp": (
        forgetting(lambda each: each.place == "sftp" and "/requests/" not in each.key), ("sha256", "bucket sftp")
    ),
    "copies": (forgetting(lambda each: "/requests/" in each.key), ("recording", "bucket sftp")),
    "landing": (forgetting(lambda each: each.place == "landing"), ("recording", "bucket landing")),
    "waveforms": (skipping(CallTraces, "remove_waveforms"), ("name", "table archive-waveforms")),
    "shares": (skipping(CallTraces, "cancel_shares"), ("name", "table archive-shares")),
    "register": (skipping(CallTraces, "remove_rows_of_call"), ("name", "table files")),
    "card": (skipping(Card, "ended_by", lambda card, *_: card), ("number", "table calls")),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_is_forgotten_is_found(desk: Desk, left: Any, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    change, trace = PLACES[place]
    change(monkeypatch)
    desk.erase()
    assert trace in left() - MAY_NAME


def test_a_number_that_a_released_hold_keeps_is_found(desk: Desk, left: Any, clock: Clock, monkeypatch: Any) -> None:
    monkeypatch.setattr(Scope, "number", None)
    scene = HoldScene(desk.cloud, clock)
    scene.hold("case 2", party=NUMBER)
    scene.release("case 2")
    desk.erase()
    assert left() - MAY_NAME == {("number", "table retention")}
