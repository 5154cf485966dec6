"""moto's server, as we run it, is as consistent under concurrency as the real services."""

import io
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models import dynamodb_backends

from localcloud.moto_app import one_at_a_time
from localcloud.moto_process import MotoProcess
from tests.e2e.localcloud.support import PROJECT
from tests.support.stack import REGION, make_tables, stack


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoProcess]:
    process = MotoProcess(0, "eu-north-1", lambda line: None)
    process.client("s3").create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    yield process
    process.close()


def all_at_once(number: int, call: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(call, range(number)))


def test_one_conditional_write_wins(moto: MotoProcess) -> None:
    s3 = moto.client("s3")

    def write(n: int) -> bool:
        try:
            s3.put_object(Bucket="bucket", Key=key, Body=f"{n}", IfNoneMatch="*")
        except s3.exceptions.ClientError as exc:
            if exc.response["Error"]["Code"] != "PreconditionFailed":
                raise
            return False
        return True

    for attempt in range(10):
        key = f"contested-{attempt}"
        assert all_at_once(8, write).count(True) == 1


def test_notification_names_the_version_in_a_versioned_bucket(moto: MotoProcess) -> None:
    s3, sqs = moto.client("s3"), moto.client("sqs")
    url = sqs.create_queue(QueueName="announced")["QueueUrl"]
    announced = {"QueueArn": "arn:aws:sqs:eu-north-1:123456789012:announced", "Events": ["s3:ObjectCreated:*"]}
    for bucket, versioned in (("versioned", True), ("plain", False)):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
        if versioned:
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [announced]}
        )
        written = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        records = [record for each in messages for record in json.loads(each["Body"]).get("Records", [])]
        (record,) = (each for each in records if each["s3"]["bucket"]["name"] == bucket)
        assert record["s3"]["object"].get("versionId") == (written["VersionId"] if versioned else None)


# Runs in a separate process, because it repairs moto's classes. Without the lock, a message that is sent during a
# delete can get lost, and two receivers can get the same message: a few of 600 messages when eight threads use one
# queue.
LOCKING = """
import sys, threading
from localcloud.moto_child import bind
bind(0).server_close()
from moto.sqs.models import sqs_backends
backend = sqs_backends["123456789012"]["eu-north-1"]
queue = backend.create_queue("busy", {})
backend.send_message("busy", "here")

def take():
    for message in backend.receive_message("busy", 1, 0, 600):
        print("taken", flush=True)
        held.wait()
        backend.delete_message("busy", message.receipt_handle)
        print("deleted", flush=True)

held = threading.Event()
thread = threading.Thread(target=take)
with queue._messages_lock:
    thread.start()
    thread.join(0.3)
    print("released", flush=True)
while queue.messages:
    pass
with queue._messages_lock:
    held.set()
    thread.join(0.3)
    print("released", flush=True)
thread.join()
"""


def test_queue_is_received_from_and_deleted_from_under_its_lock() -> None:
    command = [sys.executable, "-c", LOCKING]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False, timeout=300)
    assert ran.stderr == ""
    assert ran.stdout.split() == ["released", "taken", "released", "deleted"]


def test_requests_are_answered_one_at_a_time() -> None:
    working = threading.Semaphore(1)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        assert working.acquire(blocking=False), "another request is being answered"
        time.sleep(0.01)
        working.release()
        return [environ["wsgi.input"].read()]

    serve = one_at_a_time(app)
    answers = all_at_once(8, lambda n: serve({"wsgi.input": io.BytesIO(b"%d" % n), "CONTENT_LENGTH": "1"}, print))
    assert answers == [[b"%d" % n] for n in range(8)]


def test_long_poll_does_not_block_others(moto: MotoProcess) -> None:
    sqs = moto.client("sqs")
    url = sqs.create_queue(QueueName="slow")["QueueUrl"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20)
        time.sleep(0.5)
        sqs.send_message(QueueUrl=url, MessageBody="here")
        assert waiting.result(timeout=300)["Messages"][0]["Body"] == "here"


def test_interrupted_upload_makes_no_object(moto: MotoProcess) -> None:
    port = int(moto.endpoint_url.rsplit(":", 1)[1])
    head = f"PUT /bucket/broken HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + b"only the beginning")
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1000)
    assert b" 400 " in answer.splitlines()[0]
    with pytest.raises(ClientError, match="404"):
        moto.client("s3").head_object(Bucket="bucket", Key="broken")


