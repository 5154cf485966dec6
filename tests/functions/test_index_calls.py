"""index_calls: audit events become the files on the cards of calls."""

from __future__ import annotations

import copy
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.calls.call_name import CallName
from callseal.calls.card_facts import plain_facts
from callseal.calls.facts import Facts
from callseal.core.audit import timestamp
from tests.support.calls import TABLE, cards, index, items, table
from tests.support.clock import Clock
from tests.support.files import delivered, fetched
from tests.support.keys import x509_tenant
from tests.support.network import Network, cancelling
from tests.support.stack import ARCHIVE, SFTP, STACK, Stack, failures, sqs_event

INDEXED = {"encrypt": False, "call_index": "plain"}
CALL = CallName("acme", "2026/4711_1")


def deliver(cloud: Stack, encrypt_recording: ModuleType, *keys: str) -> None:
    """Deliver files as if read_metadata had processed their metadata."""
    events = [json.dumps(cloud.land(key, f"said in {key}".encode())) for key in keys]
    indexed = [event.replace("ObjectCreated:Put", "ObjectCreated:PutBackIndexed") for event in events]
    assert failures(encrypt_recording.lambda_handler(sqs_event(*indexed), None)) == []


def empty(cloud: Stack) -> None:
    for item in items(cloud):
        cloud.dynamodb.delete_item(TableName=TABLE, Key={name: item[name] for name in ("tenant", "id")})


def test_a_calls_files_come_onto_its_card(
    cloud: Stack, encrypt_recording: ModuleType, index_calls: ModuleType, clock: Clock
) -> None:
    settings = {"deliver_to_archive": True, "archive_formats": ["wav"], "only_encrypt_sftp": True}
    cloud.tenant("acme", x509_tenant().public_text, settings)
    deliver(cloud, encrypt_recording, "acme/2026/4711_1.xml", "acme/2026/4711_1.WAV")

    index(cloud, index_calls.lambda_handler)

    (card,) = cards(cloud)
    assert (card["id"], card["name"], card["indexed"], card["metadata"]) == (CALL.id, CALL.name, "files", "not_read")
    told = {detail["source"]["key"][-3:]: detail for detail in cloud.audit_details("RecordingDelivered")}
    assert card["started"] == min(detail["time"] for detail in told.values())
    wav, xml = ({output["destination"]: output for output in told[name]["outputs"]} for name in ("WAV", "xml"))
    found = {(file["key"][-7:], file["destination"]): file for file in card["files"]}
    assert sorted(file["n"] for file in card["files"]) == [0, 1, 2, 3]
    assert [file["key"].lower().count(".wav") for file in card["files"]] == [1, 1, 0, 0], "recordings come first"
    file = found["WAV.p7m", "sftp"]
    members = ("bucket", "key", "size", "sha256", "sealed", "destination")
    assert {name: file[name] for name in members} == {name: wav["sftp"][name] for name in members}
    assert file["recipients"] == [told["WAV"]["recipients"][0]["fingerprint"]]
    assert (file["state"], file["version"]) == ("delivered", None)
    assert [
        (file["sealed"], file["sha256"], file["recipients"]) for file in card["files"] if file["bucket"] == ARCHIVE
    ] == [("none", None, [])] * 2
    assert xml["archive"]["key"] in [file["key"] for file in card["files"]]

    clock.pass_by(minutes=1)
    index(cloud, index_calls.lambda_handler, fetched(clock, "acme/2026/4711_1.WAV.p7m"))

    (card,) = cards(cloud)
    assert {file["key"] for file in card["files"] if file["state"] == "fetched"} == {"acme/2026/4711_1.WAV.p7m"}


@pytest.mark.parametrize(("settings", "policy", "has_card"), [
    ({}, False, False),
    ({}, True, True),
    ({"deliver_to_archive": True}, False, True),
    ({"call_index": "off", "deliver_to_archive": True}, True, False),
    ({"call_index": "blind"}, False, True),
    ({"call_index": "plain"}, False, True),
])  # fmt: skip
def test_only_tenants_with_an_index_have_cards(
    cloud: Stack, index_calls: ModuleType, clock: Clock, settings: dict[str, Any], policy: bool, has_card: bool
) -> None:
    cloud.tenant("acme", None, settings)
    if policy:
        cloud.ssm.put_parameter(Name=f"/{STACK}/tenants/acme/policy", Value='{"schema": 1}', Type="String")
    index(cloud, index_calls.lambda_handler, delivered(clock, "acme/1.wav"))
    assert bool(cards(cloud)) == has_card
    assert bool(items(cloud)) == has_card


def test_a_tenant_that_is_gone_has_no_cards(cloud: Stack, index_calls: ModuleType, clock: Clock) -> None:
    index(cloud, index_calls.lambda_handler, fetched(clock, "acme/1.wav"))
    assert items(cloud) == []


