"""moto's server, as we run it, keeps under concurrency what the real services keep."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.moto_process import MotoProcess


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


def test_no_message_is_lost_or_taken_twice(moto: MotoProcess) -> None:
    sqs = moto.client("sqs")
    url = sqs.create_queue(QueueName="busy")["QueueUrl"]
    number, taken = 150, list[str]()

    def work(n: int) -> None:
        sqs.send_message(QueueUrl=url, MessageBody=str(n))
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=2).get("Messages", []):
            taken.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(number)))
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        taken += [message["Body"] for message in messages]
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert sorted(taken, key=int) == [str(n) for n in range(number)]


def test_long_poll_keeps_nobody_out(moto: MotoProcess) -> None:
    sqs = moto.client("sqs")
    url = sqs.create_queue(QueueName="slow")["QueueUrl"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20)
        sqs.send_message(QueueUrl=url, MessageBody="here")
        assert waiting.result(timeout=10)["Messages"][0]["Body"] == "here"


def test_upload_that_breaks_off_makes_no_object(moto: MotoProcess) -> None:
    port = int(moto.endpoint_url.rsplit(":", 1)[1])
    head = f"PUT /bucket/broken HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + b"only the beginning")
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1000)
    assert b" 400 " in answer.splitlines()[0]
    with pytest.raises(ClientError, match="404"):
        moto.client("s3").head_object(Bucket="bucket", Key="broken")


def test_large_object_is_read_while_another_is_written(moto: MotoProcess) -> None:
    s3, large = moto.client("s3"), b"x" * 20_000_000
    s3.put_object(Bucket="bucket", Key="large", Body=large)
    body = s3.get_object(Bucket="bucket", Key="large")["Body"]
    read = body.read(1000)
    s3.put_object(Bucket="bucket", Key="other", Body=b"y")
    assert read + body.read() == large
