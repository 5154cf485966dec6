"""The fault proxy: other requests pass unchanged, each fault does what it states, and it adds moto's missing checks."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from http.client import HTTPConnection
from threading import Barrier
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from localcloud.moto_process import MotoProcess
from simulation.fault_proxy import (
    FOREIGN_WORDS,
    BreakBody,
    CutAfter,
    CutBefore,
    Fault,
    FaultProxy,
    Hang,
    Late,
    Refuse,
    Seen,
    Twice,
    in_time,
)
from tests.support.stack import REGION

BUCKET, KEY = "proxied", "a/space plus+æ.wav"
IF_NEW: Any = {"IfNoneMatch": "*"}


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoProcess]:
    process = MotoProcess(0, REGION, lambda _: None)
    for bucket in (BUCKET, "out"):
        process.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    yield process
    process.close()


@dataclass
class Line:
    """A proxy with one fault for the next request of an operation, and the requests that it received."""

    endpoint_url: str = ""
    faults: dict[str, Fault] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    carried_out: list[tuple[str, int]] = field(default_factory=list)
    before: Barrier | None = None

    def decide(self, seen: Seen) -> Fault | None:
        self.seen.append(seen)
        return self.faults.pop(seen.operation, None)

    def client(self, service: str, read_timeout: int = 60) -> Any:
        session = boto3.session.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name=REGION)
        config = Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout, max_pool_connections=4)
        return session.client(service, endpoint_url=self.endpoint_url, config=config)  # type: ignore[call-overload]


@pytest.fixture
def line(moto: MotoProcess) -> Iterator[Line]:
    line = Line()

    def before(seen: Seen) -> None:
        if line.before and seen.operation in ("PutObject", "CopyObject"):
            line.before.wait(timeout=300)

    def after(seen: Seen, status: int) -> None:
        line.carried_out.append((seen.operation, status))

    with FaultProxy(moto.endpoint_url, line.decide, before=before, after=after, output_buckets=["out"]) as proxy:
        line.endpoint_url = proxy.endpoint_url
        yield line


@pytest.fixture
def outputs(moto: MotoProcess) -> Iterator[Any]:
    s3 = moto.client("s3")
    yield s3
    for item in s3.list_objects_v2(Bucket="out").get("Contents", []):
        s3.delete_object(Bucket="out", Key=item["Key"])


def call(s3: Any, name: str, **members: Any) -> Any:
    return getattr(s3, name)(Bucket=BUCKET, Key=KEY, **members)


def test_passed_requests_are_unchanged_and_named(line: Line, moto: MotoProcess) -> None:
    s3, body = line.client("s3"), bytes(range(256)) * 100
    etag = call(s3, "put_object", Body=body, Metadata={"a": "b"})["ETag"]
    got = call(s3, "get_object", IfMatch=etag)
    assert (got["Body"].read(), got["Metadata"]) == (body, {"a": "b"})
    assert call(s3, "head_object")["ContentLength"] == len(body)
    call(s3, "put_object_tagging", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    assert call(s3, "get_object_tagging")["TagSet"] == [{"Key": "k", "Value": "v"}]
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": KEY})
    assert len(s3.list_objects_v2(Bucket=BUCKET)["Contents"]) == 2
    upload: Any = {"UploadId": call(s3, "create_multipart_upload")["UploadId"]}
    part = call(s3, "upload_part", **upload, PartNumber=1, Body=b"part")["ETag"]
    call(s3, "complete_multipart_upload", **upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    call(s3, "abort_multipart_upload", UploadId=call(s3, "create_multipart_upload")["UploadId"])
    call(s3, "delete_object")
    line.client("ssm").put_parameter(Name="/p", Value="v", Type="String")
    line.client("events").put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}"}])

    assert [seen.operation for seen in line.seen] == [
        "PutObject", "GetObject", "HeadObject", "PutObjectTagging", "GetObjectTagging", "CopyObject", "ListObjectsV2",
        "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "CreateMultipartUpload",
        "AbortMultipartUpload", "DeleteObject", "PutParameter", "PutEvents",
    ]  # fmt: skip
    assert [seen.number for seen in line.seen] == list(range(1, 16))
    assert {(seen.service, seen.bucket) for seen in line.seen} == {("s3", BUCKET), ("ssm", ""), ("events", "")}
    assert line.seen[0].key == KEY
    assert line.seen[-1].members["Entries"][0]["Source"] == "s"
    assert line.carried_out[0] == ("PutObject", 200)


def test_refusals_come_in_the_services_own_form(line: Line, moto: MotoProcess) -> None:
    line.faults = {"GetObject": Refuse(503, "SlowDown"), "HeadObject": Refuse(403, "AccessDenied"),
                   "GetParameter": Refuse(400, "ThrottlingException"),
                   "SendEmail": Refuse(429, "TooManyRequests")}  # fmt: skip
    for name, status, code in [("get_object", 503, "SlowDown"), ("head_object", 403, "403")]:
        with pytest.raises(ClientError) as refused:
            call(line.client("s3"), name)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert refused.value.response["Error"]["Code"] == code
        assert name == "head_object" or f"{FOREIGN_WORDS} {BUCKET}/{KEY}" in str(refused.value)
    for code, ask in (("ThrottlingException", lambda: line.client("ssm").get_parameter(Name="/p")),
                      ("TooManyRequests", lambda: line.client("sesv2").send_email(Content={}))):  # fmt: skip
        with pytest.raises(ClientError, match=code):
            ask()
    assert line.carried_out == []


@pytest.mark.parametrize(("fault", "times"), [(Hang(), 0), (Late(), 1)], ids=str)
def test_client_times_out_when_the_proxy_signals_it(
    line: Line, moto: MotoProcess, monkeypatch: pytest.MonkeyPatch, fault: Fault, times: int
) -> None:
    monkeypatch.setattr(HTTPConnection, "getresponse", in_time)
    line.faults = {"PutObject": fault}
    with pytest.raises(ReadTimeoutError):
        line.client("s3").put_object(Bucket=BUCKET, Key="time-limit", Body=b"x")
    assert line.carried_out == [("PutObject", 200)] * times


@pytest.mark.parametrize(
    ("fault", "error", "times"),
    [
        (Hang(30), ReadTimeoutError, 0),
        (CutBefore(), ConnectionClosedError, 0),
        (CutAfter(), ConnectionClosedError, 1),
        (BreakBody(), ConnectionClosedError, 1),
        (Late(30), ReadTimeoutError, 1),
        (Late(0.2), None, 1),
        (Twice(), None, 2),
    ],
    ids=str,
)
def test_faults_of_a_write(
    line: Line, moto: MotoProcess, fault: Fault, error: type[Exception] | None, times: int
) -> None:
    key = f"w-{time.monotonic_ns()}"
    line.faults = {"PutObject": fault}
    with pytest.raises(error) if error else nullcontext():
        line.client("s3", read_timeout=2).put_object(Bucket=BUCKET, Key=key, Body=b"x" * 1000)
    assert line.carried_out == [("PutObject", 200)] * times
    listed = moto.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=key).get("Contents", [])
    assert len(listed) == min(times, 1)
    line.client("s3").head_bucket(Bucket=BUCKET)  # the next request passes


def test_body_breaks_half_way(line: Line, moto: MotoProcess) -> None:
    call(moto.client("s3"), "put_object", Body=b"x" * 100_000)
    line.faults = {"GetObject": BreakBody()}
    body = call(line.client("s3"), "get_object")["Body"]
    with pytest.raises(Exception, match=r"IncompleteRead|Connection broken"):
        body.read()


def test_chunked_body_and_expect_100(line: Line, moto: MotoProcess) -> None:
    host, _, port = line.endpoint_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"PUT /{BUCKET}/chunked HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n"
            "Authorization: AWS4-HMAC-SHA256 Credential=x/20260101/eu-north-1/s3/aws4_request, a\r\n\r\n".encode()
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        assert b" 200 " in connection.recv(1000)
    stored = moto.client("s3").get_object(Bucket=BUCKET, Key="chunked")["Body"].read()
    assert stored == line.seen[0].body == b"hello world"


def test_output_buckets_behave_as_in_s3(line: Line, moto: MotoProcess, outputs: Any) -> None:
    s3, source = line.client("s3"), {"Bucket": BUCKET, "Key": "source"}
    etag = s3.put_object(**source, Body=b"source")["ETag"]

    def refused(status: int, name: str, **members: Any) -> None:
        with pytest.raises(ClientError) as exc:
            getattr(s3, name)(Bucket="out", Key="o", **members)
        assert exc.value.response["ResponseMetadata"]["HTTPStatusCode"] == status

    refused(403, "put_object", Body=b"")
    refused(403, "copy_object", CopySource=source)
    refused(412, "copy_object", CopySource=source, CopySourceIfMatch='"other"', **IF_NEW)
    s3.copy_object(Bucket="out", Key="o", CopySource=source, CopySourceIfMatch=etag, **IF_NEW)
    refused(412, "copy_object", CopySource=source, CopySourceIfMatch=etag, **IF_NEW)
    refused(412, "put_object", Body=b"", **IF_NEW)
    line.faults = {"PutObject": Twice()}
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="out", Key="twice", Body=b"", **IF_NEW)
    assert outputs.get_object(Bucket="out", Key="twice")["Body"].read() == b""


@pytest.mark.parametrize("operation", ["put_object", "copy_object"])
def test_one_of_several_concurrent_writes_wins(line: Line, moto: MotoProcess, outputs: Any, operation: str) -> None:
    s3, source = line.client("s3"), {"Bucket": BUCKET, "Key": "source"}
    s3.put_object(**source, Body=b"source")
    line.before = Barrier(4)
    members = {"CopySource": source} if operation == "copy_object" else {"Body": b"x"}

    def write(_: int) -> bool:
        try:
            getattr(s3, operation)(Bucket="out", Key="raced", **members, **IF_NEW)
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(4) as workers:
        assert sorted(workers.map(write, range(4))) == [False, False, False, True]
