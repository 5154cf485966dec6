"""From an outgoing request to the permissions that it needs: real requests of the SDK, which are never sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from boto3.session import Session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from tests.template.permissions import calls
from tests.template.permissions.needs import Place, needs_of

KEY = "arn:aws:kms:eu-north-1:123456789012:key/1"
PLACE = Place("eu-north-1", "123456789012", {"landing": KEY, "sftp": KEY})
HERE = "eu-north-1:123456789012"
READ_KEY, WRITE_KEY = f"kms:Decrypt {KEY}", f"kms:GenerateDataKey {KEY}"
LISTING, LANDED, OUTPUT = "s3:ListBucket landing", "landing/acme/a b.wav", "sftp/acme/a b.wav"
TO: dict[str, Any] = {"Bucket": "sftp", "Key": "acme/a b.wav"}
LAND: dict[str, Any] = {"Bucket": "landing", "Key": "acme/a b.wav"}
FROM: dict[str, Any] = {"CopySource": LAND}
PART: dict[str, Any] = TO | {"UploadId": "u", "PartNumber": 1}
QUEUE: dict[str, Any] = {"QueueUrl": "https://sqs.eu-north-1.amazonaws.com/123456789012/encrypt"}
EXPECTED: list[tuple[str, str, dict[str, Any], set[str]]] = [
    ("s3", "head_object", LAND, {f"s3:GetObject {LANDED}", LISTING}),
    ("s3", "head_object", LAND | {"ChecksumMode": "ENABLED"}, {f"s3:GetObject {LANDED}", LISTING, READ_KEY}),
    ("s3", "get_object", LAND, {f"s3:GetObject {LANDED}", LISTING, READ_KEY}),
    ("s3", "get_object", LAND | {"VersionId": "v"}, {f"s3:GetObjectVersion {LANDED}", LISTING, READ_KEY}),
    ("s3", "put_object", TO | {"Body": b"x"}, {f"s3:PutObject {OUTPUT}", WRITE_KEY}),
    ("s3", "put_object", TO | {"Tagging": "a=b"},
     {f"s3:PutObject {OUTPUT}", f"s3:PutObjectTagging {OUTPUT}", WRITE_KEY}),
    ("s3", "put_object", {"Bucket": "plain", "Key": "k"}, {"s3:PutObject plain/k"}),
    ("s3", "copy_object", TO | FROM,
     {f"s3:PutObject {OUTPUT}", f"s3:GetObject {LANDED}", LISTING, READ_KEY, WRITE_KEY}),
    ("s3", "copy_object", TO | {"CopySource": LAND | {"VersionId": "v"}},
     {f"s3:PutObject {OUTPUT}", f"s3:GetObjectVersion {LANDED}", LISTING, READ_KEY, WRITE_KEY}),
    ("s3", "create_multipart_upload", TO, {f"s3:PutObject {OUTPUT}", READ_KEY, WRITE_KEY}),
    ("s3", "upload_part", PART | {"Body": b"x"}, {f"s3:PutObject {OUTPUT}", READ_KEY}),
    ("s3", "upload_part_copy", PART | FROM, {f"s3:PutObject {OUTPUT}", f"s3:GetObject {LANDED}", LISTING, READ_KEY}),
    ("s3", "complete_multipart_upload", TO | {"UploadId": "u", "MultipartUpload": {"Parts": []}},
     {f"s3:PutObject {OUTPUT}", READ_KEY}),
    ("s3", "abort_multipart_upload", TO | {"UploadId": "u"}, {f"s3:AbortMultipartUpload {OUTPUT}"}),
    ("s3", "delete_object", LAND, {f"s3:DeleteObject {LANDED}"}),
    ("s3", "delete_object", LAND | {"IfMatch": "*"}, {f"s3:DeleteObject {LANDED}"}),
    ("s3", "delete_object", LAND | {"IfMatch": '"e"'}, {f"s3:DeleteObject {LANDED}", f"s3:GetObject {LANDED}"}),
    ("s3", "delete_object", LAND | {"VersionId": "v"}, {f"s3:DeleteObjectVersion {LANDED}"}),
    ("s3", "delete_objects",
     {"Bucket": "landing", "Delete": {"Objects": [{"Key": "å&/1.wav", "ETag": "e"}, {"Key": "2", "VersionId": "v"}]}},
     {"s3:DeleteObject landing/å&/1.wav", "s3:GetObject landing/å&/1.wav", "s3:DeleteObjectVersion landing/2"}),
    ("s3", "get_object_tagging", LAND, {f"s3:GetObjectTagging {LANDED}"}),
    ("s3", "put_object_tagging", LAND | {"Tagging": {"TagSet": []}}, {f"s3:PutObjectTagging {LANDED}"}),
    ("s3", "put_object_tagging", LAND | {"Tagging": {"TagSet": []}, "VersionId": "v"},
     {f"s3:PutObjectVersionTagging {LANDED}"}),
    ("s3", "list_objects_v2", {"Bucket": "landing", "Prefix": "acme/"}, {LISTING}),
    ("sqs", "send_message", QUEUE | {"MessageBody": "x"}, {f"sqs:SendMessage arn:aws:sqs:{HERE}:encrypt"}),
    ("sqs", "send_message_batch", QUEUE | {"Entries": []}, {f"sqs:SendMessage arn:aws:sqs:{HERE}:encrypt"}),
    ("sqs", "change_message_visibility", QUEUE | {"ReceiptHandle": "h", "VisibilityTimeout": 5},
     {f"sqs:ChangeMessageVisibility arn:aws:sqs:{HERE}:encrypt"}),
    ("sqs", "get_queue_attributes", QUEUE, {f"sqs:GetQueueAttributes arn:aws:sqs:{HERE}:encrypt"}),
    ("secretsmanager", "get_secret_value", {"SecretId": "s/tenants/a/public-key"},
     {f"secretsmanager:GetSecretValue arn:aws:secretsmanager:{HERE}:secret:s/tenants/a/public-key-AbC12x",
      f"secretsmanager:GetSecretValue arn:aws:secretsmanager:{HERE}:secret:s/tenants/a/public-key"}),
    ("lambda", "invoke", {"FunctionName": "s-check-keys", "InvocationType": "Event", "Payload": b"{}"},
     {f"lambda:InvokeFunction arn:aws:lambda:{HERE}:function:s-check-keys"}),
    ("ssm", "get_parameter", {"Name": "/s/x"}, {f"ssm:GetParameter arn:aws:ssm:{HERE}:parameter/s/x"}),
    ("ssm", "get_parameters", {"Names": ["/s/x", "/s/y"]},
     {f"ssm:GetParameters arn:aws:ssm:{HERE}:parameter/s/x", f"ssm:GetParameters arn:aws:ssm:{HERE}:parameter/s/y"}),
    ("ssm", "put_parameter", {"Name": "/s/x", "Value": "v"}, {f"ssm:PutParameter arn:aws:ssm:{HERE}:parameter/s/x"}),
    ("dynamodb", "batch_get_item", {"RequestItems": {"files": {"Keys": [{"tenant": {"S": "a"}, "key": {"S": "k"}}]}}},
     {f"dynamodb:BatchGetItem arn:aws:dynamodb:{HERE}:table/files"}),
    ("events", "put_events", {"Entries": [{"EventBusName": "audit", "Source": "callseal", "Detail": "{}"}]},
     {f"events:PutEvents arn:aws:events:{HERE}:event-bus/audit"}),
]  # fmt: skip

Ask = Callable[[str, str, dict[str, Any]], set[calls.Call]]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Return a function that makes a request with the SDK and returns the recorded calls."""
    session = Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="eu-north-1")
    before = set(calls.NOTED)

    def send(request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
        _, service, operation = event_name.split(".")
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        body = request.body if isinstance(request.body, bytes) else b""
        calls.note("sweep_landing", service, operation, str(request.url), headers, body)
        raise InterruptedError

    def asking(service: str, method: str, parameters: dict[str, Any]) -> set[calls.Call]:
        calls.NOTED.clear()
        with pytest.raises(InterruptedError):
            getattr(session.client(service), method)(**parameters)
        return set(calls.NOTED)

    session.events.register("before-send", send)
    yield asking
    calls.NOTED.clear()
    calls.NOTED.update(before)


@pytest.mark.parametrize(("service", "method", "parameters", "expected"), EXPECTED, ids=[one[1] for one in EXPECTED])
def test_a_request_needs(ask: Ask, service: str, method: str, parameters: dict[str, Any], expected: set[str]) -> None:
    needs = {need for call in ask(service, method, parameters) for need in needs_of(call, PLACE)}
    assert {f"{need.action} {need.resource.removeprefix('arn:aws:s3:::')}" for need in needs} == expected


def test_key_of_a_bucket_is_used_through_s3(ask: Ask) -> None:
    (call,) = ask("s3", "get_object", LAND)
    (need,) = (need for need in needs_of(call, PLACE) if need.action == "kms:Decrypt")
    assert need.context == {
        ("kms:viaservice", "s3.eu-north-1.amazonaws.com"),
        ("kms:encryptioncontext:aws:s3:arn", "arn:aws:s3:::landing"),
    }


def test_a_batch_of_events_needs_each_of_its_sources(ask: Ask) -> None:
    entries = [{"EventBusName": "audit", "Source": source, "Detail": "{}"} for source in ("a", "b", "a")]
    needs = [need for call in ask("events", "put_events", {"Entries": entries}) for need in needs_of(call, PLACE)]
    assert sorted(dict(need.context)["events:source"] for need in needs) == ["a", "b"]


def test_request_with_two_event_types_is_not_allowed(ask: Ask) -> None:
    """The condition key has one value.

    AWS does not document which of two types it has, so the request is not allowed.
    """
    entries = [{"EventBusName": "audit", "Source": "a", "DetailType": kind, "Detail": "{}"} for kind in ("Y", "X", "Y")]
    (call,) = ask("events", "put_events", {"Entries": entries})
    (need,) = needs_of(call, PLACE)
    assert dict(need.context)["events:detail-type"] == "X and Y"


@pytest.mark.parametrize(
    ("service", "operation"), [("s3", "PutObjectAcl"), ("ssm", "DeleteParameter"), ("kms", "CreateGrant")]
)
def test_unlisted_operation_is_an_error(service: str, operation: str) -> None:
    with pytest.raises(LookupError, match=f"{service}.{operation}"):
        needs_of(calls.call("sweep_landing", service, operation, bucket="landing", key="k", name="n"), PLACE)


def test_calls_survive_the_transfer_from_a_worker() -> None:
    noted = {
        calls.call("sweep_landing", "s3", "HeadObject", bucket="landing", key="acme/\ud800\u2028å.wav"),
        calls.call("encrypt_recording", "ssm", "GetParameter", name="/s/x"),
    }
    assert calls.loads(calls.dumps(noted)) == noted