def test_settings_that_cannot_be_read_are_the_queues(cloud: Stack, index_calls: ModuleType, clock: Clock) -> None:
    cloud.tenant("acme", None, "{")
    cloud.tenant("beta", None, INDEXED)
    event = sqs_event(delivered(clock, "acme/1.wav"), delivered(clock, "beta/1.wav"))
    assert failures(index_calls.lambda_handler(event, None)) == ["m0"]
    assert [card["name"] for card in cards(cloud, "beta")] == ["1"]


def test_any_order_and_division_comes_to_the_same(cloud: Stack, index_calls: ModuleType, clock: Clock) -> None:
    cloud.tenant("acme", None, INDEXED)
    first = delivered(clock, "acme/1.wav")
    clock.pass_by(minutes=1)
    events = [first, delivered(clock, "acme/1.xml"), fetched(clock, "acme/1.wav"), copy.deepcopy(first)]
    seen = []
    for order in itertools.permutations(events):
        index(cloud, index_calls.lambda_handler, *order[:2])
        index(cloud, index_calls.lambda_handler, *order[2:])
        (card,) = cards(cloud)
        assert sorted(file.pop("n") for file in card["files"]) == [0, 1]
        seen.append(card)
        empty(cloud)
    assert [file["state"] for file in seen[0]["files"]] == ["fetched", "delivered"]
    assert all(card == seen[0] for card in seen)


def test_facts_and_files_lose_nothing_to_each_other(
    cloud: Stack, index_calls: ModuleType, network: Network, clock: Clock
) -> None:
    """The facts are written while the files are being written, and the other way round."""
    cloud.tenant("acme", None, INDEXED)
    started = clock()
    facts, moment = plain_facts(Facts(session_id="4711", started=started), lambda _: False), timestamp(started)
    changes = {CallName("acme", "1"): [
        lambda card: card.with_metadata("acme/1.xml", "read", facts, moment),
        lambda card: card.with_outcome({"rule": "r", "restricted": True}),
    ]}  # fmt: skip
    clock.pass_by(minutes=1)
    network.before("TransactWriteItems", lambda _: table(cloud, clock).apply(changes) and None)
    index(cloud, index_calls.lambda_handler, delivered(clock, "acme/1.wav"))
    (card,) = cards(cloud)
    assert (card["indexed"], card["session_id"], card["started"], len(card["files"])) == ("both", "4711", moment, 1)
    assert card["flags"]["restricted"] is True
    assert table(cloud, clock).outcome("acme", card["id"]) == {"rule": "r", "restricted": True}
    assert len(network.asked("TransactWriteItems")) == 2


def test_many_batches_at_once_come_to_the_same(cloud: Stack, index_calls: ModuleType, clock: Clock) -> None:
    cloud.tenant("acme", None, INDEXED)
    deliveries = [delivered(clock, f"acme/{number}.{kind}") for number in range(4) for kind in ("wav", "xml")]
    clock.pass_by(minutes=1)
    downloads = [fetched(clock, f"acme/{number}.wav") for number in range(4)]
    batches = [sqs_event(*deliveries), sqs_event(*downloads), sqs_event(*reversed(deliveries + downloads))]
    with ThreadPoolExecutor(3) as executor:
        left = list(executor.map(lambda batch: failures(index_calls.lambda_handler(batch, None)), batches))
    assert left == [[], [], []]
    assert [[file["state"] for file in card["files"]] for card in cards(cloud)] == [["fetched", "delivered"]] * 4


def test_a_full_batch_is_two_requests_and_repeats_are_one(
    cloud: Stack, index_calls: ModuleType, network: Network, clock: Clock
) -> None:
    cloud.tenant("acme", None, INDEXED)
    events = [delivered(clock, f"acme/{number}.wav") for number in range(100)]
    index(cloud, index_calls.lambda_handler, *events)
    asked = [each.operation for each in network.requests]
    assert asked == ["GetParameters", "BatchGetItem", "TransactWriteItems"]
    network.requests.clear()
    index(cloud, index_calls.lambda_handler, *events)
    assert [each.operation for each in network.requests] == ["BatchGetItem"], "repeats change nothing"


