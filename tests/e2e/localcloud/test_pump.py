"""The pump delivers messages from queues to functions as Lambda does."""

import dataclasses
import json
import time
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.event_source_mappings import reported_failures
from tests.e2e.localcloud.support import FAST, Site, empty, eventually, with_properties


def send(cloud: LocalCloud, *orders: dict[str, Any], **options: Any) -> list[str]:
    """Send messages while the pump is paused, so that they arrive as one batch."""
    cloud.pause()
    sqs, url = cloud.client("sqs"), cloud.outputs["WorkUrl"]
    ids = [sqs.send_message(QueueUrl=url, MessageBody=json.dumps(order), **options)["MessageId"] for order in orders]
    cloud.resume()
    return ids


def count(cloud: LocalCloud, queue: str) -> int:
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=cloud.outputs[queue], AttributeNames=["All"])
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    return sum(int(attributes["Attributes"][name]) for name in names)


def bodies(site: Site) -> list[list[dict[str, Any]]]:
    return [[json.loads(record["body"]) for record in note["event"]["Records"]] for note in site.notes()]


def test_event_has_lambdas_shape(cloud: LocalCloud, shared_site: Site) -> None:
    attributes = {"color": {"DataType": "String", "StringValue": "red"},
                  "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}}  # fmt: skip
    (message_id,) = send(cloud, {"n": 1}, MessageAttributes=attributes)
    cloud.wait_until_idle()
    (note,) = shared_site.notes()
    (record,) = note["event"]["Records"]
    assert set(record) == {
        "messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody", "eventSource",
        "eventSourceARN", "awsRegion",
    }  # fmt: skip
    assert record["messageId"] == message_id
    assert record["body"] == '{"n": 1}'
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["SentTimestamp"].isdigit()
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].endswith(":work")
    assert record["awsRegion"] == "eu-north-1"
    assert record["messageAttributes"]["color"]["stringValue"] == "red"
    assert record["messageAttributes"]["raw"]["binaryValue"] == "AAE="


def test_messages_come_in_one_batch_and_are_deleted(cloud: LocalCloud, shared_site: Site) -> None:
    send(cloud, *({"n": n} for n in range(7)))
    cloud.wait_until_idle()
    assert [len(batch) for batch in bodies(shared_site)] == [7]
    assert count(cloud, "WorkUrl") == 0
    assert count(cloud, "DeadUrl") == 0


def test_only_the_failed_message_is_redelivered(cloud: LocalCloud, shared_site: Site) -> None:
    send(cloud, {"n": 1}, {"do": "fail_once"}, {"n": 3})
    cloud.wait_until_idle()
    assert bodies(shared_site) == [[{"n": 1}, {"do": "fail_once"}, {"n": 3}], [{"do": "fail_once"}]]
    again = shared_site.notes()[1]["event"]["Records"][0]
    assert again["attributes"]["ApproximateReceiveCount"] == "2"


def test_failed_message_waits_for_its_visibility_timeout(cloud: LocalCloud, shared_site: Site) -> None:
    send(cloud, {"do": "fail_once"})
    cloud.wait_until_idle()
    first, second = shared_site.notes()
    assert second["at"] - first["at"] >= 0.9


@pytest.mark.parametrize(
    "order",
    [
        {"do": "fail"},
        {"do": "raise"},
        {"do": "crash"},
        {"do": "sleep", "seconds": 30},
        {"answer": {"batchItemFailures": [{"itemIdentifier": "nobody"}]}},
        {"answer": {"batchItemFailures": [{"itemIdentifier": ""}]}},
        {"answer": {"batchItemFailures": [{"identifier": "x"}]}},
        {"answer": "a text"},
    ],
    ids=["reported", "raise", "crash", "timeout", "unknown-id", "empty-id", "wrong-name", "no-object"],
)
def test_failing_batch_ends_in_the_dead_letter_queue(
    cloud: LocalCloud, shared_site: Site, order: dict[str, Any]
) -> None:
    send(cloud, order)
    cloud.wait_until_idle()
    assert bodies(shared_site) == [[order], [order]], "tried as often as the redrive policy says"
    assert empty(cloud, cloud.outputs["DeadUrl"]) == [json.dumps(order)]