@pytest.mark.parametrize("stale", [(), (1,), (0, 1, 2)], ids=["none stale", "one stale", "all stale"])
def test_batch_of_deletes_heeds_etags(moto: MotoProcess, stale: tuple[int, ...]) -> None:
    s3, keys = moto.client("s3"), ["batch/a b+æ&<1>", "batch/2", "batch/3"]
    etags = [s3.put_object(Bucket="bucket", Key=key, Body=key.encode())["ETag"] for key in keys]
    asked = [{"Key": key, "ETag": '"0"' if n in stale else etags[n]} for n, key in enumerate(keys)]

    answer = s3.delete_objects(Bucket="bucket", Delete={"Objects": [*asked, {"Key": "batch/gone"}]})

    left = [item["Key"] for item in s3.list_objects_v2(Bucket="bucket", Prefix="batch/").get("Contents", [])]
    refused = {error["Key"]: error["Code"] for error in answer.get("Errors", [])}
    assert refused == {keys[n]: "PreconditionFailed" for n in stale}
    assert set(left) == set(refused)
    assert {one["Key"] for one in answer["Deleted"]} == {*keys, "batch/gone"} - set(refused)


def test_large_object_is_read_while_another_is_written(moto: MotoProcess) -> None:
    s3, large = moto.client("s3"), b"x" * 20_000_000
    s3.put_object(Bucket="bucket", Key="large", Body=large)
    body = s3.get_object(Bucket="bucket", Key="large")["Body"]
    read = body.read(1000)
    s3.put_object(Bucket="bucket", Key="other", Body=b"y")
    assert read + body.read() == large


def test_restored_label_moves_to_the_next_version(moto: MotoProcess) -> None:
    secrets = moto.client("secretsmanager")
    first = secrets.create_secret(Name="labels", SecretString="1")["VersionId"]
    second = secrets.put_secret_value(SecretId="labels", SecretString="2")["VersionId"]
    secrets.update_secret_version_stage(
        SecretId="labels", VersionStage="AWSCURRENT", MoveToVersionId=first, RemoveFromVersionId=second
    )
    third = secrets.put_secret_value(SecretId="labels", SecretString="3")["VersionId"]

    labels = secrets.describe_secret(SecretId="labels")["VersionIdsToStages"]
    assert labels[third] == ["AWSCURRENT"]
    assert labels[first] == ["AWSPREVIOUS"]
    assert secrets.get_secret_value(SecretId="labels", VersionStage="AWSCURRENT")["SecretString"] == "3"
    assert secrets.get_secret_value(SecretId="labels", VersionId=second)["SecretString"] == "2"


def test_cancelled_transaction_restores_only_its_own_items() -> None:
    """moto itself copies the whole table for each action, and restores it completely."""
    with stack() as cloud:
        dynamodb = cloud.dynamodb
        make_tables(dynamodb, "pair", "single")
        backend = dynamodb_backends["123456789012"][REGION]
        for table, names in {"single": ("event_id",), "pair": ("tenant", "fingerprint")}.items():
            old, new, third = ({name: {"S": value} for name in names} for value in ("old", "new", "third"))
            dynamodb.put_item(TableName=table, Item=old | {"uses": {"N": "1"}})
            is_there = f"attribute_exists({names[0]})"
            actions: list[Any] = [
                {"Update": {"TableName": table, "Key": old, "UpdateExpression": "ADD uses :one",
                            "ExpressionAttributeValues": {":one": {"N": "1"}}}},
                {"Put": {"TableName": table, "Item": new}},
                {"Put": {"TableName": table, "Item": third, "ConditionExpression": is_there}},
            ]  # fmt: skip
            whole = backend.tables[table]
            with pytest.raises(ClientError) as cancelled:
                dynamodb.transact_write_items(TransactItems=actions)
            codes = [reason["Code"] for reason in cancelled.value.response["CancellationReasons"]]
            assert codes == ["None", "None", "ConditionalCheckFailed"]
            assert dynamodb.scan(TableName=table)["Items"] == [old | {"uses": {"N": "1"}}]
            assert backend.tables[table] is whole
            dynamodb.transact_write_items(TransactItems=actions[:2])
            assert sorted(item.get("uses", {}).get("N", "") for item in dynamodb.scan(TableName=table)["Items"]) == [
                "", "2",
            ]  # fmt: skip
