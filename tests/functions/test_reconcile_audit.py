"""reconcile_audit: events that are in only one copy of the audit trail are counted until they are restored."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.trail.progress import LENGTH, Progress
from tests.support.clock import Clock
from tests.support.metrics import emitted
from tests.support.network import Crash, Network
from tests.support.stack import AUDIT, STACK, Stack
from tests.support.trail import deliver, envelope, lock, locked_for, log, records, remove

PROGRESS = f"/{STACK}/reconcile/progress"
Run = Callable[..., dict[str, float]]


@pytest.fixture
def run(cloud: Stack, reconcile_audit: ModuleType, clock: Clock, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the handler an hour from now and returns its metrics and counts.

    The saved progress begins ten minutes ago, rounded down to the start of a window.
    """
    start = datetime.now(UTC) - LENGTH
    keep(cloud, start.replace(minute=start.minute // 10 * 10, second=0, microsecond=0))
    clock.pass_by(hours=1)

    def invoke(event: dict[str, Any] | None = None) -> dict[str, float]:
        capsys.readouterr()
        counts = reconcile_audit.lambda_handler(event or {}, None)
        (line,) = emitted(capsys)
        metrics = {name: values[0] for name, values in line.items() if name.startswith("Audit")}
        return {**metrics, **counts}

    return invoke


def keep(cloud: Stack, start: datetime) -> None:
    cloud.ssm.put_parameter(Name=PROGRESS, Value=Progress(start).dumps(), Type="String", Overwrite=True)


def kept(cloud: Stack) -> dict[str, Any]:
    return dict(json.loads(cloud.ssm.get_parameter(Name=PROGRESS)["Parameter"]["Value"]))


def gaps(result: dict[str, float]) -> tuple[float, float]:
    return result["AuditGapBucket"], result["AuditGapLog"]


def test_event_in_both_copies_is_no_gap_even_if_repeated(cloud: Stack, run: Run) -> None:
    events = [envelope() for _ in range(5)]
    log(cloud, events + events[:2])
    deliver(cloud, events[:3])
    deliver(cloud, events[2:])
    result = run()
    assert gaps(result) == (0, 0)
    assert result["AuditObjectsUnlocked"] == 0
    assert result["open"] == 0
    assert 30 * 60 <= result["AuditReconcileAge"] < 40 * 60


def test_missing_event_is_counted_even_if_both_copies_have_equal_counts(cloud: Stack, run: Run) -> None:
    events = [envelope() for _ in range(5)]
    log(cloud, events)
    deliver(cloud, [*events[:4], events[0]])
    assert gaps(run()) == (1, 0)


def test_removed_object_is_counted_until_it_is_restored(cloud: Stack, run: Run, clock: Clock) -> None:
    events = [envelope() for _ in range(5)]
    log(cloud, events)
    deliver(cloud, events[:2])
    removed = deliver(cloud, events[2:])
    remove(cloud, removed)
    for _ in range(2):
        assert gaps(run()) == (3, 0)
        clock.pass_by(minutes=30)
    deliver(cloud, events[2:])
    result = run()
    assert (gaps(result), result["open"]) == ((0, 0), 0)


def test_events_missing_from_the_log_group_are_counted(cloud: Stack, run: Run) -> None:
    events = [envelope() for _ in range(5)]
    log(cloud, events[1:])
    deliver(cloud, events)
    assert gaps(run()) == (0, 1)
    log(cloud, events[:1])
    assert gaps(run()) == (0, 0)


@pytest.mark.parametrize("minutes", [-0.5, 20])
def test_an_event_that_is_logged_under_another_time_is_no_gap(cloud: Stack, run: Run, minutes: float) -> None:
    moment = datetime.fromisoformat(f"{kept(cloud)['next']}00+00:00")
    event = envelope(moment)
    log(cloud, [event], moment + timedelta(minutes=minutes))
    deliver(cloud, [event])
    assert gaps(run()) == (0, 0)


def test_wrong_time_of_a_sender_causes_no_search_of_all_hours(cloud: Stack, run: Run, network: Network) -> None:
    log(cloud, [envelope(datetime(1970, 1, 1, tzinfo=UTC))])
    assert gaps(run()) == (1, 0)
    assert len(network.asked("ListObjectVersions")) < 100


def test_delete_marker_or_later_object_hides_no_event(cloud: Stack, run: Run) -> None:
    events = [envelope() for _ in range(2)]
    log(cloud, events)
    hidden, overwritten = deliver(cloud, events[:1]), deliver(cloud, events[1:])
    cloud.s3.delete_object(Bucket=AUDIT, Key=hidden)
    cloud.s3.put_object(Bucket=AUDIT, Key=overwritten, Body=b"other")
    assert gaps(run()) == (0, 0)


@pytest.mark.parametrize("broken", [b"", b"no gzip", b"cut"], ids=["empty", "no gzip", "cut"])
def test_unreadable_object_is_a_gap(cloud: Stack, run: Run, broken: bytes) -> None:
    event = envelope()
    log(cloud, [event])
    data = gzip.compress(json.dumps(event).encode())[:-30] if broken == b"cut" else broken
    deliver(cloud, [], data=data)
    assert gaps(run()) == (1, 0)


def test_lines_that_are_no_events_are_ignored(cloud: Stack, run: Run) -> None:
    event = envelope()
    odd = [{"id": 1, "time": "2026-01-01T00:00:00Z"}, {"id": "x", "time": "2026-01-01T00:00:00"}, ["id"], None]
    log(cloud, [event, *odd])  # type: ignore[list-item]
    deliver(cloud, [*odd, event])  # type: ignore[list-item]
    assert gaps(run()) == (0, 0)


def test_unlocked_object_is_reported_once_and_locked(cloud: Stack, run: Run) -> None:
    events = [envelope() for _ in range(3)]
    log(cloud, events)
    deliver(cloud, events[:1])
    unlocked, short = deliver(cloud, events[1:2], locked=False), deliver(cloud, events[2:], locked=False)
    lock(cloud, short, datetime.now(UTC) + timedelta(days=1))
    result = run()
    assert (gaps(result), result["AuditObjectsUnlocked"]) == ((0, 0), 2)
    assert locked_for(cloud, unlocked) == locked_for(cloud, short) == ("GOVERNANCE", timedelta(days=2557))
    assert run()["AuditObjectsUnlocked"] == 0


def test_open_window_is_not_compared(cloud: Stack, run: Run, clock: Clock) -> None:
    log(cloud, [envelope()])
    clock.pass_by(hours=-1)
    assert gaps(run()) == (0, 0)
    clock.pass_by(hours=1)
    assert gaps(run()) == (1, 0)


def test_a_run_that_is_cut_short_is_resumed(cloud: Stack, run: Run, clock: Clock, network: Network) -> None:
    log(cloud, [envelope()])
    network.before("FilterLogEvents", lambda _: clock.pass_by(minutes=11))
    first = run()
    assert (first["windows"], first["cut_short"]) == (1, 1)
    network.requests.clear()
    second = run()
    assert gaps(second) == (1, 0)
    assert "cut_short" not in second
    starts = [request.members["startTime"] for request in network.asked("FilterLogEvents")]
    assert len(starts) == len(set(starts)), "no window was compared twice"


@pytest.mark.parametrize("operation", ["FilterLogEvents", "ListObjectVersions", "GetObject", "PutParameter"])
def test_interrupted_run_is_resumed(
    cloud: Stack, run: Run, network: Network, reconcile_audit: ModuleType, operation: str
) -> None:
    events = [envelope(), envelope()]
    log(cloud, events)
    deliver(cloud, events[:1])
    network.crash("before", operation)
    with pytest.raises(Crash):
        reconcile_audit.lambda_handler({}, None)
    assert gaps(run()) == (1, 0)


def test_a_failure_is_an_error_of_the_run(cloud: Stack, run: Run, network: Network) -> None:
    log(cloud, [envelope()])
    network.fail("ListObjectVersions", 403, "AccessDenied", bucket=AUDIT)
    with pytest.raises(Exception, match="Listing audit objects failed: AccessDenied"):
        run()
    assert gaps(run()) == (1, 0)


def test_only_missing_events_are_restored_on_request(cloud: Stack, run: Run) -> None:
    events = [envelope() for _ in range(5)]
    log(cloud, events)
    deliver(cloud, events[:2])
    assert gaps(run()) == (3, 0)
    assert run()["open"] == 1, "a run without the request restores nothing"

    result = run({"restore": True})

    assert (gaps(result), result["restored"], result["open"]) == ((0, 0), 3, 0)
    (key,) = [each for each in cloud.objects(AUDIT) if "-restored-" in each]
    assert records(cloud, key) == events[2:]
    assert locked_for(cloud, key)[0] == "GOVERNANCE"
    assert run()["AuditObjectsUnlocked"] == 0
    remove(cloud, key)
    keep(cloud, datetime.fromisoformat(f"{kept(cloud)['next']}00+00:00") - 6 * LENGTH)
    assert gaps(run()) == (3, 0), "what was restored is compared like the rest"


def test_restored_events_are_found_by_the_next_comparison(cloud: Stack, run: Run) -> None:
    events = [envelope() for _ in range(3)]
    log(cloud, events)
    before = kept(cloud)
    run({"restore": True})
    cloud.ssm.put_parameter(Name=PROGRESS, Value=json.dumps(before), Type="String", Overwrite=True)
    assert gaps(run()) == (0, 0)


def test_a_busy_window_is_read_page_by_page(cloud: Stack, run: Run, network: Network) -> None:
    events = [envelope() for _ in range(10_050)]
    log(cloud, events)
    deliver(cloud, events[:-1])
    assert gaps(run()) == (1, 0)
    assert [request for request in network.asked("FilterLogEvents") if "nextToken" in request.members]


def test_many_objects_are_listed_page_by_page(
    cloud: Stack, run: Run, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    events = [envelope() for _ in range(5)]
    log(cloud, events)
    for event in events:
        deliver(cloud, [event])
    assert gaps(run()) == (0, 0)
    assert [request for request in network.asked("ListObjectVersions") if "key-marker" in request.raw.url]


@pytest.mark.parametrize("text", [None, "no JSON", '{"next": 1, "open": []}', '{"open": []}'])
def test_lost_progress_restarts_half_a_day_ago(cloud: Stack, run: Run, clock: Clock, text: str | None) -> None:
    log(cloud, [envelope()])
    clock.pass_by(hours=9)
    if text is None:
        cloud.ssm.delete_parameter(Name=PROGRESS)
    else:
        cloud.ssm.put_parameter(Name=PROGRESS, Value=text, Type="String", Overwrite=True)
    assert gaps(run()) == (1, 0)


def test_the_log_names_the_window_and_no_event(cloud: Stack, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    event = envelope()
    log(cloud, [event])
    run()
    (line,) = [vars(each) for each in caplog.records if each.getMessage() == "audit trail has a gap"]
    assert (line["bucket"], line["log"]) == (1, 0)
    assert datetime.fromisoformat(line["window"]).minute % 10 == 0
    written = str([vars(each) for each in caplog.records])
    assert event["id"] not in written
    assert event["detail"]["id"] not in written
