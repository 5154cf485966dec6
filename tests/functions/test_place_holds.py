"""Holds on calls: what they catch and when, what S3 then refuses, and how two people end them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.core.audit import timestamp
from callseal.core.errors import TransientError
from callseal.retention import place_holds, scope_walk
from callseal.retention.hold import Hold, HoldRefusedError, holds_over
from callseal.retention.hold_messages import HoldMessage, hold_message
from callseal.retention.scope import Scope
from tests.support.clock import StillClock
from tests.support.holds import APPROVES, ASKS, CALLER, TABLE, HoldScene
from tests.support.stack import ARCHIVE, Stack

OTHER = "+4733445566"


@pytest.fixture
def holds(cloud: Stack, monkeypatch: pytest.MonkeyPatch) -> HoldScene:
    monkeypatch.setattr("callseal.retention.hold_messages.SETTLE_SECONDS", 0)
    return HoldScene(cloud, StillClock())


def refusal(step: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(HoldRefusedError) as refused:
        step("acme", *arguments)
    return refused.value.code


def test_a_hold_sets_the_bit_of_each_version_of_its_calls(holds: HoldScene) -> None:
    first, second = (holds.deliver(name, caller=CALLER) for name in ("1", "2"))
    other, abroad = holds.deliver("3", caller=OTHER), holds.deliver("4", tenant="beta", caller=CALLER)
    holds.record("1")
    holds.record("1", extension="xml")
    hold = holds.hold("case-1", party=CALLER)
    assert (hold.state, hold.scope.placed_at) == ("held", timestamp(holds.clock()))
    assert holds.held([first, second, other]) == [("case-1",), ("case-1",), ()]
    assert len(holds.card(first).files[0].deliveries) == 2
    assert holds.cards.cards("beta", [abroad])[abroad].card.holds == ()
    found = holds.table.count(hold)
    assert (found.calls, found.gone, holds.table.counts("acme")) == (2, (), {"case-1": found})
    file = holds.card(first).files[0]
    with pytest.raises(ClientError, match="AccessDenied"):
        holds.cloud.s3.delete_object(
            Bucket=ARCHIVE, Key=file.key, VersionId=file.deliveries[0].version, BypassGovernanceRetention=True
        )


def test_a_hold_is_reported_when_every_bit_is_set(holds: HoldScene) -> None:
    call = holds.deliver("1", caller=CALLER)
    holds.create("case-1", party=CALLER)
    assert holds.cloud.audit_details("HoldPlaced") == []
    holds.work()
    (event,) = holds.cloud.audit_details("HoldPlaced")
    law = {"hold": "case-1", "state": "held", "counts": {"calls": 1, "gone": 0}}
    assert {name: value for name, value in event["law"].items() if value is not None} == law
    assert event["message"] == f"{ASKS} placed the hold case-1."
    assert holds.bits(call) == {True}


def test_the_scope_stops_disposal_before_any_call_is_held(holds: HoldScene) -> None:
    call = holds.deliver("1", caller=CALLER)
    other = holds.deliver("2", caller=OTHER)
    holds.create("case-1", party=CALLER, future=True)
    over = {each: holds_over(holds.table.active("acme"), holds.card(each)) for each in (call, other)}
    assert over == {call: ["case-1"], other: []}
    holds.work()
    holds.people.ask_release("acme", "case-1", ASKS)
    holds.people.approve_release("acme", "case-1", APPROVES)
    late = holds.deliver("3", caller=CALLER, settle=False)
    for each in (call, late):
        assert holds_over(holds.table.active("acme"), holds.card(each)) == ["case-1"], "until it is released"
    holds.work()
    assert holds_over(holds.table.active("acme"), holds.card(call)) == []


@pytest.mark.parametrize("future", [False, True])
def test_a_call_that_lands_before_the_walk_is_held(holds: HoldScene, future: bool) -> None:
    """Its event comes before the hold is stored, or after."""
    early = holds.deliver("1", caller=CALLER)
    holds.create("case-1", party=CALLER, future=future)
    late = holds.deliver("2", caller=CALLER)
    assert holds.held([early, late]) == [(), ("case-1",)], "the event after the hold sees it before the walk does"
    unsettled = holds.deliver("3", caller=CALLER, settle=False)
    holds.work()
    assert holds.held([early, late, unsettled]) == [("case-1",)] * 3


def test_a_call_that_lands_during_the_walk_is_held(holds: HoldScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place is behind the walk, so only its event can put it under the hold."""
    old = [holds.deliver(str(n), caller=CALLER, started=holds.clock() - timedelta(days=n)) for n in range(4)]
    monkeypatch.setattr(scope_walk, "BATCH", 2)
    new = list[str]()
    settle = place_holds.HoldPlacing._settle

    def landing(placing: Any, tenant: str, calls: Any, **options: Any) -> Any:
        if not new:
            new.append("")
            new[0] = holds.deliver("new", caller=CALLER)
        return settle(placing, tenant, calls, **options)

    monkeypatch.setattr(place_holds.HoldPlacing, "_settle", landing)
    holds.hold("case-1", party=CALLER)
    assert holds.held([*old, *new]) == [("case-1",)] * 5


