"""govern_calls: who may place, release and see holds, and start, approve and see erasures, and what is recorded."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.support.archive import People, Reply, Visitor
from tests.support.clock import Clock
from tests.support.holds import CALLER, HoldScene
from tests.support.network import Network
from tests.support.stack import STACK, Stack, sqs_event

OFFICER = {"group": "officers", "may": ["search", "hold", "erase", "audit"], "restricted": True, "sensitive": True}
KARI, OLA = "kari@acme.example", "ola@acme.example"
BASIS = "GDPR, article 17(1)(b)"
OTHER = "+4733445566"
SETTINGS = {"deliver_to_archive": True, "call_index": "plain", "default_region": "NO"}
# A hold by filters.
CASE: Mapping[str, Any] = {"name": "case-1", "reason": "Complaint of a client", "caller": CALLER}


@pytest.fixture
def people(cloud: Stack, clock: Clock, govern_calls: ModuleType, search_calls: ModuleType) -> People:
    people = People(cloud, clock, [govern_calls, search_calls])
    for tenant in ("acme", "globex"):
        cloud.tenant(tenant, settings=SETTINGS)
        people.access(OFFICER, tenant=tenant)
    return people


@pytest.fixture
def scene(people: People, monkeypatch: pytest.MonkeyPatch) -> HoldScene:
    monkeypatch.setattr("callseal.retention.hold_messages.SETTLE_SECONDS", 0)
    return HoldScene(people.cloud, people.clock)


@pytest.fixture
def kari(people: People) -> Visitor:
    return people.visitor("officers", email=KARI)


@pytest.fixture
def ola(people: People) -> Visitor:
    return people.visitor("officers", email=OLA)


@pytest.fixture
def held(scene: HoldScene, kari: Visitor) -> str:
    """Place a hold on a caller's call. Return the call's id."""
    call = scene.deliver("1", caller=CALLER)
    assert kari.post("/api/holds", CASE).status == 202
    scene.work()
    return call


def holds(visitor: Visitor) -> dict[str, Any]:
    reply = visitor.get("/api/holds")
    assert reply.status == 200
    return {hold["name"]: hold for hold in reply.json["holds"]}


def start(visitor: Visitor, **asked: Any) -> Reply:
    return visitor.post("/api/erasures", {"basis": BASIS} | asked)


def refusals(cloud: Stack) -> list[tuple[str, str, str | None]]:
    details = [detail["archive"] for detail in cloud.audit_details("AccessRefused")]
    return [(each["action"], each["code"], each["call"]) for each in details]


def test_hold_is_placed_and_listed(scene: HoldScene, kari: Visitor) -> None:
    call, other = scene.deliver("1", caller=CALLER), scene.deliver("2", caller=OTHER)

    reply = kari.post("/api/holds", CASE | {"caller": "+45 22 33 44 55", "future": True})

    assert (reply.status, reply.json) == (202, {"name": "case-1", "state": "placing"})
    assert holds(kari)["case-1"]["state"] == "placing"
    scene.work()
    hold = holds(kari)["case-1"]
    assert (hold["state"], hold["calls"], hold["gone"]) == ("held", 1, [])
    assert (hold["placed_by"], hold["reason"], hold["scope"]["future"]) == (KARI, "Complaint of a client", True)
    assert scene.held([call, other]) == [("case-1",), ()]
    (event,) = scene.cloud.audit_details("HoldPlaced")
    assert event["message"] == f"{KARI} placed the hold case-1." and event["law"]["counts"] == {"calls": 1, "gone": 0}


@pytest.mark.parametrize("by", [{"queue": "sales"}, {"agent": "ola"}, {"queue": "sales", "agent": "ola"}], ids=str)
def test_hold_by_hashes_includes_plain_cards_of_before(scene: HoldScene, kari: Visitor, by: dict[str, str]) -> None:
    scene.deliver("1", queue="sales", agent="ola")
    scene.cloud.tenant("acme", settings=SETTINGS | {"call_index": "blind"})
    scene.clock.pass_by(minutes=2)

    reply = kari.post("/api/holds", {"name": "case-1", "reason": "Complaint"} | by)

    assert reply.status == 202
    scene.work()
    assert holds(kari)["case-1"]["calls"] == 1


def test_one_call_is_held_and_its_card_says_so(scene: HoldScene, kari: Visitor) -> None:
    call = scene.deliver("1")
    reply = kari.post(f"/api/calls/{call}/holds", {"name": "case 1", "reason": "Complaint"})
    assert (reply.status, reply.json) == (202, {"name": "case 1", "state": "placing"})
    scene.work()
    assert kari.get(f"/api/calls/{call}").json["holds"] == ["case 1"]
    assert holds(kari)["case 1"]["scope"]["calls"] == [call]


@pytest.mark.parametrize(
    "asked",
    [
        {"caller": None},
        {"caller": "anonymous"},
        {"calls": ["0" * 32], "queue": "claims", "caller": None, "future": True},
        {"from": "yesterday"},
        {"from": "2026-11-02", "to": "2026-11-01"},
        {"reason": "Call +4790000001"},
        {"reason": " "},
        {"name": "case#1"},
        {"calls": "x"},
        {"more": 1},
    ],
    ids=json.dumps,
)
def test_hold_that_cannot_be_made_is_invalid(scene: HoldScene, kari: Visitor, asked: dict[str, Any]) -> None:
    assert kari.post("/api/holds", CASE | asked).error == (400, "InvalidRequest")
    assert holds(kari) == {} and scene.work() == 0


@pytest.mark.parametrize("settings", [{"call_index": "plain"}, SETTINGS | {"call_index": "off"}, "{"])
def test_tenant_without_archive_or_index_has_no_holds(
    scene: HoldScene, kari: Visitor, settings: dict[str, Any] | str
) -> None:
    call = scene.deliver("1")
    scene.cloud.tenant("acme", settings=settings)
    scene.clock.pass_by(minutes=2)
    for path in ("/api/holds", f"/api/calls/{call}/holds"):
        body = CASE if path == "/api/holds" else {"name": "case-1", "reason": "Complaint"}
        assert kari.post(path, body).error == (400, "InvalidRequest")
    assert holds(kari) == {}


def test_name_of_a_hold_is_taken_once(scene: HoldScene, held: str, kari: Visitor, ola: Visitor) -> None:
    assert ola.post("/api/holds", CASE).error == (400, "InvalidRequest")
    assert holds(kari)["case-1"]["placed_by"] == KARI and scene.held([held]) == [("case-1",)]


def test_release_needs_two_people(scene: HoldScene, held: str, kari: Visitor, ola: Visitor) -> None:
    assert ola.post("/api/holds/case-1/approve").error == (400, "InvalidRequest"), "no release is asked for"

    asked = kari.post("/api/holds/case-1/release")

    assert (asked.status, asked.json) == (200, {"name": "case-1", "state": "release_asked"})
    assert kari.post("/api/holds/case-1/release").error == (400, "InvalidRequest")
    assert kari.post("/api/holds/case-1/approve").error == (403, "SecondPersonNeeded")
    assert refusals(scene.cloud) == [("hold", "SecondPersonNeeded", None)]
    assert scene.work() == 0 and scene.held([held]) == [("case-1",)]
    approved = ola.post("/api/holds/case-1/approve")
    assert (approved.status, approved.json) == (202, {"name": "case-1", "state": "releasing"})
    scene.work()
    hold = holds(ola)["case-1"]
    assert (hold["state"], hold["asked_by"], hold["approved_by"], hold["calls"]) == ("released", KARI, OLA, 0)
    assert scene.held([held]) == [()]
    (event,) = scene.cloud.audit_details("HoldReleaseAsked")
    assert event["message"] == f"{KARI} asked to release the hold case-1." and event["law"]["hold"] == "case-1"


def test_hold_that_is_being_placed_is_not_released(scene: HoldScene, kari: Visitor) -> None:
    kari.post("/api/holds", CASE)
    assert kari.post("/api/holds/case-1/release").error == (400, "InvalidRequest")


@pytest.mark.parametrize("path", ["case 1", "case%201"])
def test_hold_is_found_by_a_name_with_a_space(scene: HoldScene, kari: Visitor, path: str) -> None:
    kari.post("/api/holds", CASE | {"name": "case 1"})
    scene.work()
    assert kari.post(f"/api/holds/{path}/release").status == 200


def test_holds_of_another_tenant_are_unknown(scene: HoldScene, held: str, people: People) -> None:
    lars = people.visitor("officers", tenant="globex", email="lars@globex.example")
    assert holds(lars) == {}
    for step in ("release", "approve"):
        assert lars.post(f"/api/holds/case-1/{step}").error == (404, "NotFound")
    reason = {"name": "case-2", "reason": "Complaint"}
    assert lars.post(f"/api/calls/{held}/holds", reason).error == (404, "NotFound")
    assert lars.post("/api/holds", reason | {"calls": [held]}).error == (404, "NotFound")
    assert lars.post("/api/holds", reason | {"calls": [held], "future": True}).status == 202
    scene.work()
    assert scene.held([held]) == [("case-1",)]
    assert holds(lars)["case-2"]["calls"] == 0
    assert scene.cloud.audit_details("AccessRefused") == []


def test_limited_grant_holds_its_calls_and_sees_its_holds(scene: HoldScene, held: str, people: People) -> None:
    people.access(OFFICER, {"group": "leads", "may": ["hold"], "queues": ["claims"]})
    mine = scene.deliver("2", queue="claims")
    foreign, restricted = scene.deliver("3", queue="sales"), people.call("4", queue="claims", restricted=True)
    lead, officer = people.visitor("leads", email="liv@acme.example"), people.visitor("officers", email=OLA)
    people.clock.pass_by(minutes=2)

    assert lead.post("/api/holds", CASE | {"name": "a", "queue": "claims"}).error == (403, "NotAllowed")
    assert lead.post("/api/holds", {"name": "a", "reason": "x", "calls": [mine], "future": True}).error[0] == 403
    for call, code in ((foreign, "NotAllowed"), (restricted, "RestrictedRecording")):
        body = {"name": "a", "reason": "Complaint"}
        assert lead.post(f"/api/calls/{call}/holds", body).error == (403, code)
        assert lead.post("/api/holds", body | {"calls": [mine, call]}).error == (403, code)
    assert refusals(scene.cloud) == [("hold", "NotAllowed", None)] * 2 + [
        ("hold", "NotAllowed", foreign),
        ("hold", "NotAllowed", foreign),
        ("hold", "RestrictedRecording", restricted),
        ("hold", "RestrictedRecording", restricted),
    ]
    assert lead.post("/api/holds", {"name": "a", "reason": "Complaint", "calls": [mine]}).status == 202
    scene.work()
    assert [*holds(lead)] == ["a"] and [*holds(officer)] == ["a", "case-1"]
    assert lead.post("/api/holds/case-1/release").error == (404, "NotFound")
    assert lead.post("/api/holds/a/release").status == 200
    assert officer.post("/api/holds/a/approve").status == 202


def test_erasure_needs_two_people_and_is_certified(
    scene: HoldScene, kari: Visitor, ola: Visitor, erase_recordings: ModuleType
) -> None:
    cloud, call = scene.cloud, scene.deliver("1", caller=CALLER)
    other = scene.deliver("2", caller=OTHER)

    started = start(kari, caller=CALLER)

    assert started.status == 201
    shown = started.json
    assert (shown["state"], shown["calls"], shown["counts"], shown["by"]) == ("requested", 1, {"pending": 1}, KARI)
    assert shown["files"] == [{"call": call, "place": "archive", "state": "pending", "until": None}]
    path = f"/api/erasures/{shown['request']}"
    assert start(ola, caller=CALLER).json == shown, "the open request"
    assert kari.post(f"{path}/approve").error == (403, "SecondPersonNeeded")
    assert refusals(cloud) == [("erase", "SecondPersonNeeded", None)]
    assert kari.get(f"{path}/certificate").error == (404, "NotFound")
    assert cloud.take(cloud.environment["ERASURE_QUEUE_URL"]) == []
    approved = ola.post(f"{path}/approve")
    assert (approved.status, approved.json["state"], approved.json["approved_by"]) == (202, "running", OLA)
    assert scene.card(call).erasure_pending and not scene.card(other).erasure_pending
    messages = cloud.take(cloud.environment["ERASURE_QUEUE_URL"])
    assert erase_recordings.lambda_handler(sqs_event(*messages), None) == {"batchItemFailures": []}
    assert kari.get(path).json["state"] == "done"
    (listed,) = kari.get("/api/erasures").json["erasures"]
    assert (listed["request"], listed["state"], "files" in listed) == (shown["request"], "done", False)
    messages = [event["message"] for event in cloud.audit_details("ErasureRequested")]
    assert messages == [f"{KARI} requested an erasure of 1 calls.", f"{OLA} approved an erasure of 1 calls."]
    assert CALLER[3:] not in json.dumps(cloud.audit_details("ErasureRequested"))
    certificate = kari.get(f"{path}/certificate")
    assert certificate.json["files"][0]["state"] == "erased"
    public = load_der_public_key(cloud.kms.get_public_key(KeyId=f"alias/{STACK}-proof")["PublicKey"])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    signature = b64decode(certificate.headers["x-callseal-signature"])
    public.verify(signature, certificate.data, ec.ECDSA(SHA256()))


def test_held_call_is_not_erased_and_the_request_says_so(held: str, kari: Visitor) -> None:
    assert start(kari, call=held).json["counts"] == {"held": 1}


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({}, (400, "InvalidRequest")),
        ({"call": "0" * 32, "caller": CALLER}, (400, "InvalidRequest")),
        ({"caller": "anonymous"}, (400, "InvalidRequest")),
        ({"caller": CALLER, "basis": "Call 90000001"}, (400, "InvalidRequest")),
        ({"caller": CALLER, "basis": ""}, (400, "InvalidRequest")),
        ({"caller": CALLER, "anonymise": "yes"}, (400, "InvalidRequest")),
        ({"caller": OTHER}, (404, "NotFound")),
        ({"call": "0" * 32}, (404, "NotFound")),
    ],
    ids=json.dumps,
)
def test_erasure_that_cannot_be_started_is_not_kept(
    scene: HoldScene, kari: Visitor, asked: dict[str, Any], error: tuple[int, str]
) -> None:
    scene.deliver("1", caller=CALLER)
    assert start(kari, **asked).error == error
    assert kari.get("/api/erasures").json == {"erasures": []}
    assert scene.cloud.audit_details("ErasureRequested") == []


def test_request_about_very_many_calls_is_left_to_the_command(
    scene: HoldScene, kari: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.governance.erasure_routes.MAX_CALLS", 1)
    scene.deliver("1", caller=CALLER)
    assert start(kari, caller=CALLER).status == 201
    scene.deliver("2", caller=CALLER)
    assert start(kari, caller=CALLER).error == (400, "InvalidRequest")


def test_erasures_of_another_tenant_are_unknown(scene: HoldScene, kari: Visitor, people: People) -> None:
    call = scene.deliver("1", caller=CALLER)
    request = start(kari, caller=CALLER).json["request"]
    lars = people.visitor("officers", tenant="globex", email="lars@globex.example")
    for asked in ({"caller": CALLER}, {"call": call}):
        assert start(lars, **asked).error == (404, "NotFound")
    assert lars.get("/api/erasures").json == {"erasures": []}
    for identifier in (request, "0" * 16, f"{request}#{call}", "x"):
        path = f"/api/erasures/{identifier}"
        replies = (lars.get(path), lars.get(f"{path}/certificate"), lars.post(f"{path}/approve"))
        assert {reply.error for reply in replies} == {(404, "NotFound")}, identifier
    items = scene.cloud.dynamodb.scan(TableName=f"{STACK}-retention")["Items"]
    (file,) = (each["id"]["S"] for each in items if each["id"]["S"].startswith(f"erasure#{request}#"))
    assert kari.get(f"/api/erasures/{file.removeprefix('erasure#')}").error == (404, "NotFound")
    assert kari.get(f"/api/erasures/{request}").json["state"] == "requested"


def test_limited_grant_erases_its_calls_alone(scene: HoldScene, kari: Visitor, people: People) -> None:
    people.access(OFFICER, {"group": "leads", "may": ["erase"], "queues": ["claims"]})
    mine, both = scene.deliver("1", caller=CALLER, queue="claims"), scene.deliver("2", caller=OTHER, queue="claims")
    scene.deliver("3", caller=OTHER, queue="sales")
    restricted = people.call("4", queue="claims", restricted=True)
    liv, lise = (people.visitor("leads", email=f"{name}@acme.example") for name in ("liv", "lise"))
    people.clock.pass_by(minutes=2)

    assert start(liv, caller=OTHER).error == (403, "NotAllowed"), "one of the calls is of another queue"
    assert start(liv, call=restricted).error == (403, "RestrictedRecording")
    assert start(liv, call=both).status == 201
    request = start(liv, call=mine).json["request"]
    wide = start(kari, caller=OTHER).json["request"]
    assert {each["request"] for each in kari.get("/api/erasures").json["erasures"]} >= {wide, request}
    assert len(liv.get("/api/erasures").json["erasures"]) == 2
    assert liv.get(f"/api/erasures/{wide}").error == (404, "NotFound")
    assert lise.post(f"/api/erasures/{request}/approve").error == (404, "NotFound"), "another's request"
    assert start(lise, call=mine).error == (403, "NotAllowed"), "another's request"
    assert kari.post(f"/api/erasures/{request}/approve").status == 202


def test_approval_needs_the_right_to_each_call(scene: HoldScene, kari: Visitor, people: People) -> None:
    people.access(OFFICER, {"group": "erasers", "may": ["erase"]})
    request = start(kari, call=people.call(restricted=True)).json["request"]
    people.clock.pass_by(minutes=2)
    eraser = people.visitor("erasers", email=OLA)
    assert eraser.get(f"/api/erasures/{request}").status == 200
    assert eraser.post(f"/api/erasures/{request}/approve").error == (403, "RestrictedRecording")
    assert kari.get(f"/api/erasures/{request}").json["state"] == "requested"


def test_without_audit_nothing_is_asked_started_or_approved(
    scene: HoldScene, held: str, kari: Visitor, ola: Visitor, network: Network
) -> None:
    request = start(kari, call=held).json["request"]
    steps = [
        lambda: kari.post("/api/holds/case-1/release"),
        lambda: start(kari, caller=CALLER),
        lambda: ola.post(f"/api/erasures/{request}/approve"),
        lambda: kari.post(f"/api/erasures/{request}/approve"),
    ]
    for step in steps:
        network.fail("PutEvents", 503, "ServiceUnavailable", times=1)
        assert step().error == (503, "AuditUnavailable")
    assert holds(kari)["case-1"]["state"] == "held"
    (listed,) = kari.get("/api/erasures").json["erasures"]
    assert (listed["request"], listed["state"]) == (request, "requested")
    assert not scene.card(held).erasure_pending


@pytest.mark.parametrize(
    ("headers", "error"),
    [({"x-callseal": ""}, (403, "CsrfRefused")), ({"content-type": "text/plain"}, (415, "JsonRequired"))],
)
def test_request_of_another_site_is_refused(
    kari: Visitor, headers: dict[str, str], error: tuple[int, str], scene: HoldScene
) -> None:
    bodies = {"/api/holds": CASE, "/api/erasures": {"caller": CALLER, "basis": BASIS}, "/api/holds/case-1/release": {}}
    for path, body in bodies.items():
        assert kari.post(path, body, headers=headers).error == error
    assert holds(kari) == {}


def test_terms_come_first(people: People, kari: Visitor) -> None:
    people.access(OFFICER, terms={"version": "2026-11", "text": "Be kind."})
    people.clock.pass_by(minutes=2)
    for path in ("/api/holds", "/api/erasures"):
        assert kari.get(path).error == (403, "TermsNotAccepted")
    assert kari.post("/api/holds", CASE).error == (403, "TermsNotAccepted")
