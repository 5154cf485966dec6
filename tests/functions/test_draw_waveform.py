"""draw_waveform: drawn from plain recordings at the first request, kept, and refused like the recording itself."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from callseal.archive.user_table import UserTable
from tests.support.archive import People, Reply, Visitor
from tests.support.clock import Clock
from tests.support.network import Network
from tests.support.stack import ARCHIVE, Stack

WAV = (Path(__file__).parents[1] / "samples" / "4711000000000001_1.wav").read_bytes()
MP3 = (Path(__file__).parents[1] / "samples" / "4711000000000002_1.mp3").read_bytes()


@pytest.fixture
def people(cloud: Stack, clock: Clock, open_recording: ModuleType, draw_waveform: ModuleType) -> People:
    people = People(cloud, clock, [open_recording, draw_waveform])
    people.access({"group": "all", "may": ["play"]})
    return people


def waveform(visitor: Visitor, call: str, file: int = 0) -> Reply:
    return visitor.get(f"/api/calls/{call}/files/{file}/waveform")


def opened(people: People, call: str) -> Visitor:
    visitor = people.visitor("all")
    assert visitor.post(f"/api/calls/{call}/access", {"action": "play", "file": 0}).status == 201
    return visitor


@pytest.mark.parametrize(("data", "extension"), [(WAV, "wav"), (WAV, "WAV"), (MP3, "mp3"), (MP3, "MP3")])
def test_waveform_is_drawn_once_and_kept(people: People, network: Network, data: bytes, extension: str) -> None:
    call = people.call(data=data, extension=extension)
    kari = opened(people, call)

    first = waveform(kari, call)

    assert first.status == 200
    left, right = first.json["rows"]
    assert len(left) == len(right) == 1000 and {*left, *right} <= {*range(256)} and max(left) > 20
    assert 1 < first.json["seconds"] < 60
    reads = sum(request.operation == "GetObject" for request in network.requests)
    assert waveform(kari, call).json == first.json
    assert reads == 1 and sum(request.operation == "GetObject" for request in network.requests) == 1


def test_recording_that_is_delivered_anew_is_drawn_anew(people: People, cloud: Stack) -> None:
    call = people.call(data=WAV)
    kari = opened(people, call)
    assert max(waveform(kari, call).json["rows"][0]) > 0
    cloud.dynamodb.delete_item(
        TableName=cloud.environment["CALLS_TABLE"], Key={"tenant": {"S": "acme"}, "id": {"S": call}}
    )
    quiet = WAV[:44] + bytes(len(WAV) - 44)
    assert people.call(data=quiet, delivery="c" * 32) == call
    assert max(waveform(kari, call).json["rows"][0]) == 0


def test_what_is_no_sound_has_no_waveform(people: People) -> None:
    call = people.call(data=b"RIFF and nothing else")
    assert waveform(opened(people, call), call).error == (404, "NotFound")


def test_waveform_is_refused_like_the_recording(people: People, cloud: Stack) -> None:
    call, sealed = people.call("1", data=WAV), people.call("2", data=WAV, sealed="cms")
    kari = opened(people, call)
    assert waveform(people.visitor("all"), call).error == (403, "ReasonRequired")
    assert waveform(people.visitor("others"), call).error == (403, "NotAllowed")
    assert waveform(kari, sealed).error == (409, "SealedRecording")
    assert waveform(kari, call, 1).error == waveform(kari, call, 7).error == (404, "NotFound")
    cloud.s3.delete_object(Bucket=ARCHIVE, Key="acme/1.wav")
    assert waveform(kari, call).error == (404, "NotFound")


def test_recording_that_takes_too_long_to_read_has_no_waveform(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    call = people.call(data=WAV)
    monkeypatch.setattr("callseal.archive.draw_waveform.MAX_BYTES", len(WAV) - 1)
    assert waveform(opened(people, call), call).error == (404, "NotFound")


def test_agent_sees_the_waveform_of_a_blind_call_of_ones_own(people: People, cloud: Stack, clock: Clock) -> None:
    """The terms were accepted in another session, which each function finds out for itself."""
    grant = {"group": "agents", "may": ["play"], "scope": "own"}
    people.access(grant, terms={"version": "1", "text": "Be kind."})
    UserTable(cloud.dynamodb, cloud.environment["ARCHIVE_USERS"], clock).accept("acme", "kari@acme.example", "1")
    own, other = (people.call(name, data=WAV, blind=True, agent=f"{name}@acme.example") for name in ("kari", "ola"))
    kari, again = people.visitor("agents"), people.visitor("agents")

    assert waveform(again, own).error == (403, "ReasonRequired")
    for visitor in (kari, again):
        assert visitor.post(f"/api/calls/{own}/access", {"action": "play", "file": 0}).status == 201
        assert waveform(visitor, own).status == 200
        assert waveform(visitor, other).error == (403, "NotAllowed")