def test_the_event_of_a_call_finds_its_facts_if_they_came_late(holds: HoldScene) -> None:
    holds.hold("case-1", party=CALLER, future=True)
    recording = holds.record("1")
    holds.settle(recording)
    assert holds.held([recording.id]) == [()]
    holds.read("1", caller=CALLER)
    holds.record("1", extension="xml")
    holds.settle(recording)
    assert holds.held([recording.id]) == [("case-1",)]


def test_later_calls_are_held_only_if_the_hold_says_so(holds: HoldScene) -> None:
    holds.hold("past", party=CALLER)
    holds.hold("future", party=CALLER, future=True)
    holds.clock.pass_by(minutes=1)
    call = holds.deliver("1", caller=CALLER)
    assert holds.held([call]) == [("future",)]


def test_a_call_of_before_whose_event_comes_late_is_held(holds: HoldScene) -> None:
    call = holds.deliver("1", caller=CALLER, settle=False)
    name = holds.card(call).call
    holds.hold("case-1", party=OTHER)
    holds.hold("case-2", party=CALLER)
    holds.clock.pass_by(minutes=1)
    holds.write(name, lambda card: card.with_holds(()))
    holds.settle(name)
    assert holds.held([call]) == [("case-2",)]


def test_each_new_version_of_a_held_call_is_held(holds: HoldScene) -> None:
    call = holds.deliver("1", caller=CALLER)
    holds.hold("case-1", calls=(call,))
    holds.settle(holds.record("1", extension="mp3"))
    assert holds.held([call]) == [("case-1",)]
    assert len(holds.card(call).files) == 2


def test_a_call_under_two_holds_is_free_when_both_are_released(holds: HoldScene) -> None:
    call = holds.deliver("1", caller=CALLER, queue="orders")
    holds.hold("case-1", party=CALLER)
    holds.hold("case-2", queue="ord*")
    assert holds.held([call]) == [("case-1", "case-2")]
    assert holds.release("case-1").state == "released"
    assert holds.held([call]) == [("case-2",)]
    assert holds.release("case-2").released_at
    assert holds.held([call]) == [()]
    assert [hold.name for hold in holds.table.all("acme")] == ["case-1", "case-2"]
    assert holds.table.active("acme") == []


def test_a_released_hold_keeps_no_number(holds: HoldScene) -> None:
    """The number may have to be erased, and no step of the hold needs it any more."""
    holds.deliver("1", caller=CALLER, queue="orders")
    blind = holds.blind.hashed("acme", "number", CALLER)
    for name, scope in {"number": {"party": CALLER}, "any": {"party": "*"}, "queue": {"queue": "ord*"}}.items():
        assert holds.hold(name, **scope).scope.party == scope.get("party")
    assert [holds.release(name).scope.public()["party"] for name in ("number", "any", "queue")] == [blind, "*", None]
    assert holds.find("queue").scope.queue == "ord*"
    assert CALLER[1:] not in str(holds.cloud.dynamodb.scan(TableName=TABLE)["Items"])


