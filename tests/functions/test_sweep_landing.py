"""The sweep: pending files go back to the queue, and are delivered from there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from types import ModuleType
from typing import Any

import pytest

from callseal.delivery.sweep_landing import SweepIncompleteError
from callseal.inbound.notification import parse_body
from tests.functions.test_events import load
from tests.support.clock import Clock
from tests.support.families import FAMILIES
from tests.support.metrics import emitted
from tests.support.network import Network, Request
from tests.support.queueing import pump, receive, waiting
from tests.support.stack import ARCHIVE, LANDING, SFTP, STACK, Stack, failures, sqs_event

KEY = "acme/4711_1.wav"
DATA = b"RIFF what was said"
EVENTS = ["schedule", "secret-changed", "settings-changed"]


def good_key() -> str:
    return FAMILIES["x509"].make("tenant").public_text


def sweep(module: ModuleType, event: str = "schedule") -> dict[str, int]:
    return dict(module.lambda_handler(load(event), None))


def hold(cloud: Stack, encrypt_recording: ModuleType, key: str = KEY) -> None:
    """Land a file, which is held for the present cause."""
    assert failures(encrypt_recording.lambda_handler(sqs_event(cloud.land(key, DATA)), None)) == []
    assert cloud.tags(key)["callseal-state"] == "held"


def requeued(cloud: Stack) -> list[str]:
    """Receive all messages of the encrypt queue, and return the landing keys in order."""
    keys = []
    while records := receive(cloud)["Records"]:
        keys += [parse_body(record["body"])[0].key for record in records]
    return keys


def assert_delivered(cloud: Stack, *keys: str) -> None:
    stored = cloud.objects(SFTP)
    assert {key: FAMILIES["x509"].make("tenant").open(stored[f"{key}.p7m"]) for key in keys} == dict.fromkeys(
        keys, DATA
    )
    assert not set(keys) & set(cloud.objects(LANDING))


def test_file_with_a_lost_event_is_requeued(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", good_key())
    keys = [KEY, "acme/space plus+and æ.wav", "acme/100%25/📞.wav"]
    for key in keys:
        cloud.land(key, DATA)
    clock.pass_by(seconds=61)

    assert sweep(sweep_landing) == {"put_back": 3}

    pump(cloud, encrypt_recording.lambda_handler)
    assert_delivered(cloud, *keys)
    assert [event["detail-type"] for event in cloud.audit()] == ["RecordingDelivered"] * 3
    assert sweep(sweep_landing) == {}


def test_young_file_is_not_requeued(cloud: Stack, clock: Clock, sweep_landing: ModuleType) -> None:
    cloud.tenant("acme", good_key())
    cloud.land(KEY, DATA)
    clock.pass_by(seconds=30)

    assert sweep(sweep_landing) == {"young": 1}

    assert waiting(cloud) == 0


CAUSES: dict[str, tuple[Callable[[Stack], object], Callable[[Stack], object]]] = {
    "KeyMissing": (lambda cloud: cloud.tenant("acme"), lambda cloud: cloud.put_key("acme", good_key())),
    "KeyUnreadable": (lambda cloud: cloud.tenant("acme", "no"), lambda cloud: cloud.put_key("acme", good_key())),
    "SettingsMissing": (lambda cloud: cloud.put_key("acme", good_key()), lambda cloud: cloud.tenant("acme")),
    "SettingsInvalid": (lambda cloud: cloud.tenant("acme", good_key(), "{"), lambda cloud: cloud.tenant("acme")),
    "NothingToDeliver": (
        lambda cloud: cloud.tenant("acme", good_key(), {"deliver_to_sftp": False}),
        lambda cloud: cloud.tenant("acme"),
    ),
    "OutputConflict": (
        lambda cloud: (
            cloud.tenant("acme", good_key()), cloud.s3.put_object(Bucket=SFTP, Key=f"{KEY}.p7m", Body=b"stranger")
        ),
        lambda cloud: cloud.s3.delete_object(Bucket=SFTP, Key=f"{KEY}.p7m"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("reason", CAUSES)
def test_held_file_is_released_when_its_cause_is_gone(
    cloud: Stack, sweep_landing: ModuleType, encrypt_recording: ModuleType, reason: str, event: str
) -> None:
    """The file's age does not matter, and the function is warm and has held it before."""
    wrong, mend = CAUSES[reason]
    wrong(cloud)
    hold(cloud, encrypt_recording)
    assert sweep(sweep_landing, event) == {"held": 1}
    assert waiting(cloud) == 0
    mend(cloud)

    assert sweep(sweep_landing, event) == {"released": 1}

    (detail,) = cloud.audit_details("RecordingReleased")
    assert (detail["tenant"], detail["reason"], detail["source"]["key"]) == ("acme", reason, KEY)
    secret = cloud.secrets.get_secret_value(SecretId=f"{STACK}/tenants/acme/public-key", VersionStage="AWSCURRENT")
    assert detail["key_version"] == secret["VersionId"]
    pump(cloud, encrypt_recording.lambda_handler)
    assert_delivered(cloud, KEY)
    kinds = [one["detail-type"] for one in cloud.audit()]
    assert kinds == ["RecordingHeld", "RecordingReleased", "RecordingDelivered"]