def test_a_conflict_that_does_not_end_is_the_queues(
    cloud: Stack, index_calls: ModuleType, network: Network, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.aws.item_batches.PAUSE_SECONDS", 0.001)
    cloud.tenant("acme", None, INDEXED)
    call = CallName("acme", "1")
    network.before("TransactWriteItems", cancelling("ConditionalCheckFailed", call.id), times=None)
    event = sqs_event(delivered(clock, "acme/1.wav"), delivered(clock, "acme/2.wav"))
    assert failures(index_calls.lambda_handler(event, None)) == ["m0"]
    assert [card["name"] for card in cards(cloud)] == ["2"]


@pytest.mark.parametrize("changed", [
    {"id": 5}, {"id": ""}, {"time": "t"}, {"tenant": 5}, {"tenant": "beta"}, {"outputs": 5}, {"outputs": [None]},
    {"outputs": [{}]}, {"recipients": [{}]}, {"recipients": 5},
    *({"output": odd} for odd in (
        {"key": ""}, {"key": None}, {"key": "acme/" + "x" * 1020 + ".wav"}, {"size": None}, {"size": -1},
        {"size": True}, {"size": 2**63}, {"destination": 5}, {"bucket": ""}, {"sha256": 5}, {"sealed": None},
        {"key": "beta/1.wav"},
    )),
], ids=str)  # fmt: skip
def test_an_odd_event_fails_alone(cloud: Stack, index_calls: ModuleType, clock: Clock, changed: dict[str, Any]) -> None:
    cloud.tenant("acme", None, INDEXED)
    odd = delivered(clock, "acme/odd.wav")
    for name, value in changed.items():
        if name == "output":
            odd["detail"]["outputs"][0] |= value
        else:
            odd["detail"][name] = value
    event = sqs_event(delivered(clock, "acme/1.wav"), odd, delivered(clock, "acme/2.wav"))
    assert failures(index_calls.lambda_handler(event, None)) == ["m1"]
    assert [card["name"] for card in cards(cloud)] == ["1", "2"]


@pytest.mark.parametrize("body", ["no JSON", "{}", "[]"])
def test_what_is_no_audit_event_fails_alone(cloud: Stack, index_calls: ModuleType, body: str, clock: Clock) -> None:
    cloud.tenant("acme", None, INDEXED)
    assert failures(index_calls.lambda_handler(sqs_event(body, delivered(clock, "acme/1.wav")), None)) == ["m0"]
    assert len(cards(cloud)) == 1


def test_what_is_no_call_is_passed_over(cloud: Stack, index_calls: ModuleType, network: Network, clock: Clock) -> None:
    cloud.tenant("acme", None, INDEXED)
    check = fetched(clock, "acme/key-check/AB.txt.p7m")
    other = {**delivered(clock, "acme/1.wav"), "detail-type": "RecordingHeld"}
    index(cloud, index_calls.lambda_handler, check, fetched(clock, "x", tenant=None))
    assert failures(index_calls.lambda_handler(sqs_event(other), None)) == []
    assert items(cloud) == []
    assert network.requests == []


def test_an_attribute_of_another_writer_stays(cloud: Stack, index_calls: ModuleType, clock: Clock) -> None:
    cloud.tenant("acme", None, INDEXED)
    index(cloud, index_calls.lambda_handler, delivered(clock, "acme/1.wav"))
    (card,) = cards(cloud)
    cloud.dynamodb.update_item(
        TableName=TABLE, Key={"tenant": {"S": "acme"}, "id": {"S": card["id"]}},
        UpdateExpression="SET erasure_pending = :set, holds = :holds",
        ExpressionAttributeValues={":set": {"N": "1"}, ":holds": {"S": '["case-7"]'}},
    )  # fmt: skip
    index(cloud, index_calls.lambda_handler, delivered(clock, "acme/1.xml"))
    (card,) = cards(cloud)
    assert (card["erasure_pending"], card["holds"], len(card["files"])) == (True, ["case-7"], 2)


def test_a_card_that_moves_is_found_at_its_new_place(cloud: Stack, clock: Clock) -> None:
    cards_table, landed, call = table(cloud, clock), clock(), CallName("acme", "1")
    known = plain_facts(Facts(started=landed - timedelta(hours=1)), lambda _: False)
    cards_table.apply({call: [lambda card: card.with_metadata("acme/1.xml", "unreadable", None, timestamp(landed))]})
    assert cards_table.places("started", "acme", None, "~", 9) == [f"{timestamp(landed)}#{call.id}"]
    clock.pass_by(minutes=1)
    cards_table.apply({call: [lambda card: card.with_metadata("acme/1.xml", "read", known, timestamp(landed))]})
    assert cards_table.places("started", "acme", None, "~", 9) == [
        f"{timestamp(landed - timedelta(hours=1))}#{call.id}"
    ]
    stored = cards_table.cards("acme", [call.id])[call.id]
    assert timestamp(landed + timedelta(minutes=1)) <= str(stored.moved) <= timestamp(clock())
    assert stored.moved_from == f"{timestamp(landed)}#{call.id}"


def test_sftp_bucket_is_named_as_in_the_delivery(cloud: Stack, index_calls: ModuleType, clock: Clock) -> None:
    """The download's event has no destination, so its file is the one of the SFTP bucket."""
    cloud.tenant("acme", None, INDEXED)
    index(cloud, index_calls.lambda_handler, fetched(clock, "acme/1.wav"), delivered(clock, "acme/1.wav"))
    (card,) = cards(cloud)
    assert [(file["destination"], file["bucket"], file["state"]) for file in card["files"]] == [
        ("sftp", SFTP, "fetched")
    ]