@pytest.mark.parametrize("order", [{"do": "raise"}, {"do": "crash"}, {"answer": [1]}], ids=["raise", "crash", "answer"])
def test_failed_invocation_redelivers_the_whole_batch(
    cloud: LocalCloud, shared_site: Site, order: dict[str, Any]
) -> None:
    send(cloud, {"n": 1}, order)
    eventually(lambda: len(bodies(shared_site)) == 2)
    assert bodies(shared_site)[1] == [{"n": 1}, order]


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, {"other": 1}])
def test_empty_answer_means_that_all_succeeded(cloud: LocalCloud, shared_site: Site, answer: Any) -> None:
    send(cloud, {"answer": answer})
    cloud.wait_until_idle()
    assert len(bodies(shared_site)) == 1
    assert count(cloud, "DeadUrl") == 0


@pytest.mark.parametrize(
    ("payload", "failed"),
    [
        ({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}, {"a", "b"}),
        ({"batchItemFailures": "a"}, None),
        ({"batchItemFailures": ["a"]}, None),
        ({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": None}]}, None),
        ({"batchItemFailures": [{"itemIdentifier": 7}]}, None),
        ([], None),
        (7, None),
    ],
)
def test_batch_answer_is_read(payload: Any, failed: set[str] | None) -> None:
    assert reported_failures(payload) == failed


def test_answer_is_ignored_without_reporting(site: Site) -> None:
    template = with_properties("Worker")
    del template["Resources"]["Worker"]["Properties"]["Events"]["Work"]["Properties"]["FunctionResponseTypes"]
    template["Resources"]["Work"]["Properties"]["VisibilityTimeout"] = 60
    with site.cloud_from(template) as cloud:
        send(cloud, {"do": "fail"})
        cloud.wait_until_idle()
        assert len(site.notes()) == 1
        assert count(cloud, "DeadUrl") == 0


def test_duplicate_is_delivered_as_it_is(cloud: LocalCloud, shared_site: Site) -> None:
    send(cloud, {"n": 1}, {"n": 1})
    cloud.wait_until_idle()
    assert bodies(shared_site) == [[{"n": 1}, {"n": 1}]]


def test_two_batches_run_at_once(cloud: LocalCloud, shared_site: Site) -> None:
    cloud.prewarm()
    send(cloud, *({"do": "sleep", "seconds": 0.05} for _ in range(20)))
    cloud.wait_until_idle()
    first, second = shared_site.notes()
    assert first["pid"] != second["pid"]
    assert abs(first["at"] - second["at"]) < 0.5, "ten sleeps of 0.05 s would keep them apart"


def test_batch_waits_for_its_window(site: Site) -> None:
    template = with_properties("Worker")
    mapping = template["Resources"]["Worker"]["Properties"]["Events"]["Work"]["Properties"]
    mapping.update(BatchSize=20, MaximumBatchingWindowInSeconds=3)
    template["Resources"]["Work"]["Properties"]["VisibilityTimeout"] = 60
    with site.cloud_from(template, dataclasses.replace(FAST, workers=1)) as cloud:
        send(cloud, {"n": 0})
        time.sleep(1)
        send_while_pumping(cloud, 10)
        cloud.wait_until_idle()
        assert [len(batch) for batch in bodies(site)] == [11], "more than one receive gives"


def send_while_pumping(cloud: LocalCloud, number: int) -> None:
    entries = [{"Id": str(n), "MessageBody": json.dumps({"n": n})} for n in range(number)]
    cloud.client("sqs").send_message_batch(QueueUrl=cloud.outputs["WorkUrl"], Entries=entries)


def test_disabled_mapping_receives_no_messages(site: Site) -> None:
    template = with_properties("Worker")
    template["Resources"]["Worker"]["Properties"]["Events"]["Work"]["Properties"]["Enabled"] = False
    with site.cloud_from(template) as cloud:
        send(cloud, {"n": 1})
        cloud.wait_until_idle()
        assert count(cloud, "WorkUrl") == 1


def test_pause_stops_all_deliveries(cloud: LocalCloud, shared_site: Site) -> None:
    cloud.pause()
    cloud.client("sqs").send_message(QueueUrl=cloud.outputs["WorkUrl"], MessageBody="{}")
    with pytest.raises(TimeoutError, match="1 messages in work"):
        cloud.wait_until_idle(1)
    assert shared_site.notes() == []
    cloud.resume()
    cloud.wait_until_idle()
    assert len(shared_site.notes()) == 1


def test_pause_waits_for_what_is_in_flight(cloud: LocalCloud, shared_site: Site) -> None:
    send(cloud, {"do": "sleep", "seconds": 1})
    eventually(shared_site.notes)
    with pytest.raises(TimeoutError, match="still running"):
        cloud.pause(0.1)
    cloud.pause()
    assert count(cloud, "WorkUrl") == 0