def test_hold_for_another_cause_has_another_id_and_repeat_has_the_same(
    cloud: Stack, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    cloud.put_key("acme", good_key())
    message = sqs_event(cloud.land(KEY, DATA))

    def handle() -> None:
        assert failures(encrypt_recording.lambda_handler(message, None)) == []

    for _ in range(2):
        handle(), handle()
        cloud.tenant("acme")
        assert [sweep(sweep_landing), sweep(sweep_landing)] == [{"released": 1}] * 2
        cloud.ssm.delete_parameter(Name=f"/{STACK}/tenants/acme/settings")
    handle()

    events = [(event["detail-type"], event["detail"]["id"]) for event in cloud.audit()]
    first, second, last = events[:4], events[4:8], events[8:]
    assert [kind for kind, _ in events] == [*["RecordingHeld"] * 2, *["RecordingReleased"] * 2] * 2 + ["RecordingHeld"]
    assert [len(set(part)) for part in (first, second, last)] == [2, 2, 1]
    assert len(set(events)) == 5


def test_hold_returning_to_its_first_reason_is_a_third_event(cloud: Stack, encrypt_recording: ModuleType) -> None:
    """No release is reported in between, because there was none."""
    cloud.tenant("acme", "no key")
    message = sqs_event(cloud.land(KEY, DATA))
    for settings in (None, {"deliver_to_sftp": False}, {}):
        if settings is not None:
            cloud.tenant("acme", None, settings)
        assert failures(encrypt_recording.lambda_handler(message, None)) == []

    held = cloud.audit_details("RecordingHeld")
    assert [detail["reason"] for detail in held] == ["KeyUnreadable", "NothingToDeliver", "KeyUnreadable"]
    assert len({detail["id"] for detail in held}) == 3


def test_released_file_whose_cause_returns_is_held_again(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    """Its release is the last event in the audit, and the message for it may be lost."""
    cloud.put_key("acme", good_key())
    hold(cloud, encrypt_recording)
    cloud.tenant("acme")
    sweep(sweep_landing)
    receive(cloud)
    cloud.ssm.delete_parameter(Name=f"/{STACK}/tenants/acme/settings")

    assert sweep(sweep_landing) == {"put_back": 1}
    pump(cloud, encrypt_recording.lambda_handler)

    assert [event["detail-type"] for event in cloud.audit()] == ["RecordingHeld", "RecordingReleased", "RecordingHeld"]
    assert sweep(sweep_landing) == {"held": 1}


def test_held_file_whose_cause_stays_is_not_requeued(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", "no key")
    for key in (KEY, "acme/call.flac", "Bad/1.wav"):
        hold(cloud, encrypt_recording, key)
    events = len(cloud.audit())
    clock.pass_by(hours=23)

    assert sweep(sweep_landing) == {"held": 3}

    assert waiting(cloud) == 0
    assert len(cloud.audit()) == events
    assert set(cloud.objects(LANDING)) == {KEY, "acme/call.flac", "Bad/1.wav"}


def test_held_file_with_a_new_cause_is_held_for_the_new_cause(
    cloud: Stack, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    """An operator who stores a key and still sees `KeyMissing` would search for the wrong cause."""
    cloud.tenant("acme")
    hold(cloud, encrypt_recording)
    cloud.put_key("acme", "no key")

    assert sweep(sweep_landing, "secret-changed") == {"put_back": 1}
    pump(cloud, encrypt_recording.lambda_handler)

    tags = cloud.tags(KEY)
    assert tags.pop("callseal-hold").startswith("1 "), "the second hold of this file"
    assert tags == {"callseal-state": "held", "callseal-reason": "KeyUnreadable"}
    assert [detail["reason"] for detail in cloud.audit_details("RecordingHeld")] == ["KeyMissing", "KeyUnreadable"]
    assert cloud.audit_details("RecordingReleased") == []
    assert sweep(sweep_landing) == {"held": 1}


def test_foreign_tag_is_not_copied_into_events(cloud: Stack, sweep_landing: ModuleType) -> None:
    cloud.tenant("acme", good_key())
    cloud.land(KEY, DATA)
    tags = [{"Key": "callseal-state", "Value": "held"}, {"Key": "callseal-reason", "Value": "caller 4670"}]
    cloud.s3.put_object_tagging(Bucket=LANDING, Key=KEY, Tagging={"TagSet": tags})

    assert sweep(sweep_landing) == {"released": 1}

    assert [detail["reason"] for detail in cloud.audit_details("RecordingReleased")] == [None]


@pytest.mark.parametrize(
    ("ages", "told"),
    [
        ([0.99], []),
        ([1, 1.1, 2.99], [1]),
        ([0.5, 1.5, 3, 5.9, 6, 6.1, 100], [1, 3, 6]),
        ([3.5, 4], [3]),  # the sweep was out for days: past ages are not reported any more
        ([100, 101], [6]),
    ],
)
def test_file_held_for_too_long_is_reported_once_at_each_age(
    cloud: Stack,
    clock: Clock,
    sweep_landing: ModuleType,
    encrypt_recording: ModuleType,
    ages: list[float],
    told: list[int],
) -> None:
    cloud.tenant("acme", "no key")
    hold(cloud, encrypt_recording)
    landed_at = cloud.s3.head_object(Bucket=LANDING, Key=KEY)["LastModified"]
    for age in ages:
        clock.put_to(landed_at + timedelta(days=age, seconds=1))
        for _ in range(2):
            assert sweep(sweep_landing) == {"held": 1}

    details = cloud.audit_details("RecordingHeldTooLong")
    assert [f"over {days} day" in detail["message"] for days, detail in zip(told, details, strict=True)] == [
        True for _ in told
    ]
    assert len({detail["id"] for detail in details}) == len(told)
    assert {detail["reason"] for detail in details} <= {"KeyUnreadable"}
    assert {"callseal-state": "held", "callseal-reason": "KeyUnreadable"}.items() <= cloud.tags(KEY).items()


def test_report_that_the_audit_rejects_is_sent_by_the_next_sweep(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", "no key")
    hold(cloud, encrypt_recording)
    clock.pass_by(days=2)
    network.fail("PutEvents", 500, "InternalFailure")
    with pytest.raises(SweepIncompleteError):
        sweep(sweep_landing)
    assert "callseal-held-days" not in cloud.tags(KEY)

    assert sweep(sweep_landing) == {"held": 1}
    assert len(cloud.audit_details("RecordingHeldTooLong")) == 1


def test_tags_of_the_platform_stay_within_the_limit(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", "no key")
    landed = cloud.land(KEY, DATA)
    theirs = [{"Key": f"t{number}", "Value": "x"} for number in range(10)]
    cloud.s3.put_object_tagging(Bucket=LANDING, Key=KEY, Tagging={"TagSet": theirs})
    encrypt_recording.lambda_handler(sqs_event(landed), None)
    backwards = [{"Key": key, "Value": value} for key, value in reversed(cloud.tags(KEY).items())]
    cloud.s3.put_object_tagging(Bucket=LANDING, Key=KEY, Tagging={"TagSet": backwards})
    clock.pass_by(days=2)
    sweep(sweep_landing)

    tags = cloud.tags(KEY)
    assert len(tags) == 10
    ours = {"callseal-state": "held", "callseal-reason": "KeyUnreadable", "callseal-held-days": "1"}
    assert tags.items() >= ours.items()


@pytest.mark.parametrize("event", ["secret-changed", "settings-changed"])
def test_change_of_a_tenant_requeues_files_that_may_be_held_for_the_old_value(
    cloud: Stack, network: Network, sweep_landing: ModuleType, encrypt_recording: ModuleType, event: str
) -> None:
    """The key is fixed while a function that has read the old one is about to hold a file."""
    cloud.tenant("acme", "no key")
    landed = cloud.land(KEY, DATA)

    def mend(_: Request) -> None:
        cloud.put_key("acme", good_key())
        assert sweep(sweep_landing, event) == {"put_back": 1}

    network.before("PutEvents", mend)
    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []
    assert cloud.tags(KEY)["callseal-state"] == "held"

    pump(cloud, encrypt_recording.lambda_handler)
    assert_delivered(cloud, KEY)


# ---- limits of a run ------------------------------------------------------------------------------------------------


def test_run_without_time_left_is_continued_by_the_next_run(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.delivery.sweep_landing.FILES_IN_A_TURN", 5)
    monkeypatch.setattr("callseal.delivery.sweep_landing.FILES_AT_ONCE", 1)
    keys = sorted(f"acme/æ {{{{ssm:x}}}} {number:02}.wav" for number in range(12))
    for key in keys:
        cloud.land(key, DATA)
    clock.pass_by(minutes=2)
    # Each read of a file's tags takes a minute: there is time for three.
    network.after("GetObjectTagging", lambda _: clock.pass_by(minutes=1), times=None)

    counts = [sweep(sweep_landing) for _ in range(5)]

    assert counts == [{"put_back": 3}] * 5
    assert requeued(cloud) == keys + keys[:3]


def test_full_queue_gets_only_the_guaranteed_share_of_each_tenant(
    cloud: Stack,
    clock: Clock,
    sweep_landing: ModuleType,
    encrypt_recording: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise each sweep would put the whole backlog on the queue again."""
    monkeypatch.setattr("callseal.delivery.sweep_shares.ENOUGH_WAITING", 3)
    monkeypatch.setattr("callseal.delivery.sweep_shares.GUARANTEED", 1)
    cloud.tenant("acme", good_key())
    hold(cloud, encrypt_recording, "bad/held.wav")
    cloud.tenant("bad", good_key())
    keys = [f"acme/{number}.wav" for number in range(4)]
    for key in keys:
        cloud.land(key, DATA)
    clock.pass_by(minutes=2)

    first = sweep(sweep_landing)
    assert first.pop("put_back") + first.pop("released") in (3, 4)
    assert sum(first.values()) == first["waiting"]
    was_waiting = waiting(cloud)
    second = sweep(sweep_landing)
    # One file of each tenant, although the queue is full. The files requeued before have no retry due yet.
    assert waiting(cloud) - was_waiting == second.get("put_back", 0) + second.get("released", 0) <= 2
    assert second.get("put_back", 0) <= 1

    for _ in range(4):
        pump(cloud, encrypt_recording.lambda_handler)
        sweep(sweep_landing)
    assert_delivered(cloud, "bad/held.wav", *keys)
    assert len({detail["id"] for detail in cloud.audit_details("RecordingReleased")}) == 1


def test_held_files_of_a_tenant_share_its_settings_and_key_in_a_run(
    cloud: Stack, network: Network, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    """SSM answers 40 calls a second: ten thousand held files must not cause ten thousand calls."""
    cloud.tenant("acme", "no key")
    for number in range(40):
        hold(cloud, encrypt_recording, f"acme/{number}.wav")
    network.requests.clear()

    assert sweep(sweep_landing) == {"held": 40}

    # Threads that begin at once may each make one request.
    assert len(network.asked("GetParameters")) <= 16
    assert len(network.asked("GetSecretValue")) <= 16


def test_metrics_of_a_sweep(
    cloud: Stack,
    clock: Clock,
    sweep_landing: ModuleType,
    encrypt_recording: ModuleType,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cloud.tenant("acme", "no key")
    hold(cloud, encrypt_recording)
    clock.pass_by(hours=2)
    cloud.land("acme/owed.wav", DATA)
    capsys.readouterr()

    sweep(sweep_landing)
    (metrics,) = emitted(capsys)
    assert (metrics["HeldFiles"], metrics["PendingFiles"], metrics["Stack"]) == ([1.0], [1.0], STACK)
    assert 7200 <= metrics["OldestHeldAge"][0] < 7260
    assert 7200 <= metrics["OldestPendingAge"][0] < 7260

    sweep(sweep_landing, "secret-changed")  # a part of landing does not represent the whole
    assert emitted(capsys) == []


@pytest.mark.parametrize("event", ["secret-changed", "settings-changed"])
def test_change_of_a_tenant_sweeps_that_tenant_alone(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, event: str
) -> None:
    keys = [KEY, "acme/deep/er.wav", "acme-north/1.wav", "acm/1.wav", "beta/acme/1.wav", "Bad/acme/1.wav"]
    for key in keys:
        cloud.land(key, DATA)
    clock.pass_by(minutes=2)

    assert sweep(sweep_landing, event) == {"put_back": 2}

    records = [one["body"] for one in receive(cloud)["Records"]]
    assert [key for key in keys if any(f'"{key}"' in body for body in records)] == [KEY, "acme/deep/er.wav"]


@pytest.mark.parametrize(
    "event", [{}, {"detail": None}, {"detail": {}}, {"detail": {"name": 7}}, {"detail": {"name": ""}}]
)
def test_any_other_event_sweeps_all_of_landing(
    cloud: Stack, clock: Clock, sweep_landing: ModuleType, event: dict[str, Any]
) -> None:
    for key in (KEY, "beta/1.wav", "Bad/1.wav", "1.wav"):
        cloud.land(key, DATA)
    clock.pass_by(minutes=2)

    assert sweep_landing.lambda_handler(event, None) == {"put_back": 4}


def test_two_sweeps_at_once_are_safe(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme")
    hold(cloud, encrypt_recording)
    cloud.put_key("acme", good_key())
    cloud.land("acme/lost.wav", DATA)
    clock.pass_by(minutes=2)

    both_have_read = Barrier(2)
    network.after("GetItem", lambda _: both_have_read.wait() and None, times=2)

    with ThreadPoolExecutor(2) as workers:
        counts = list(workers.map(lambda _: sweep(sweep_landing), range(2)))

    assert counts == [{"released": 1, "put_back": 1}] * 2
    assert waiting(cloud) == 4
    pump(cloud, encrypt_recording.lambda_handler)
    assert_delivered(cloud, KEY, "acme/lost.wav")
    for kind, count in {"RecordingReleased": 1, "RecordingDelivered": 2}.items():
        assert len({detail["id"] for detail in cloud.audit_details(kind)}) == count


def test_sweep_beside_a_delivery_is_safe(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    """A delivery that takes longer than a minute is requeued meanwhile. The repeat changes nothing."""
    cloud.tenant("acme", good_key(), {"deliver_to_archive": True, "archive_formats": ["wav"]})
    landed = cloud.land(KEY, DATA)
    clock.pass_by(minutes=2)
    network.before("CopyObject", lambda _: sweep(sweep_landing) and None)

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []
    before = cloud.objects(SFTP)
    assert pump(cloud, encrypt_recording.lambda_handler) == 1

    assert waiting(cloud) == 0
    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == before
    assert len(cloud.audit()) == 1


def test_dead_lettered_file_is_requeued(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", good_key())
    landed = cloud.land(KEY, DATA)
    network.fail("PutObject", 500, "InternalError", times=5)
    for receives in range(1, 6):
        assert failures(encrypt_recording.lambda_handler(sqs_event(landed, receives=receives), None)) == ["m0"]
    clock.pass_by(minutes=5)

    assert sweep(sweep_landing) == {"put_back": 1}
    pump(cloud, encrypt_recording.lambda_handler)
    assert_delivered(cloud, KEY)


def test_file_that_disappears_during_the_sweep_is_ignored(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType
) -> None:
    cloud.land(KEY, DATA)
    clock.pass_by(minutes=2)
    network.before("GetObjectTagging", lambda _: cloud.s3.delete_object(Bucket=LANDING, Key=KEY) and None)

    assert sweep(sweep_landing) == {"gone": 1}
    assert waiting(cloud) == 0


def test_failing_tenant_does_not_stop_the_sweep_of_the_others(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    """A secret that cannot be decrypted fails every sweep. The tenants after it in the listing must still be swept."""
    cloud.tenant("acme")
    cloud.tenant("beta", good_key())
    hold(cloud, encrypt_recording)
    cloud.land("beta/lost.wav", DATA)
    clock.pass_by(minutes=2)
    network.fail("GetSecretValue", 400, "DecryptionFailure")

    with pytest.raises(SweepIncompleteError, match=r"^1 of 2 files"):
        sweep(sweep_landing)

    network.mend()
    pump(cloud, encrypt_recording.lambda_handler)
    assert_delivered(cloud, "beta/lost.wav")


def test_all_pages_of_a_listing_are_swept(
    cloud: Stack, clock: Clock, network: Network, sweep_landing: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.delivery.sweep_landing.FILES_IN_A_TURN", 5)
    for number in range(12):
        cloud.land(f"acme/{number}.wav", DATA)
    cloud.land("beta/1.wav", DATA)
    clock.pass_by(minutes=2)

    assert sweep(sweep_landing) == {"put_back": 13}
    # The folders, three pages of acme, and one page of beta.
    assert len(network.asked("ListObjectsV2")) == 5
