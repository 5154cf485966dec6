"""Leave of the AWS SDK's service models what the functions call: reading the whole ones is a third of a cold start.

botocore builds its clients from JSON models at run time, and parses a service's whole model (S3's and SSM's have over a
hundred operations each) to call a few of its operations. What is left out is gone for good in the layer: a call of any
other operation fails with AttributeError, in the tests of the build output as in AWS.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# By service, each operation that the functions call. A test holds this list against what they are seen to call.
OPERATIONS: dict[str, frozenset[str]] = {
    "dynamodb": frozenset({"BatchGetItem", "GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"}),
    "events": frozenset({"PutEvents"}),
    "kms": frozenset({"GenerateMac"}),
    "lambda": frozenset({"Invoke"}),
    "logs": frozenset({"FilterLogEvents"}),
    "s3": frozenset(
        {
            "AbortMultipartUpload",
            "CompleteMultipartUpload",
            "CopyObject",
            "CreateMultipartUpload",
            "DeleteObject",
            "DeleteObjects",
            "GetObject",
            "GetObjectTagging",
            # botocore asks it where a bucket is, if a HEAD of an object answers 400.
            "HeadBucket",
            "HeadObject",
            "ListObjectVersions",
            "ListObjectsV2",
            "PutObject",
            "PutObjectRetention",
            "PutObjectTagging",
            "UploadPart",
            "UploadPartCopy",
        }
    ),
    "secretsmanager": frozenset({"DescribeSecret", "GetSecretValue", "ListSecrets"}),
    "sesv2": frozenset({"SendEmail"}),
    "sqs": frozenset({"ChangeMessageVisibility", "GetQueueAttributes", "SendMessage"}),
    "ssm": frozenset({"GetParameter", "GetParameters"}),
}
MODEL = "service-2.json"
UNUSED = ("examples-", "waiters-")


def trim(data: Path) -> None:
    """Trim botocore's data folder in place. Raise KeyError if a service does not have an operation."""
    for folder in [entry for entry in data.iterdir() if entry.is_dir()]:
        if folder.name in OPERATIONS:
            _trim_service(folder, OPERATIONS[folder.name])
        else:
            shutil.rmtree(folder)
    endpoints = json.loads((data / "endpoints.json").read_bytes())
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in sorted(OPERATIONS.keys() & services.keys())}
    _write(data / "endpoints.json", endpoints)


def _trim_service(folder: Path, operations: frozenset[str]) -> None:
    *old, newest = sorted(folder.iterdir())  # by API version, a date
    for version in old:
        shutil.rmtree(version)
    for file in list(newest.iterdir()):
        if file.name.startswith(UNUSED):
            file.unlink()
        elif file.name.startswith(MODEL):
            _write(file, trimmed(json.loads(_read(file)), operations))
        elif file.suffix == ".gz":
            _write(file, json.loads(_read(file)))


def trimmed(model: dict[str, Any], operations: frozenset[str]) -> dict[str, Any]:
    """Return a service's model with only these operations and the shapes that they use, without documentation."""
    kept = {name: model["operations"][name] for name in sorted(operations)}
    reached: set[str] = set()
    pending = list(_shapes_named_in(kept))
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += _shapes_named_in(model["shapes"][name])
    shapes = {name: shape for name, shape in model["shapes"].items() if name in reached}
    return model | {"operations": _without_documentation(kept), "shapes": _without_documentation(shapes)}


def _shapes_named_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "shape" and isinstance(value, str):
                yield value
            else:
                yield from _shapes_named_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from _shapes_named_in(value)


def _without_documentation(node: Any) -> Any:
    if isinstance(node, dict):
        kept = {name: value for name, value in node.items() if not (name == "documentation" and isinstance(value, str))}
        return {name: _without_documentation(value) for name, value in kept.items()}
    return [_without_documentation(value) for value in node] if isinstance(node, list) else node


def _read(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def _write(file: Path, content: dict[str, Any]) -> None:
    """Write a file uncompressed: it is small, and a cold start waits for reading it."""
    file.unlink()
    file.with_suffix("" if file.suffix == ".gz" else file.suffix).write_text(json.dumps(content, separators=(",", ":")))
