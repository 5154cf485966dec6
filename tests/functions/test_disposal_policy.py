"""A changed policy: what it makes deletable waits for three days, and what it keeps longer stays at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import blind_facts
from callseal.calls.facts import Facts
from tests.functions.test_call_policy import BOTH, WAV, XML, metadata
from tests.functions.test_dispose_recordings import run
from tests.support.calls import blind_index, cards, index
from tests.support.clock import Clock
from tests.support.disposal import LANDED, card_of, outcome, put_call, put_cards, state, versions
from tests.support.flow import Flow
from tests.support.network import Network
from tests.support.stack import Stack

# The call of `metadata` ended on 2026-11-23 at 08:12:58 UTC. Of these, the first lasts until 2027-02-22.
DAYS_90, DAYS_30 = "90d", "30d"


def policy(delete_after: str | None, keep: str | None = None, lock: str = "none", **rule: Any) -> dict[str, Any]:
    """Return a policy with one class, or with a second one that has these durations, for the calls of a rule."""
    chosen = {"keep": keep, "delete_after": delete_after, "lock": lock}
    classes = {"default": chosen, "other": chosen}
    return {
        "schema": 1, "classes": classes, "default": {"class": "default"},
        "rules": [{"rule": "other", "when": rule, "class": "other"}] if rule else [],
    }  # fmt: skip


@pytest.fixture
def flow(cloud: Stack, encrypt_recording: ModuleType, read_metadata: ModuleType, clock: Clock) -> Flow:
    cloud.tenant("acme", settings=BOTH | {"encrypt": False})
    clock.put_to(datetime(2027, 1, 10, tzinfo=UTC))
    return Flow(cloud, encrypt_recording, read_metadata)


@pytest.fixture
def call(cloud: Stack, flow: Flow, index_calls: ModuleType) -> str:
    """A call that may be kept for 90 days, and landed while that was the policy. Return its name."""
    flow.policy(policy(DAYS_90))
    flow.land(XML, metadata())
    flow.land(WAV)
    index(cloud, index_calls.lambda_handler)
    (card,) = cards(cloud)
    return str(card["name"])


@pytest.mark.parametrize("is_seen_before", [True, False], ids=["seen by a run", "never seen by a run"])
def test_a_shorter_class_waits_for_three_days(
    cloud: Stack, flow: Flow, dispose_recordings: ModuleType, clock: Clock, call: str, is_seen_before: bool
) -> None:
    if is_seen_before:
        assert run(dispose_recordings) == {}
    flow.policy(policy(DAYS_30))
    assert run(dispose_recordings) == {}
    clock.pass_by(days=2, hours=23)
    assert run(dispose_recordings) == {}
    assert len(versions(cloud)) == 2
    clock.pass_by(hours=1.1)
    assert run(dispose_recordings) == {"judged": 1, "disposed": 1}
    assert (versions(cloud), card_of(cloud, call).gone) == ([], "disposed")
    assert run(dispose_recordings) == {}


def test_a_call_that_lands_later_follows_a_new_version_at_once(
    cloud: Stack, flow: Flow, dispose_recordings: ModuleType, call: str, index_calls: ModuleType, clock: Clock
) -> None:
    run(dispose_recordings)
    flow.policy(policy(DAYS_30))
    run(dispose_recordings)
    clock.pass_by(minutes=2)
    for key, data in (("acme/2026/4712_1.xml", metadata()), ("acme/2026/4712_1.wav", b"said")):
        flow.land(key, data)
    index(cloud, index_calls.lambda_handler)
    assert run(dispose_recordings) == {"disposed": 1}
    assert (card_of(cloud, call).gone, card_of(cloud, "2026/4712_1").gone) == (None, "disposed")


def test_a_longer_class_stops_a_disposal_at_once(
    cloud: Stack, flow: Flow, dispose_recordings: ModuleType, clock: Clock, call: str
) -> None:
    run(dispose_recordings)
    clock.put_to(datetime(2027, 2, 22, 1, tzinfo=UTC))
    flow.policy(policy("1y"))
    assert run(dispose_recordings) == {"kept": 1}
    clock.pass_by(days=3, minutes=1)
    assert run(dispose_recordings) == {"judged": 1}
    assert card_of(cloud, call).dispose_on == "2027-11-24T00:00:00.000Z"
    assert len(versions(cloud)) == 2


def test_a_version_that_was_taken_back_deletes_nothing(
    cloud: Stack, flow: Flow, dispose_recordings: ModuleType, clock: Clock, call: str
) -> None:
    for delete_after in (DAYS_90, DAYS_30, DAYS_90):
        flow.policy(policy(delete_after))
        assert run(dispose_recordings) == {}
        clock.pass_by(days=2)
    clock.pass_by(days=9)
    assert run(dispose_recordings) == {}


def test_a_first_version_is_followed_at_once_by_calls_that_none_has_judged(
    cloud: Stack, flow: Flow, dispose_recordings: ModuleType, index_calls: ModuleType
) -> None:
    flow.land(XML, metadata())
    flow.land(WAV)
    index(cloud, index_calls.lambda_handler)
    assert run(dispose_recordings) == {}
    flow.policy(policy(DAYS_30))
    assert run(dispose_recordings) == {"judged": 1, "disposed": 1}
    assert versions(cloud) == []


def test_a_policy_that_is_gone_changes_no_date(
    cloud: Stack, flow: Flow, dispose_recordings: ModuleType, clock: Clock, call: str
) -> None:
    cloud.ssm.delete_parameter(Name="/callseal-test/tenants/acme/policy")
    cloud.ssm.delete_parameter(Name="/callseal-test/tenants/acme/settings")
    assert run(dispose_recordings) == {}
    clock.put_to(datetime(2027, 2, 22, 1, tzinfo=UTC))
    assert run(dispose_recordings) == {"disposed": 1}


def test_without_a_readable_policy_nothing_is_deleted(
    cloud: Stack, flow: Flow, dispose_recordings: ModuleType, clock: Clock, call: str
) -> None:
    clock.put_to(datetime(2027, 2, 22, 1, tzinfo=UTC))
    flow.policy("{")
    with pytest.raises(Exception, match="2 tenants or calls failed"):
        run(dispose_recordings)
    assert len(versions(cloud)) == 2


def test_what_is_locked_longer_is_asked_of_lock_recordings(
    cloud: Stack, flow: Flow, dispose_recordings: ModuleType, clock: Clock, call: str, network: Network
) -> None:
    run(dispose_recordings)
    flow.policy(policy("2y", "1y", "governance"))
    run(dispose_recordings)
    clock.pass_by(days=3, minutes=1)
    network.fail("SendMessageBatch", 500, "InternalError")
    with pytest.raises(Exception, match="1 tenants"):
        run(dispose_recordings)
    assert run(dispose_recordings) == {}, "the call has been judged"
    messages = [json.loads(body) for body in cloud.take(cloud.environment["LOCK_QUEUE_URL"])]
    assert messages == [{"tenant": "acme", "call": CallName("acme", call).id}]
    assert run(dispose_recordings) == {}
    assert cloud.take(cloud.environment["LOCK_QUEUE_URL"]) == []


def test_a_walk_without_time_left_is_continued_by_the_next_run(
    cloud: Stack, flow: Flow, dispose_recordings: ModuleType, clock: Clock, network: Network,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("callseal.calls.card_walk.BATCH", 3)
    for name in "1234567":
        put_call(cloud, name, ".wav", decided=outcome("2099-01-01T00:00:00.000Z"))
    flow.policy(policy("200y"))
    run(dispose_recordings)
    clock.pass_by(days=3, minutes=1)
    network.after("TransactWriteItems", lambda _: clock.pass_by(minutes=4), skip=1)
    judged = [run(dispose_recordings).get("judged", 0) for _ in range(3)]
    assert (sum(judged), judged[-1], len([each for each in judged if each])) == (7, 0, 2)
    assert all(card_of(cloud, name).dispose_on == "2225-11-02T00:00:00.000Z" for name in "1234567")


def test_a_blind_call_is_judged_by_its_hashes(
    cloud: Stack, flow: Flow, dispose_recordings: ModuleType, clock: Clock
) -> None:
    blind, put = blind_index(cloud, clock), []
    for name, queue in (("1", "orders"), ("2", "sales")):
        facts = blind_facts(Facts(queue=queue), lambda _: False, lambda kind, text: blind.hashed("acme", kind, text))
        card = Card(CallName("acme", name)).with_metadata("m", "read", facts, LANDED)
        put.append(card.with_outcome(outcome("2099-01-01T00:00:00.000Z")))
    put_cards(cloud, *put)
    flow.policy(policy("200y", queue=["orders"]))
    run(dispose_recordings)
    clock.pass_by(days=3, minutes=1)
    assert run(dispose_recordings) == {"judged": 2}
    assert [(card_of(cloud, name).outcome or {})["class"] for name in "12"] == ["other", "default"]

    flow.policy(policy("1d", queue=["ord*"]))
    run(dispose_recordings)
    clock.pass_by(days=3, minutes=1)
    assert run(dispose_recordings) == {}, "a pattern cannot be judged by hashes"
    assert card_of(cloud, "1").dispose_on == "2225-11-02T00:00:00.000Z"
    assert state(cloud, "policy")["done"] == "1"
