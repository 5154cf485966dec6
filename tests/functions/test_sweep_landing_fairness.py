"""The sweep is fair: neither one tenant's many files nor its failures delay another tenant."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.core.landing import tenant_of
from callseal.delivery.sweep_landing import SweepIncompleteError
from callseal.inbound.notification import parse_body
from tests.functions.test_sweep_landing import DATA, hold, sweep
from tests.support.clock import Clock
from tests.support.metrics import emitted
from tests.support.network import Network
from tests.support.queueing import receive, waiting
from tests.support.stack import LANDING, Stack


def land(cloud: Stack, tenant: str, count: int) -> list[str]:
    keys = [f"{tenant}/{number:03}.wav" for number in range(count)]
    for key in keys:
        cloud.land(key, DATA)
    return keys


def taken(cloud: Stack) -> list[str]:
    """Receive and delete the messages of the encrypt queue, and return the landing keys in order."""
    keys = []
    while records := receive(cloud)["Records"]:
        keys += [parse_body(record["body"])[0].key for record in records]
        for record in records:
            cloud.sqs.delete_message(QueueUrl=cloud.queue_url, ReceiptHandle=record["receiptHandle"])
    return keys


def by_tenant(keys: list[str]) -> dict[str | None, int]:
    return dict(Counter(tenant_of(key) for key in keys))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """One file at a time, ten a turn, and a queue that is full with 40 messages."""
    for name, value in {"FILES_AT_ONCE": 1, "SHARES_AT_ONCE": 1, "FILES_IN_A_TURN": 10, "MAX_FAILURES": 3}.items():
        monkeypatch.setattr(f"callseal.delivery.sweep_landing.{name}", value)
    for name, value in {"ENOUGH_WAITING": 40, "OF_ONE_SHARE": 25, "GUARANTEED": 2}.items():
        monkeypatch.setattr(f"callseal.delivery.sweep_shares.{name}", value)


# ---- capacity of the queue ------------------------------------------------------------------------------------------


def test_tenants_share_the_queues_free_capacity(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, small: None
) -> None:
    for tenant, count in {"aaa": 100, "bbb": 30, "zzz": 3}.items():
        land(cloud, tenant, count)
    clock.pass_by(minutes=2)

    counts = sweep(sweep_landing)

    # 40 messages in turns of ten, and then two more of each tenant: zzz comes last in the alphabet.
    assert counts == {"put_back": 40, "waiting": 93}
    assert by_tenant(taken(cloud)) == {"aaa": 20, "bbb": 17, "zzz": 3}


def test_tenant_requeues_no_more_than_its_share(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, small: None
) -> None:
    land(cloud, "aaa", 100)
    clock.pass_by(minutes=2)

    assert sweep(sweep_landing) == {"put_back": 25, "waiting": 75}


def test_lost_event_heals_while_another_tenants_messages_fill_the_queue(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, small: None
) -> None:
    land(cloud, "aaa", 100)
    clock.pass_by(minutes=2)
    for _ in range(7):
        sweep(sweep_landing)
    assert waiting(cloud) == 50
    land(cloud, "zzz", 3)
    # S3's clock does not move with ours: the next age at which files landed now are requeued is 5 minutes.
    clock.pass_by(minutes=4)

    assert sweep(sweep_landing)["put_back"] == 4
    assert sweep(sweep_landing)["put_back"] == 3

    assert by_tenant(taken(cloud))["zzz"] == 3


def test_files_without_capacity_come_first_in_the_next_sweep(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, small: None
) -> None:
    keys = land(cloud, "aaa", 60)
    clock.pass_by(minutes=2)
    found = []
    for _ in range(3):
        sweep(sweep_landing)
        found.append(taken(cloud))

    assert found == [keys[:25], keys[25:50], keys[50:]]
    assert sweep(sweep_landing) == {"pending": 60}


def test_change_of_a_tenant_without_capacity_is_continued_by_the_next_sweep(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, small: None
) -> None:
    """These files have no retry due by their age. They may be waiting for the change of the key."""
    keys = land(cloud, "acme", 30)
    clock.pass_by(minutes=20)
    for _ in range(2):
        sweep(sweep_landing)
    assert sweep(sweep_landing) == {"pending": 30}
    taken(cloud)

    assert sweep(sweep_landing, "secret-changed") == {"put_back": 25, "waiting": 5}
    assert sweep(sweep_landing)["put_back"] == 5

    assert taken(cloud) == keys


def test_operator_can_have_a_tenants_files_requeued_at_once(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType
) -> None:
    land(cloud, "acme", 2)
    land(cloud, "beta", 2)
    clock.pass_by(minutes=2)
    sweep(sweep_landing)
    taken(cloud)

    assert sweep_landing.lambda_handler({"tenant": "acme"}, None) == {"put_back": 2}

    assert by_tenant(taken(cloud)) == {"acme": 2}


# ---- time -----------------------------------------------------------------------------------------------------------


def test_tenant_without_a_turn_comes_first_in_the_next_run(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, small: None
) -> None:
    for tenant in ("aaa", "bbb", "ccc", "zzz"):
        land(cloud, tenant, 30)
    clock.pass_by(minutes=2)
    # There is time for the turns of two tenants.
    network.after("GetObjectTagging", lambda _: clock.pass_by(seconds=10), times=None)

    swept = []
    for _ in range(3):
        sweep(sweep_landing)
        swept.append(by_tenant(taken(cloud)))

    assert [set(one) for one in swept] == [{"aaa", "bbb"}, {"ccc", "zzz"}, {"aaa", "bbb"}]


def test_request_that_takes_long_ends_the_run_before_lambda_does(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, small: None
) -> None:
    land(cloud, "aaa", 10)
    clock.pass_by(minutes=2)
    network.after("GetObjectTagging", lambda _: clock.pass_by(minutes=4), times=1)

    assert sweep(sweep_landing) == {"put_back": 1}
    assert sweep(sweep_landing) == {"put_back": 9}


def test_lists_cost_one_request_for_all_tenants_and_one_for_each_turn(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, small: None
) -> None:
    for tenant, count in {"aaa": 25, "bbb": 1, "ccc": 1}.items():
        land(cloud, tenant, count)
    network.requests.clear()

    sweep(sweep_landing)

    assert len(network.asked("ListObjectsV2")) == 1 + 3 + 1 + 1
    assert len(network.asked("GetItem")) <= 2 + 3
    assert len(network.asked("PutItem")) == 1


def test_files_outside_tenant_folders_are_swept_as_one_share(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, small: None
) -> None:
    strange = ["1.wav", "1.wav2/x.wav", "11.wav", "/2.wav", "Not A Tenant/3.wav", "é/4.wav", "x/5.wav", "x/6.wav"]
    for key in strange:
        cloud.land(key, DATA)
    land(cloud, "zzz", 2)
    clock.pass_by(minutes=2)

    assert sweep(sweep_landing) == {"put_back": 10}

    assert sorted(taken(cloud)) == sorted([*strange, "zzz/000.wav", "zzz/001.wav"])


def test_folders_that_are_no_tenants_do_not_delay_the_tenants(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, small: None
) -> None:
    for number in range(50):
        cloud.land(f"A{number}/1.wav", DATA)
    land(cloud, "zzz", 2)
    clock.pass_by(minutes=2)
    network.after("GetObjectTagging", lambda _: clock.pass_by(seconds=40), times=None)

    sweep(sweep_landing)

    assert by_tenant(taken(cloud))["zzz"] == 2


# ---- retries --------------------------------------------------------------------------------------------------------


def test_pending_file_is_requeued_less_and_less_often(cloud: Stack, clock: Clock, sweep_landing: ModuleType) -> None:
    (key,) = land(cloud, "acme", 1)
    landed_at = cloud.s3.head_object(Bucket=LANDING, Key=key)["LastModified"]
    requeued_at = []
    for minutes in range(0, 250, 5):
        clock.put_to(landed_at + timedelta(minutes=minutes, seconds=10))
        if sweep(sweep_landing).get("put_back"):
            requeued_at.append(minutes)

    assert requeued_at == [5, 15, 60, 120, 180, 240]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ([2, 3, 4, 6, 7, 16, 17], [2, 6, 16]),  # invoked by hand in between
        ([2, 50, 59, 61], [2, 50, 61]),  # no sweep for a while: all retries due meanwhile are made up for by one
        ([2, 400], [2, 400]),
    ],
)
def test_no_retry_is_lost_or_doubled_whenever_sweeps_run(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, minutes: list[int], expected: list[int]
) -> None:
    (key,) = land(cloud, "acme", 1)
    landed_at = cloud.s3.head_object(Bucket=LANDING, Key=key)["LastModified"]
    requeued_at = []
    for minute in minutes:
        clock.put_to(landed_at + timedelta(minutes=minute, seconds=10))
        if sweep(sweep_landing).get("put_back"):
            requeued_at.append(minute)

    assert requeued_at == expected


@pytest.mark.parametrize("operation", ["SendMessage", "GetObjectTagging"])
def test_file_that_the_sweep_failed_to_requeue_is_due_at_the_next_sweep(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, operation: str
) -> None:
    land(cloud, "acme", 3)
    clock.pass_by(minutes=2)
    network.fail(operation, 503, "ServiceUnavailable")

    with pytest.raises(SweepIncompleteError, match=r"^1 of 3 files"):
        sweep(sweep_landing)

    assert sweep(sweep_landing) == {"put_back": 1, "pending": 2}
    assert sweep(sweep_landing) == {"pending": 3}


def test_interrupted_run_is_made_up_for(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType
) -> None:
    land(cloud, "acme", 3)
    clock.pass_by(minutes=2)
    network.fail("PutItem", 500, "InternalServerError")
    with pytest.raises(Exception, match="Writing the sweep's memory failed"):
        sweep(sweep_landing)

    assert sweep(sweep_landing) == {"put_back": 3}


# ---- failures -------------------------------------------------------------------------------------------------------


def test_held_files_of_a_tenant_whose_key_cannot_be_read_cost_few_requests(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, encrypt_recording: ModuleType, small: None
) -> None:
    cloud.tenant("aaa", "no key")
    for number in range(40):
        hold(cloud, encrypt_recording, f"aaa/{number}.wav")
    network.fail("GetSecretValue", 400, "AccessDeniedException", times=None)
    network.requests.clear()

    with pytest.raises(SweepIncompleteError, match=r"^40 of 40 files"):
        sweep(sweep_landing)

    # One more request checks whether its key was ever judged.
    assert len(network.asked("GetSecretValue")) <= 4


def test_log_names_only_a_tenants_first_failures(
    cloud: Stack,
    clock: Clock,
    network: Network,
    sweep_landing: ModuleType,
    caplog: pytest.LogCaptureFixture,
) -> None:
    land(cloud, "aaa", 30)
    network.fail("GetObjectTagging", 403, "AccessDenied", times=None)
    with pytest.raises(SweepIncompleteError, match=r"^30 of 30 files"):
        sweep(sweep_landing)

    assert [record.message for record in caplog.records].count("file not swept") == 20


def test_each_tenant_that_gets_stuck_is_counted_once_and_logged(
    cloud: Stack,
    clock: Clock,
    sweep_landing: ModuleType,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An alarm on the oldest age alone would stay on for the first tenant and hide the second."""
    land(cloud, "aaa", 3)
    seen = []
    for _ in range(5):
        clock.pass_by(minutes=20)
        if len(seen) == 2:
            land(cloud, "zzz", 1)
        caplog.clear()
        sweep(sweep_landing)
        (metrics,) = emitted(capsys)
        seen.append((*metrics["TenantsStuck"], *metrics["TenantsNewlyStuck"]))

    assert seen == [(0, 0), (1, 1), (2, 1), (2, 0), (2, 0)]
    stuck: list[Any] = [record for record in caplog.records if record.message == "tenant is stuck"]
    assert {(one.tenant, one.files, one.oldest_seconds // 60) for one in stuck} == {("aaa", 3, 100), ("zzz", 1, 100)}


def test_tenant_that_recovers_is_counted_again(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []
    for _ in range(2):
        (key,) = land(cloud, "aaa", 1)
        clock.pass_by(minutes=40)
        capsys.readouterr()
        sweep(sweep_landing)
        seen.append(emitted(capsys)[0]["TenantsNewlyStuck"])
        cloud.s3.delete_object(Bucket=LANDING, Key=key)
        sweep(sweep_landing)

    assert seen == [[1.0], [1.0]]
