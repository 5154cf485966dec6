"""Requests to S3 by their path and query: which permissions they need.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from localcloud.sftp.policy import Access

_OF_UPLOADS = {"uploads", "uploadId", "partNumber"}
_OF_LISTS = {"list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type",
             "fetch-owner", "marker"}  # fmt: skip
# The SDK's own notes beside an operation.
_HARMLESS = {"x-id"}


@dataclass(frozen=True)
class S3Request:
    """A request in the path style: its method, bucket and key (decoded once; "" for the bucket itself)."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    copy_source: str = ""

    @property
    def is_reading(self) -> bool:
        """Whether it reads an object's bytes."""
        return self.method == "GET" and bool(self.key)


def parse_request(method: str, target: str, headers: Mapping[str, str]) -> S3Request:
    """Read a request line's method and target."""
    address = urlsplit(target)
    bucket, _, key = address.path.removeprefix("/").partition("/")
    query = parse_qs(address.query, keep_blank_values=True)
    source = unquote(headers.get("x-amz-copy-source", "")).lstrip("/")
    return S3Request(method, unquote(bucket), unquote(key), query, source)


def accesses(request: S3Request) -> list[Access] | None:
    """List what a request needs; None where it is nothing that a session may ever do."""
    members = set(request.query) - _HARMLESS
    if any(segment in ("", ".", "..") for segment in request.key.rstrip("/").split("/") if request.key):
        return None  # no landing key has such a segment, so nothing stands there; a server in between might fold it
    return _of_object(request, members) if request.key else _of_bucket(request, members)


def _of_bucket(request: S3Request, members: set[str]) -> list[Access] | None:
    resource = f"arn:aws:s3:::{request.bucket}"
    if request.method == "GET" and members == {"location"}:
        return [Access("s3:GetBucketLocation", resource, {})]
    if request.method in ("GET", "HEAD") and members <= _OF_LISTS:
        return [Access("s3:ListBucket", resource, {"s3:prefix": "".join(request.query.get("prefix", []))})]
    return None


def _of_object(request: S3Request, members: set[str]) -> list[Access] | None:
    on = f"arn:aws:s3:::{request.bucket}/{request.key}"
    if request.method in ("GET", "HEAD") and not members:
        return [Access("s3:GetObject", on, {})]
    if request.method == "DELETE":
        return [Access("s3:AbortMultipartUpload" if members == {"uploadId"} else "s3:DeleteObject", on, {})]
    if request.method in ("PUT", "POST") and members <= _OF_UPLOADS:
        reading = [Access("s3:GetObject", f"arn:aws:s3:::{request.copy_source}", {})] if request.copy_source else []
        return [Access("s3:PutObject", on, {}), *reading]
    return None