def test_a_release_needs_two_people(holds: HoldScene) -> None:
    call = holds.deliver("1", caller=CALLER)
    people = holds.people
    holds.create("case-1", party=CALLER)
    assert refusal(people.ask_release, "case-1", ASKS) == "NotHeld", "it is being placed"
    holds.work()
    assert refusal(people.approve_release, "case-1", APPROVES) == "ReleaseNotAsked"
    people.ask_release("acme", "case-1", ASKS)
    assert refusal(people.ask_release, "case-1", APPROVES) == "NotHeld"
    assert refusal(people.approve_release, "case-1", ASKS) == "SecondPersonNeeded"
    assert refusal(people.approve_release, "case-1", f" {ASKS.upper()}") == "SecondPersonNeeded"
    assert refusal(people.approve_release, "case-2", APPROVES) == "NoSuchHold"
    holds.work()
    assert holds.held([call]) == [("case-1",)], "asking frees nothing"
    assert holds.cloud.audit_details("HoldReleased") == []
    people.approve_release("acme", "case-1", APPROVES)
    holds.work()
    assert holds.held([call]) == [()]
    assert refusal(people.ask_release, "case-1", ASKS) == "NotHeld"
    (asked,), (released,) = (holds.cloud.audit_details(kind) for kind in ("HoldReleaseAsked", "HoldReleased"))
    assert (asked["message"], asked["law"]["state"]) == (f"{ASKS} asked to release the hold case-1.", "release_asked")
    assert ASKS in released["message"] and APPROVES in released["message"]
    assert (released["law"]["counts"], released["law"]["state"]) == ({"calls": 1, "gone": 0}, "releasing")


def test_the_event_of_a_release_comes_before_a_call_is_free(holds: HoldScene, monkeypatch: pytest.MonkeyPatch) -> None:
    call = holds.deliver("1", caller=CALLER)
    holds.hold("case-1", party=CALLER)
    holds.people.ask_release("acme", "case-1", ASKS)
    holds.people.approve_release("acme", "case-1", APPROVES)

    def refuse(_: Any) -> None:
        raise TransientError("The audit bus is not there.")

    with monkeypatch.context() as patch:
        patch.setattr(holds.placing._bus, "put", refuse)
        with pytest.raises(TransientError):
            holds.do(HoldMessage("acme", "case-1"))
    assert holds.held([call]) == [("case-1",)]
    holds.work()
    assert holds.held([call]) == [()]


def test_a_name_is_taken_for_ever(holds: HoldScene) -> None:
    holds.hold("case-1", party=CALLER)
    for hold in (Scope(party=CALLER), Scope(party=OTHER)):
        assert refusal(holds.people.create, "case-1", "Case case-1", hold, ASKS) == "NameTaken"
    holds.release("case-1")
    assert refusal(holds.people.create, "case-1", "Case case-1", Scope(party=CALLER), ASKS) == "NameTaken"
    assert holds.people.create("beta", "case-1", "Another tenant's", Scope(party=CALLER), ASKS).state == "placing"


def test_a_hold_whose_message_was_lost_can_be_asked_for_again(holds: HoldScene) -> None:
    call = holds.deliver("1", caller=CALLER)
    holds.create("case-1", party=CALLER)
    holds.cloud.take(holds.cloud.environment["LOCK_QUEUE_URL"])
    assert refusal(holds.people.create, "case-1", "Case case-1", Scope(party=CALLER), APPROVES) == "NameTaken"
    assert holds.hold("case-1", party=CALLER).state == "held"
    holds.people.ask_release("acme", "case-1", ASKS)
    holds.people.approve_release("acme", "case-1", APPROVES)
    holds.cloud.take(holds.cloud.environment["LOCK_QUEUE_URL"])
    assert refusal(holds.people.approve_release, "case-1", ASKS) == "ReleaseNotAsked"
    holds.people.approve_release("acme", "case-1", APPROVES)
    holds.work()
    assert holds.held([call]) == [()]


