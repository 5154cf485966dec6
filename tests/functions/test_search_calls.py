"""search_calls: what a user may find, in whose tenant, and what is recorded of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from tests.support.archive import People, Visitor
from tests.support.clock import Clock
from tests.support.network import Network
from tests.support.stack import Stack

CALLER, OTHER = "+4522334455", "+4733445566"
EVERYTHING = {"group": "all", "may": ["search", "play", "audit"], "restricted": True, "sensitive": True}


@pytest.fixture
def people(cloud: Stack, clock: Clock, search_calls: ModuleType) -> People:
    cloud.tenant("acme", settings={"call_index": "plain"})
    return People(cloud, clock, [search_calls])


def names(visitor: Visitor, **query: Any) -> list[str]:
    reply = visitor.get("/api/calls", **query)
    assert reply.status == 200, reply.json
    return [call["name"] for call in reply.json["calls"]]


def recorded(cloud: Stack, kind: str) -> list[dict[str, Any]]:
    return [detail["archive"] for detail in cloud.audit_details(kind)]


def test_search_finds_calls_of_the_users_tenant_and_is_recorded(people: People, cloud: Stack) -> None:
    people.access(EVERYTHING)
    people.access(EVERYTHING, tenant="globex")
    people.call("1", caller=CALLER, agent="ola")
    people.call("2", caller=OTHER)
    people.call("3", tenant="globex", caller=CALLER)
    kari = people.visitor("all")

    assert names(kari) == ["2", "1"]
    assert names(kari, caller="+45 22 33 44 55") == ["1"]
    assert names(people.visitor("all", tenant="globex")) == ["3"]

    first, by_number, other = recorded(cloud, "RecordingsSearched")
    assert (first["user"], first["external"], first["action"], first["filters"]) == (
        "kari@acme.example",
        False,
        "search",
        {},
    )
    assert by_number["filters"]["caller"].startswith("k1:") and "22334455" not in json.dumps(cloud.audit())
    assert other["call"] is None


@pytest.mark.parametrize(
    ("grant", "found"),
    [
        ({}, ["sales", "other", "own", "blank", "old"]),
        ({"scope": "own"}, ["own"]),
        ({"queues": ["sales"]}, ["sales", "own"]),
        ({"queues": ["sa*"]}, ["sales", "own"]),
        ({"queues": ["sales", "support"]}, ["sales", "other", "own"]),
        ({"days": 30}, ["sales", "other", "own", "blank"]),
        ({"restricted": True}, ["sales", "other", "own", "restricted", "blank", "old"]),
        (
            {"restricted": True, "sensitive": True},
            ["sales", "other", "own", "restricted", "sensitive", "both", "blank", "old"],
        ),
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("blind", [False, True])
def test_search_finds_what_a_grant_allows(
    people: People, cloud: Stack, clock: Clock, grant: dict[str, Any], found: list[str], blind: bool
) -> None:
    put = lambda name, **facts: people.call(name, blind=blind, **facts)  # noqa: E731
    now = clock()
    clock.pass_by(days=-40)
    put("old")
    clock.put_to(now)
    put("blank")
    put("both", restricted=True, sensitive=True)
    put("sensitive", sensitive=True)
    put("restricted", restricted=True)
    put("own", queue="sales", agent="kari@acme.example")
    put("other", queue="support", agent="ola")
    put("sales", queue="sales")
    people.access({"group": "all", "may": ["search"], **grant})

    got = names(
        people.visitor("all"),
        **{"from": (clock() - timedelta(days=60)).date(), "to": (clock() - timedelta(days=31)).date()},
    )
    got = names(people.visitor("all")) + got

    if blind and "sa*" in grant.get("queues", ()):
        found = []
    assert sorted(got) == sorted(found)


def test_search_with_a_rare_scope_goes_on_by_its_cursor(people: People) -> None:
    for number in range(130):
        people.call(f"{number:03}", queue="sales" if number in (5, 77) else "support", restricted=number == 6)
    people.access(
        {"group": "all", "may": ["search"], "queues": ["sal*"]}, {"group": "all", "may": ["search"], "scope": "own"}
    )
    kari, found, cursor = people.visitor("all"), [], None
    for _ in range(9):
        reply = kari.get("/api/calls", **({"cursor": cursor} if cursor else {})).json
        found += [call["name"] for call in reply["calls"]]
        if not (cursor := reply["cursor"]):
            break

    assert found == ["077", "005"] and cursor is None


def test_without_a_grant_or_access_nothing_is_found(people: People, cloud: Stack) -> None:
    call = people.call()
    assert people.visitor("all").get("/api/calls").error == (403, "NotAllowed")
    people.access({"group": "others", "may": ["search"]}, {"group": "all", "may": ["play"]}, tenant="globex")
    people.access({"group": "others", "may": ["search"]})
    assert people.visitor("all", tenant="globex").get("/api/calls").error == (403, "NotAllowed")
    assert people.visitor("all", tenant="globex").get(f"/api/calls/{call}").error == (404, "NotFound")
    assert {each["code"] for each in recorded(cloud, "AccessRefused")} == {"NotAllowed"}


def test_unusable_access_grants_nothing_and_is_counted(
    people: People, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    people.access_text('{"grants": [{"group": "all", "may": ["search"], "queue": ["x"]}]}')

    assert people.visitor("all").get("/api/calls").error == (403, "NotAllowed")

    assert '"AccessUnusable"' in capsys.readouterr().out


def test_changed_grant_counts_within_a_minute(people: People, clock: Clock) -> None:
    people.access(EVERYTHING)
    kari = people.visitor("all")
    assert kari.get("/api/calls").status == 200
    people.access()
    clock.pass_by(seconds=61)

    assert kari.get("/api/calls").error == (403, "NotAllowed")


def test_card_is_shown_and_recorded(people: People, cloud: Stack) -> None:
    people.access(EVERYTHING)
    call = people.call(agent="ola")

    card = people.visitor("all").get(f"/api/calls/{call}").json

    assert (card["id"], card["agent"], [file["n"] for file in card["files"]]) == (call, "ola", [0, 1])
    (viewed,) = recorded(cloud, "RecordingViewed")
    assert viewed["call"] == call


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ({"restricted": True}, "RestrictedRecording"),
        ({"sensitive": True}, "SensitiveRecording"),
        ({"restricted": True, "sensitive": True}, "RestrictedRecording"),
    ],
)
def test_refused_card_says_why_and_is_recorded(people: People, cloud: Stack, flags: dict[str, bool], code: str) -> None:
    people.access({"group": "all", "may": ["search"]})
    call = people.call(**flags)

    assert people.visitor("all").get(f"/api/calls/{call}").error == (403, code)

    (refused,) = recorded(cloud, "AccessRefused")
    assert (refused["call"], refused["code"], refused["action"]) == (call, code, "search")


@pytest.mark.parametrize(
    "query",
    [
        {"colour": "red"}, {"caller": ""}, {"caller": "anonymous"}, {"from": "yesterday"},
        {"from": "2026-01-01", "to": "2026-06-01"}, {"min_seconds": "-1"}, {"max_seconds": "x"},
        {"from": "2026-02-02", "to": "2026-01-01"},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_filter_that_cannot_be_used_is_refused(people: People, query: dict[str, str]) -> None:
    people.access(EVERYTHING)
    assert people.visitor("all").get("/api/calls", **query).error == (400, "InvalidFilter")


def test_filter_that_is_there_twice_is_refused(people: People) -> None:
    people.access(EVERYTHING)
    reply = people.visitor("all").send("GET", "/api/calls", query="agent=a&agent=b")
    assert reply.error == (400, "InvalidFilter")


def test_cursor_of_another_user_tenant_or_search_is_refused(people: People) -> None:
    for tenant in ("acme", "globex"):
        people.access(EVERYTHING, tenant=tenant)
        for number in range(52):
            people.call(str(number), tenant=tenant)
    kari = people.visitor("all")
    cursor = kari.get("/api/calls").json["cursor"]
    rest = kari.get("/api/calls", cursor=cursor).json
    assert [len(rest["calls"]), rest["cursor"]] == [2, None]

    ola, foreign = people.visitor("all", email="ola@acme.example"), people.visitor("all", tenant="globex")
    for visitor, query in (
        (ola, {"cursor": cursor}), (foreign, {"cursor": cursor}), (kari, {"cursor": cursor, "agent": "x"}),
        (kari, {"cursor": "x"}), (kari, {"cursor": cursor[:-1]}), (kari, {"cursor": ""}),
    ):  # fmt: skip
        assert visitor.get("/api/calls", **query).error == (400, "InvalidCursor")


@pytest.mark.parametrize("path", ["/api/calls", "/api/calls/0123456789abcdef0123456789abcdef", "/api/audit"])
def test_nothing_without_a_session(people: People, clock: Clock, path: str) -> None:
    people.access(EVERYTHING)
    kari = people.visitor("all")
    for visitor in (Visitor(people.handlers), Visitor(people.handlers, {"__Host-callseal": "x" * 43})):
        assert visitor.get(path).error == (401, "NotSignedIn")
    clock.pass_by(minutes=31)
    assert kari.get(path).error == (401, "NotSignedIn")


def test_session_lasts_while_it_is_used_but_ten_hours_at_most(people: People, clock: Clock) -> None:
    people.access(EVERYTHING)
    kari, minutes = people.visitor("all"), 0
    while kari.get("/api/calls").status == 200:
        clock.pass_by(minutes=25)
        minutes += 25
        assert minutes <= 625
    assert minutes == 600


@pytest.mark.parametrize("path", ["/api/calls", "/api/calls/{}", "/api/calls/{}/audit", "/api/audit"])
def test_terms_are_accepted_first(people: People, path: str) -> None:
    people.access(EVERYTHING, terms={"version": "1", "text": "Be kind."})
    call = people.call()
    assert people.visitor("all").get(path.format(call)).error == (403, "TermsNotAccepted")


@pytest.mark.parametrize("path", ["/api/calls", "/api/calls/{}"])
@pytest.mark.parametrize("operation", ["PutEvents", "PutItem"])
def test_without_audit_there_is_no_answer(people: People, network: Network, path: str, operation: str) -> None:
    people.access(EVERYTHING)
    call, kari = people.call(caller=CALLER), people.visitor("all")
    network.fail(operation, 503, "ServiceUnavailable", times=None)

    reply = kari.get(path.format(call))

    assert reply.error == (503, "AuditUnavailable") and CALLER not in reply.data.decode()


# ---- the audit ------------------------------------------------------------------------------------------------------


def kinds(reply: Any) -> list[str]:
    assert reply.status == 200, reply.json
    return [event["kind"] for event in reply.json["events"]]


def test_audit_of_a_call_says_who_did_what(people: People) -> None:
    people.access(EVERYTHING, {"group": "team", "may": ["search"]})
    call, other = people.call("1"), people.call("2", restricted=True)
    kari, ola = people.visitor("all"), people.visitor("team", email="ola@acme.example")
    ola.get(f"/api/calls/{call}")
    ola.get(f"/api/calls/{other}")

    (viewed,) = kari.get(f"/api/calls/{call}/audit").json["events"]
    assert (viewed["kind"], viewed["user"], viewed["call"]) == ("RecordingViewed", "ola@acme.example", call)
    assert kinds(kari.get(f"/api/calls/{other}/audit")) == ["AccessRefused"]
    assert kinds(kari.get("/api/audit")) == ["AccessRefused", "RecordingViewed"]
    assert kinds(kari.get("/api/audit", call=call)) == ["RecordingViewed"]
    assert kinds(kari.get("/api/audit", user="OLA@acme.example", call=other)) == ["AccessRefused"]
    assert kinds(kari.get("/api/audit", user="nobody@acme.example")) == []
    assert kinds(kari.get("/api/audit", to="2020-01-01")) == []
    assert ola.get(f"/api/calls/{call}/audit").error == (403, "NotAllowed")
    assert ola.get("/api/audit").error == (403, "NotAllowed")


def test_audit_outlives_the_call_for_users_without_a_limit(people: People, cloud: Stack) -> None:
    limited = {**EVERYTHING, "group": "some", "queues": ["sales"]}
    people.access(EVERYTHING, limited)
    call = people.call(queue="sales")
    kari, per = people.visitor("all"), people.visitor("some", email="per@acme.example")
    per.get(f"/api/calls/{call}")
    assert kinds(per.get(f"/api/calls/{call}/audit")) == ["RecordingViewed"]
    cloud.dynamodb.delete_item(
        TableName=cloud.environment["CALLS_TABLE"], Key={"tenant": {"S": "acme"}, "id": {"S": call}}
    )

    assert kinds(kari.get(f"/api/calls/{call}/audit")) == ["RecordingViewed"]
    assert per.get(f"/api/calls/{call}/audit").error == (404, "NotFound")
    assert kari.get(f"/api/calls/{'0' * 32}/audit").error == (404, "NotFound")
    people.access(EVERYTHING, tenant="globex")
    assert people.visitor("all", tenant="globex").get(f"/api/calls/{call}/audit").error == (404, "NotFound")


def test_walk_through_the_audit_finds_each_event_once(people: People, clock: Clock) -> None:
    people.access(EVERYTHING)
    call, kari = people.call(), people.visitor("all")
    ola = people.visitor("all", email="ola@acme.example")
    for number in range(120):
        (kari if number % 3 else ola).get(f"/api/calls/{call}")

    def walk(visit: Callable[..., Any]) -> list[str]:
        found, cursor = [], None
        while True:
            reply = visit(**({"cursor": cursor} if cursor else {})).json
            found += [json.dumps(event, sort_keys=True) for event in reply["events"]]
            if not (cursor := reply["cursor"]):
                return found

    for wanted, query in (
        (120, {}),
        (120, {"call": call}),
        (40, {"user": "ola@acme.example"}),
        (40, {"user": "ola@acme.example", "call": call}),
    ):
        found = walk(lambda query=query, **cursor: kari.get("/api/audit", **query, **cursor))
        assert len(found) == wanted
    cursor = kari.get("/api/audit").json["cursor"]
    assert kari.get("/api/audit", cursor=cursor, user="ola@acme.example").error == (400, "InvalidCursor")
    assert ola.get("/api/audit", cursor=cursor).error == (400, "InvalidCursor")


@pytest.mark.parametrize("query", [{"colour": "red"}, {"call": "x"}, {"user": ""}, {"from": "x"}], ids=json.dumps)
def test_filter_of_the_audit_that_cannot_be_used_is_refused(people: People, query: dict[str, str]) -> None:
    people.access(EVERYTHING)
    assert people.visitor("all").get("/api/audit", **query).error == (400, "InvalidFilter")
