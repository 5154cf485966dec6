"""What a function causes elsewhere: events on a custom bus, objects in a bucket, queues behind both; tables."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud import LocalCloud
from tests.e2e.localcloud.support import TEMPLATE, Site
from tests.e2e.localcloud.test_strictness import TABLE

BUCKET = "answers"


def queue(name: str) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}


def template() -> dict[str, Any]:
    """Two more queues for the worker: one behind a rule of a bus, one behind a bucket's notifications of one suffix."""
    made = copy.deepcopy(TEMPLATE)
    only = {"S3Key": {"Rules": [{"Name": "suffix", "Value": ".answer"}]}}
    notices = [{"Event": "s3:ObjectCreated:*", "Queue": {"Fn::GetAtt": ["Answers", "Arn"]}, "Filter": only}]
    rule = {
        "EventBusName": {"Ref": "Bus"},
        "EventPattern": {"source": ["ours"]},
        "Targets": [{"Id": "Queue", "Arn": {"Fn::GetAtt": ["Audited", "Arn"]}}],
    }
    made["Resources"] |= {
        "Audited": queue("audited"),
        "Answers": queue("answers"),
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "own"}},
        "Rule": {"Type": "AWS::Events::Rule", "Properties": rule},
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"BucketName": BUCKET, "NotificationConfiguration": {"QueueConfigurations": notices}},
        },
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": TABLE
            | {
                "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS"},
                "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "DeletionProtectionEnabled": True,
            },
        },
    }
    events = made["Resources"]["Worker"]["Properties"]["Events"]
    for name in ("Audited", "Answers"):
        events[name] = {"Type": "SQS", "Properties": {"Queue": {"Fn::GetAtt": [name, "Arn"]}, "BatchSize": 10}}
    made["Outputs"]["Table"] = {"Value": {"Fn::GetAtt": ["Table", "Arn"]}}
    return made


@pytest.fixture(scope="module")
def chained(shared_site: Site) -> Iterator[LocalCloud]:
    with shared_site.cloud_from(template()) as cloud:
        cloud.wait_until_idle()  # S3 sends one test event when the notifications are set up
        yield cloud


def records(site: Site) -> list[dict[str, Any]]:
    return [record for note in site.notes() for record in note["event"]["Records"]]


def test_an_event_on_an_own_bus_reaches_the_function_through_a_queue(chained: LocalCloud, shared_site: Site) -> None:
    shared_site.forget()
    entries = [
        {"EventBusName": "own", "Source": source, "DetailType": "Seen", "Detail": json.dumps({"id": source})}
        for source in ("ours", "theirs")
    ]
    chained.client("events").put_events(Entries=entries)
    chained.wait_until_idle()
    (record,) = records(shared_site)
    event = json.loads(record["body"])
    assert (event["source"], event["detail-type"], event["detail"]) == ("ours", "Seen", {"id": "ours"})
    assert record["eventSourceARN"].endswith(":audited")


def test_bucket_announces_only_objects_of_the_suffix(chained: LocalCloud, shared_site: Site) -> None:
    chained.wait_until_idle()
    shared_site.forget()
    s3 = chained.client("s3")
    for key in ("acme/key-check/A.answer", "acme/key-check/A.answer.txt", "acme/call.wav"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    chained.wait_until_idle()
    bodies = [json.loads(record["body"]) for record in records(shared_site)]
    assert [each["s3"]["object"]["key"] for body in bodies for each in body.get("Records", [])] == [
        "acme%2Fkey-check%2FA.answer"
    ]


def test_a_table_is_as_declared(chained: LocalCloud) -> None:
    dynamodb = chained.client("dynamodb")
    table = dynamodb.describe_table(TableName="register")["Table"]
    assert chained.outputs["Table"] == table["TableArn"]
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["tenant", "fingerprint"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSEDescription"]["SSEType"] == "KMS"
    assert table["DeletionProtectionEnabled"] is True
    lifetime = dynamodb.describe_time_to_live(TableName="register")["TimeToLiveDescription"]
    assert lifetime == {"AttributeName": "expires", "TimeToLiveStatus": "ENABLED"}
    backups = dynamodb.describe_continuous_backups(TableName="register")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert "Table.TimeToLiveSpecification" in {one.what for one in chained.left_out}


def test_wait_until_idle_includes_the_whole_chain(chained: LocalCloud, shared_site: Site) -> None:
    """Idle means that no queue has outstanding messages, in any order of queues."""
    chained.pause()
    shared_site.forget()
    sqs = chained.client("sqs")
    for name in ("audited", "answers", "work"):
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], MessageBody='{"n": 1}')
    with pytest.raises(TimeoutError, match="audited"):
        chained.wait_until_idle(0.3)
    chained.resume()
    chained.wait_until_idle()
    assert len(records(shared_site)) == 3