@pytest.mark.parametrize("work", ["place", "release"])
def test_long_work_continues_with_another_message(holds: HoldScene, work: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [holds.deliver(str(number), caller=CALLER) for number in range(5)]
    if work == "release":
        holds.hold("case-1", party=CALLER)
    monkeypatch.setattr(place_holds, "RUN_TIME", timedelta(seconds=-1))
    monkeypatch.setattr(place_holds, "BATCH", 2)
    monkeypatch.setattr(scope_walk, "BATCH", 2)
    if work == "release":
        assert holds.release("case-1").state == "released"
        assert holds.held(calls) == [()] * 5
    else:
        holds.create("case-1", party=CALLER)
        assert holds.work() > 2
        assert holds.find("case-1").state == "held"
        assert holds.held(calls) == [("case-1",)] * 5


@pytest.mark.parametrize("step", ["_write", "_set_bits", "_change"])
@pytest.mark.parametrize("work", ["place", "release"])
def test_work_that_stopped_half_way_is_repeated(
    holds: HoldScene, work: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [holds.deliver(str(number), caller=CALLER) for number in range(3)]
    holds.create("case-1", party=CALLER)
    if work == "release":
        holds.work()
        holds.people.ask_release("acme", "case-1", ASKS)
        holds.people.approve_release("acme", "case-1", APPROVES)
    whole = getattr(place_holds.HoldPlacing, step)

    def stopping(placing: Any, *arguments: Any, **options: Any) -> Any:
        whole(placing, *arguments, **options)
        raise TransientError("The function was stopped.")

    with monkeypatch.context() as patch:
        patch.setattr(place_holds.HoldPlacing, step, stopping)
        with pytest.raises(TransientError):
            holds.do(HoldMessage("acme", "case-1"))
    holds.work()
    assert holds.held(calls) == [("case-1",) if work == "place" else ()] * 3
    assert holds.find("case-1").state == ("held" if work == "place" else "released")


def test_a_call_that_is_gone_is_listed(holds: HoldScene) -> None:
    there, ended, deleted = (holds.deliver(name, caller=CALLER) for name in ("1", "2", "3"))
    holds.write(CallName("acme", "2"), lambda card: card.ended_by("disposed", timestamp(holds.clock())))
    file = holds.card(deleted).files[0]
    holds.cloud.s3.delete_object(Bucket=ARCHIVE, Key=file.key, VersionId=file.deliveries[0].version)
    hold = holds.hold("case-1", calls=(there, ended, deleted))
    assert hold.state == "held"
    found = holds.table.count(hold)
    assert (found.calls, sorted(found.gone)) == (1, sorted((ended, deleted)))
    assert holds.card(deleted).holds == (), "the disposal that deleted it can end its card"
    holds.release("case-1")
    assert holds.table.count(hold).calls == 0
    (event,) = holds.cloud.audit_details("HoldPlaced")
    assert event["law"]["counts"] == {"calls": 1, "gone": 2}


def test_a_call_that_lands_again_after_its_end_is_held(holds: HoldScene) -> None:
    call = holds.deliver("1", caller=CALLER)
    holds.write(CallName("acme", "1"), lambda card: card.ended_by("disposed", timestamp(holds.clock())))
    hold = holds.hold("case-1", calls=(call,))
    holds.clock.pass_by(minutes=1)
    holds.deliver("1", caller=CALLER)
    assert holds.held([call]) == [("case-1",)]
    assert (holds.table.count(hold).calls, holds.table.count(hold).gone) == (1, ())


def test_a_call_without_a_file_in_the_archive_is_held_by_its_card(holds: HoldScene) -> None:
    call = holds.read("1", caller=CALLER)
    hold = holds.hold("case-1", party=CALLER)
    assert holds.card(call.id).holds == ("case-1",)
    assert holds.table.count(hold).calls == 1


def test_a_release_meets_an_event_that_put_its_call_under_the_hold(
    holds: HoldScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event read the hold before its release, and writes the card after it."""
    holds.hold("case-1", party=CALLER, future=True)
    call = holds.deliver("1", caller=CALLER, settle=False)
    joined = place_holds.HoldPlacing._joined

    def released_meanwhile(placing: Any, *arguments: Any) -> Any:
        found = joined(placing, *arguments)
        with monkeypatch.context() as patch:
            patch.setattr(place_holds.HoldPlacing, "_joined", joined)
            if holds.find("case-1").state == "held":
                holds.release("case-1")
        return found

    monkeypatch.setattr(place_holds.HoldPlacing, "_joined", released_meanwhile)
    holds.settle(CallName("acme", "1"))
    assert holds.held([call]) == [()]
    assert holds.table.count(holds.find("case-1")).calls == 0


def test_a_hold_that_is_being_released_takes_no_call(holds: HoldScene) -> None:
    hold = holds.hold("case-1", party=CALLER, future=True)
    assert holds.table.add_calls(hold, ["0" * 32])
    holds.people.ask_release("acme", "case-1", ASKS)
    assert holds.table.add_calls(hold, ["1" * 32])
    holds.people.approve_release("acme", "case-1", APPROVES)
    assert not holds.table.add_calls(hold, ["2" * 32])
    assert {*holds.table.calls(hold)} == {"0" * 32, "1" * 32}


def test_an_event_that_read_the_holds_early_leaves_newer_ones(
    holds: HoldScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = holds.deliver("1", caller=CALLER)
    holds.hold("case-1", party=CALLER)
    early = holds.table.active("acme")
    holds.hold("case-2", party=CALLER)
    monkeypatch.setattr(holds.table, "active", lambda _: early)
    holds.settle(CallName("acme", "1"))
    assert holds.held([call]) == [("case-1", "case-2")]


def test_an_event_that_comes_again_frees_a_call_of_a_released_hold(holds: HoldScene) -> None:
    """The run before it stopped after it had written the card, and the release had passed the call."""
    holds.hold("case-1", party=CALLER)
    holds.release("case-1")
    call = holds.deliver("1", caller=OTHER)
    name = CallName("acme", "1")
    holds.write(name, lambda card: card.with_holds(["case-1"]))
    holds.placing._set_bits("acme", [call])
    assert holds.held([call]) == [("case-1",)]
    assert holds.placing.settle([name], again=True) == {}
    assert holds.held([call]) == [()]


def test_a_release_that_clears_a_bit_late_meets_another_hold(holds: HoldScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has read the card without holds. Before it clears the bit, another hold sets it."""
    call = holds.deliver("1", caller=CALLER)
    holds.hold("case-1", party=CALLER)
    legal_holds, placed = holds.placing._legal_holds, list[Hold]()
    set_bits = legal_holds.set

    def late(wanted: Any) -> Any:
        if not placed and not all(is_held for _, is_held in wanted):
            placed.append(holds.find("case-1"))
            holds.hold("case-2", party=CALLER)
        return set_bits(wanted)

    monkeypatch.setattr(legal_holds, "set", late)
    holds.release("case-1")
    assert placed and holds.held([call]) == [("case-2",)]


@pytest.mark.parametrize("blind", [False, True])
def test_each_member_of_a_scope(holds: HoldScene, blind: bool) -> None:
    began = holds.clock()
    facts = {
        "all": {"caller": CALLER, "queue": "orders", "agent": "kari"},
        "queue": {"caller": OTHER, "queue": "orders"},
        "agent": {"caller": OTHER, "agent": "kari"},
        "caller": {"caller": CALLER},
        "none": {},
    }
    for name, members in facts.items():
        holds.deliver(name, blind=blind, started=began, **members)
    holds.deliver("old", blind=blind, started=began - timedelta(days=2), **facts["all"])

    def scope(**members: str) -> dict[str, Any]:
        kinds: dict[str, Any] = {"party": "number", "queue": "queue", "agent": "agent"}
        if not blind:
            return members
        hashes = {name: holds.blind.hashed("acme", kinds[name], value) for name, value in members.items()}
        return {**hashes, "is_blind": True}

    yesterday = timestamp(began - timedelta(days=1))
    for number, (asked, expected) in enumerate([
        (scope(party=CALLER), {"all", "caller", "old"}),
        (scope(queue="orders"), {"all", "queue", "old"}),
        (scope(agent="kari"), {"all", "agent", "old"}),
        (scope(queue="orders", agent="kari"), {"all", "old"}),
        ({**scope(party=CALLER), "since": yesterday}, {"all", "caller"}),
        ({**scope(party=CALLER), "until": yesterday}, {"old"}),
        ({"since": yesterday}, {*facts}),
        ({"queue": "*"}, {*facts, "old"}),
    ]):  # fmt: skip
        hold = holds.hold(f"case-{number}", **asked)
        found = {holds.card(call).call.name for call in holds.table.calls(hold)}
        assert found == expected, asked


def test_blind_and_plain_cards_of_one_tenant(holds: HoldScene) -> None:
    """Its setting was changed, so it has both. Each hold catches both."""
    plain, blind = holds.deliver("1", caller=CALLER), holds.deliver("2", caller=CALLER, blind=True)
    others = [holds.deliver("3", caller=OTHER), holds.deliver("4", caller=OTHER, blind=True)]
    hashed = holds.blind.hashed("acme", "number", CALLER)
    holds.hold("plain", party=CALLER, future=True)
    assert holds.held([plain, blind, *others]) == [("plain",)] * 2 + [()] * 2
    holds.hold("blind", party=hashed, is_blind=True, is_mixed=True, future=True)
    assert holds.held([plain, blind, *others]) == [("blind", "plain")] * 2 + [()] * 2
    later = [holds.deliver("5", caller=CALLER), holds.deliver("6", caller=CALLER, blind=True)]
    assert holds.held(later) == [("blind", "plain")] * 2


def test_without_holds_the_cards_are_not_read(holds: HoldScene, monkeypatch: pytest.MonkeyPatch) -> None:
    call = holds.record("1")
    monkeypatch.setattr(holds.placing, "_read", lambda *_: pytest.fail("a card was read"))
    holds.settle(call)


def test_an_error_fails_only_the_calls_of_its_tenant(holds: HoldScene, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [CallName("acme", "1"), CallName("acme", "2"), CallName("beta", "1")]
    active = holds.table.active

    def failing(tenant: str) -> list[Hold]:
        if tenant == "acme":
            raise TransientError("DynamoDB is not there.")
        return active(tenant)

    monkeypatch.setattr(holds.table, "active", failing)
    assert {*holds.placing.settle(calls)} == {*calls[:2]}


def test_the_facts_of_a_held_call_do_not_change(holds: HoldScene) -> None:
    call = holds.deliver("1", caller=CALLER, queue="orders")
    holds.hold("case-1", calls=(call,))
    before = holds.card(call)
    holds.read("1", caller=OTHER, queue="sales")
    assert holds.card(call) == before
    holds.release("case-1")
    holds.read("1", caller=OTHER, queue="sales")
    assert holds.card(call).facts.queue == "sales"


def test_a_held_call_gets_its_first_facts(holds: HoldScene) -> None:
    call = holds.record("1")
    holds.hold("case-1", calls=(call.id,))
    holds.read("1", caller=CALLER)
    assert (holds.card(call.id).facts.caller, holds.card(call.id).holds) == (CALLER, ("case-1",))


def test_messages_of_holds_that_are_not_there_or_done_do_nothing(holds: HoldScene) -> None:
    holds.do(HoldMessage("acme", "no-such-hold"))
    holds.hold("case-1", party=CALLER)
    holds.do(HoldMessage("acme", "case-1", "0/2026"))
    assert holds.find("case-1").state == "held"
    assert len(holds.cloud.audit_details("HoldPlaced")) == 1


def test_ended_cards_stay_as_they_are() -> None:
    card = Card(CallName("acme", "1")).ended_by("erased", "2026-11-24T10:00:00.000Z")
    assert place_holds._under(card, frozenset(), frozenset({"case-1"})) == card


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"tenant": "acme", "call": "1"}', '{"detail-type": "x"}'])
def test_bodies_of_other_messages(body: str) -> None:
    assert hold_message(body) is None
