"""A search of everything that a stack keeps, for a caller's calls. It uses nothing of the product.

It reads the items of all tables, all buckets with all versions and delete markers, their metadata and tags, all logs,
mails and queues, parameters and secrets, and every file in the state folder.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Protocol

_HASH = re.compile(rb"[0-9a-fA-F]{64}")
_HASH64 = re.compile(rb"[A-Za-z0-9+/]{43}=")


class Cloud(Protocol):
    """What is searched: a local cloud, or a stack in this process. `outputs` may have the buckets' names."""

    @property
    def stack_name(self) -> str: ...
    @property
    def outputs(self) -> dict[str, str]: ...
    @property
    def state_dir(self) -> Path: ...
    def client(self, service: str) -> Any: ...


class Hit(NamedTuple):
    """What was found (`number`, `recording`, `sha256` or `name`), in which place, and in which item."""

    what: str
    place: str
    name: str


@dataclass
class Wanted:
    """What is searched for: a number by its national digits, a text of all recordings, hashes of files, and names.

    `names` are names and ids of calls. `hashes` are SHA-256 in hex.
    """

    digits: str
    spoken: bytes
    hashes: set[str] = field(default_factory=set)
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Prepare the forms: a number with any separators, and both in hex and in base64."""
        spelled = rb"[\s().\-_/]{0,3}".join(digit.encode() for digit in self.digits)
        self._number = re.compile(b"|".join([spelled, *map(re.escape, _coded(self.digits.encode()))]))
        self._recording = re.compile(b"|".join(map(re.escape, [self.spoken, *_coded(self.spoken)])))

    def learn(self, data: bytes) -> None:
        """Search for a file by its SHA-256."""
        self.hashes.add(sha256(data).hexdigest())

    def find(self, data: bytes) -> Iterator[str]:
        """Yield what is in some data."""
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        if self._number.search(data):
            yield "number"
        if self._recording.search(data):
            yield "recording"
        found = {each.decode().lower() for each in _HASH.findall(data)}
        found |= {base64.b64decode(each).hex() for each in _HASH64.findall(data)}
        if found & self.hashes:
            yield "sha256"
        if any(name.encode() in data for name in self.names):
            yield "name"


def search(cloud: Cloud, wanted: Wanted) -> set[Hit]:
    """Return what a cloud has of what is wanted."""
    return {Hit(what, place, name) for place, name, data in everything(cloud) for what in wanted.find(data)}


def everything(cloud: Cloud) -> Iterator[tuple[str, str, bytes]]:
    """Yield all that a cloud keeps: the place, the name in it, and the content."""
    for reader in (_tables, _buckets, _logs, _queues, _configuration):
        yield from reader(cloud)
    for path in cloud.state_dir.rglob("*"):
        if path.is_file():
            yield f"folder {path.relative_to(cloud.state_dir).parent}", path.name, path.read_bytes()


def objects(cloud: Cloud, output: str) -> dict[tuple[str, str], Any]:
    """Return the content, headers and tags of all versions in a bucket by key and version. A marker has None.

    `output` is the name of the bucket, or of the output that has it.
    """
    s3, bucket = cloud.client("s3"), cloud.outputs.get(output, output)
    found = dict[tuple[str, str], Any]()
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found |= {(each["Key"], each["VersionId"]): None for each in page.get("DeleteMarkers", [])}
        for each in page.get("Versions", []):
            address = {"Bucket": bucket, "Key": each["Key"], "VersionId": each["VersionId"]}
            answer = s3.get_object(**address)
            headers = {
                name: value for name, value in answer.items() if name not in ("Body", "ResponseMetadata", "Expires")
            }
            tags = s3.get_object_tagging(**address)["TagSet"]
            found[each["Key"], each["VersionId"]] = answer["Body"].read(), headers, tags
    return found


def items(cloud: Cloud, table: str) -> list[dict[str, Any]]:
    """Return all items of a table."""
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def _tables(cloud: Cloud) -> Iterator[tuple[str, str, bytes]]:
    for table in cloud.client("dynamodb").list_tables()["TableNames"]:
        for item in items(cloud, table):
            keys = [name for name in ("id", "key", "place") if name in item][:1]
            name = " ".join(str(next(iter(item[key].values()))) for key in ("tenant", *keys) if key in item)
            yield f"table {table.removeprefix(cloud.stack_name + '-')}", name, _json(item)


def _buckets(cloud: Cloud) -> Iterator[tuple[str, str, bytes]]:
    s3 = cloud.client("s3")
    for bucket in (each["Name"] for each in s3.list_buckets()["Buckets"]):
        place = f"bucket {bucket.removeprefix(cloud.stack_name + '-').partition('-')[0]}"
        for (key, version), content in objects(cloud, bucket).items():
            data, *rest = content or (b"",)
            yield place, key, data
            yield place, key, _json([key, version, rest])
        yield place, "uploads", _json(s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def _logs(cloud: Cloud) -> Iterator[tuple[str, str, bytes]]:
    logs = cloud.client("logs")
    for group in (each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]):
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            for event in page["events"]:
                name = json.loads(event["message"]).get("detail-type", "") if event["message"][:1] == "{" else ""
                yield f"log {group.rpartition('/')[2]}", name, event["message"].encode()


def _queues(cloud: Cloud) -> Iterator[tuple[str, str, bytes]]:
    sqs = cloud.client("sqs")
    for url in sqs.list_queues().get("QueueUrls", []):
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
        assert len(found) < 10, f"{url} has more messages than one request shows"
        for message in found:
            yield f"queue {url.rpartition('/')[2]}", message["MessageId"], _json(message)


def _configuration(cloud: Cloud) -> Iterator[tuple[str, str, bytes]]:
    for page in cloud.client("ssm").get_paginator("get_parameters_by_path").paginate(Path="/", Recursive=True):
        for each in page["Parameters"]:
            yield "parameters", each["Name"], _json(each)
    secrets = cloud.client("secretsmanager")
    for each in secrets.list_secrets()["SecretList"]:
        yield "secrets", each["Name"], secrets.get_secret_value(SecretId=each["ARN"])["SecretString"].encode()


def _json(value: Any) -> bytes:
    return json.dumps(value, default=str, ensure_ascii=False).encode()


def _coded(data: bytes) -> Iterator[bytes]:
    """Yield bytes in hex, and in base64 at each offset without the characters that depend on their neighbours."""
    yield data.hex().encode()
    yield data.hex().upper().encode()
    for pad in range(3):
        text = base64.b64encode(b"\0" * pad + data).rstrip(b"=")
        yield text[-(-pad * 4 // 3) : -1]
