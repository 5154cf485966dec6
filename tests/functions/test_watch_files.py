"""watch_files: an unfetched file is reported 3 days and 1 day before it expires, and when it expires: once each."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count, islice
from types import ModuleType
from typing import Any

import pytest

from tests.functions.test_track_files import PLAIN, deliver
from tests.support.clock import Clock
from tests.support.events import VALIDATOR
from tests.support.files import fetched, files, states, track
from tests.support.metrics import emitted
from tests.support.network import Network
from tests.support.stack import SFTP, STACK, Stack

UNFETCHED, EXPIRED = "FileUnfetched", "FileExpired"


@pytest.fixture
def lying(cloud: Stack, encrypt_recording: ModuleType, track_files: ModuleType) -> Any:
    """Return a function that delivers files and registers them."""

    def make(*keys: str) -> None:
        for tenant in {key.partition("/")[0] for key in keys}:
            cloud.tenant(tenant, None, PLAIN)
        deliver(cloud, encrypt_recording, *keys)
        track(cloud, track_files.lambda_handler)

    return make


def put_clock(cloud: Stack, clock: Clock, days: float, key: str = "acme/1.wav") -> None:
    """Set the clock to this many days before the file expires."""
    end = datetime.fromisoformat(files(cloud.dynamodb)[key]["expires"])
    clock.put_to(end - timedelta(days=days) + timedelta(seconds=1))


def told(cloud: Stack, kind: str) -> list[tuple[str, str]]:
    return [(detail["tenant"], detail["source"]["key"]) for detail in cloud.audit_details(kind)]


def test_unfetched_file_is_reported_at_3_days_1_day_and_expiry_once_each(
    cloud: Stack, watch_files: ModuleType, lying: Any, clock: Clock
) -> None:
    lying("acme/1.wav")
    seen = []
    for days in (7, 3.1, 3, 2.5, 1.1, 1, 0.5, 0.1, 0, -0.1, -3):
        put_clock(cloud, clock, days)
        seen.append((days, watch_files.lambda_handler({}, None)))
        assert states(cloud.dynamodb) == {"acme/1.wav": "delivered" if days > 0 else "expired"}
    assert [(days, counts) for days, counts in seen if counts] == [
        (3, {"unfetched": 1}), (1, {"unfetched": 1}), (0, {"expired": 1}),
    ]  # fmt: skip
    assert told(cloud, UNFETCHED) == [("acme", "acme/1.wav")] * 2
    assert told(cloud, EXPIRED) == [("acme", "acme/1.wav")]
    three, one = cloud.audit_details(UNFETCHED)
    assert "in 3 days or less" in three["message"]
    assert "in 1 day or less" in one["message"]
    for detail in (three, one, *cloud.audit_details(EXPIRED)):
        VALIDATOR.validate(detail)
        assert detail["source"] == {
            "bucket": SFTP, "key": "acme/1.wav", "etag": None, "size": len(b"said in acme/1.wav"),
        }  # fmt: skip


@pytest.mark.parametrize("when", [5, 2, 0.5])
def test_fetched_file_is_not_reported_any_more(
    cloud: Stack, watch_files: ModuleType, track_files: ModuleType, lying: Any, clock: Clock, when: float
) -> None:
    lying("acme/1.wav", "acme/2.wav")
    put_clock(cloud, clock, when)
    watch_files.lambda_handler({}, None)
    before = len(told(cloud, UNFETCHED))
    track(cloud, track_files.lambda_handler, fetched(clock, "acme/1.wav"))
    for days in (1, -1):
        put_clock(cloud, clock, days)
        watch_files.lambda_handler({}, None)
    assert states(cloud.dynamodb) == {"acme/1.wav": "fetched", "acme/2.wav": "expired"}
    assert ("acme", "acme/1.wav") not in told(cloud, UNFETCHED)[before:]
    assert told(cloud, EXPIRED) == [("acme", "acme/2.wav")]


def test_watch_that_missed_days_reports_the_most_urgent_event(
    cloud: Stack, watch_files: ModuleType, lying: Any, clock: Clock
) -> None:
    lying("acme/1.wav")
    put_clock(cloud, clock, 0.5)
    watch_files.lambda_handler({}, None)
    (detail,) = cloud.audit_details(UNFETCHED)
    assert "in 1 day or less" in detail["message"]
    put_clock(cloud, clock, -9)
    assert watch_files.lambda_handler({}, None) == {"expired": 1}


def test_event_is_marked_only_after_the_audit_has_accepted_it(
    cloud: Stack, watch_files: ModuleType, lying: Any, clock: Clock, network: Network
) -> None:
    """If the bus refuses the event, no mark is written.

    If the mark gets lost, the same event is sent again with the same id.
    """
    lying("acme/1.wav")
    put_clock(cloud, clock, 3)
    network.fail("PutEvents", 400, "ThrottlingException")
    with pytest.raises(Exception, match="1 files could not be reported"):
        watch_files.lambda_handler({}, None)
    assert told(cloud, UNFETCHED) == []
    network.cut("PutItem")
    with pytest.raises(Exception, match="1 files could not be reported"):
        watch_files.lambda_handler({}, None)
    assert watch_files.lambda_handler({}, None) == {"unfetched": 1}
    assert watch_files.lambda_handler({}, None) == {}
    first, again = cloud.audit_details(UNFETCHED)
    assert first["id"] == again["id"]


def test_two_concurrent_watches_send_the_same_event(
    cloud: Stack, watch_files: ModuleType, lying: Any, clock: Clock, network: Network
) -> None:
    lying("acme/1.wav")
    put_clock(cloud, clock, 3)
    network.before("PutEvents", lambda _: watch_files.lambda_handler({}, None) and None)
    assert watch_files.lambda_handler({}, None) == {"unfetched": 1}
    assert watch_files.lambda_handler({}, None) == {}
    assert len({detail["id"] for detail in cloud.audit_details(UNFETCHED)}) == 1
    assert files(cloud.dynamodb)["acme/1.wav"]["told"] == 3


def test_file_fetched_during_its_report_stays_fetched(
    cloud: Stack, watch_files: ModuleType, track_files: ModuleType, lying: Any, clock: Clock, network: Network
) -> None:
    lying("acme/1.wav")
    put_clock(cloud, clock, 0)
    network.before("PutItem", lambda _: track(cloud, track_files.lambda_handler, fetched(clock, "acme/1.wav")))
    watch_files.lambda_handler({}, None)
    assert states(cloud.dynamodb) == {"acme/1.wav": "fetched"}
    assert watch_files.lambda_handler({}, None) == {}


def test_the_index_may_be_behind(
    cloud: Stack, watch_files: ModuleType, track_files: ModuleType, lying: Any, clock: Clock, network: Network
) -> None:
    """It was fetched a moment ago, and the index still has it."""
    lying("acme/1.wav")
    put_clock(cloud, clock, 3)
    network.before("GetItem", lambda _: track(cloud, track_files.lambda_handler, fetched(clock, "acme/1.wav")))
    assert watch_files.lambda_handler({}, None) == {"settled": 1}
    assert told(cloud, UNFETCHED) == []


def test_failing_file_does_not_affect_the_others(
    cloud: Stack, watch_files: ModuleType, lying: Any, clock: Clock, network: Network
) -> None:
    lying("acme/1.wav", "acme/2.wav", "beta/3.wav")
    put_clock(cloud, clock, 1)
    network.fail("GetItem", 500, "InternalServerError")
    with pytest.raises(Exception, match="1 files could not be reported"):
        watch_files.lambda_handler({}, None)
    assert len(told(cloud, UNFETCHED)) == 2
    assert watch_files.lambda_handler({}, None) == {"unfetched": 1}
    assert sorted(told(cloud, UNFETCHED)) == [("acme", "acme/1.wav"), ("acme", "acme/2.wav"), ("beta", "beta/3.wav")]


def test_run_ends_in_time_and_the_next_run_continues(
    cloud: Stack, watch_files: ModuleType, lying: Any, clock: Clock, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.sftp.file_table.PAGE", 2)
    keys = [f"acme/{number}.wav" for number in range(30)]
    lying(*keys)
    put_clock(cloud, clock, 3, keys[0])
    network.before("Query", lambda _: clock.pass_by(minutes=2), times=None)
    told_in_runs = []
    while sum(told_in_runs) < len(keys):
        assert len(told_in_runs) < 200
        counts = watch_files.lambda_handler({}, None)
        told_in_runs.append(counts.get("unfetched", 0))
    assert max(told_in_runs) <= 4
    assert sorted(told(cloud, UNFETCHED)) == sorted(("acme", key) for key in keys)


def test_many_files_are_reported_ten_at_a_time(
    cloud: Stack, watch_files: ModuleType, lying: Any, clock: Clock, network: Network
) -> None:
    """Only due files are read, and their events share requests. All files are in one shard, as in a large stack."""
    names = (f"acme/{number}.wav" for number in count())
    keys = list(islice((one for one in names if sha256(one.encode()).hexdigest()[0] == "7"), 60))
    lying(*keys)
    put_clock(cloud, clock, 3, keys[0])
    network.requests.clear()
    assert watch_files.lambda_handler({}, None) == {"unfetched": 60}
    assert len(network.asked("Query")) == 16
    assert (len(network.asked("GetItem")), len(network.asked("PutItem"))) == (60, 60)
    assert len(network.asked("PutEvents")) <= 30
    network.requests.clear()
    assert watch_files.lambda_handler({}, None) == {}
    assert {request.operation for request in network.requests} == {"Query"}


def test_each_run_emits_metrics(
    cloud: Stack, watch_files: ModuleType, lying: Any, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lying("acme/1.wav", "acme/2.wav")
    capsys.readouterr()
    for days, found in ((5, (0, 0)), (3, (2, 0)), (-1, (0, 2))):
        put_clock(cloud, clock, days)
        watch_files.lambda_handler({}, None)
        (line,) = emitted(capsys)
        assert (line["FilesUnfetched"], line["FilesExpired"], line["Stack"]) == ([found[0]], [found[1]], STACK)


def test_no_part_of_a_file_name_is_logged(
    cloud: Stack, watch_files: ModuleType, lying: Any, clock: Clock, network: Network,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    lying("acme/4712345678.wav")
    put_clock(cloud, clock, 1, "acme/4712345678.wav")
    network.fail("GetItem", 500, "InternalServerError")
    with pytest.raises(Exception, match="1 files could"):
        watch_files.lambda_handler({}, None)
    (record,) = (one for one in caplog.records if one.getMessage() == "file not watched")
    assert vars(record)["tenant"] == "acme"
    assert "4712345678" not in str([vars(one) for one in caplog.records])
