"""Repairs of moto: the rules of S3 Object Lock that it lacks or applies wrongly.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html and the S3 API reference. The tests in
tests/e2e/localcloud/test_moto_lock.py state each rule with its source.
"""

import functools
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.s3.exceptions import (
    AccessDeniedByLock,
    InvalidBucketState,
    LockNotEnabled,
    MalformedXML,
    MethodNotAllowed,
    MissingKey,
    MissingVersion,
    PreconditionFailed,
)
from moto.s3.models import FakeDeleteMarker, S3Backend
from moto.s3.responses import S3Response
from werkzeug.datastructures import Headers

from localcloud.moto_lock_rules import (
    BYPASS,
    HOLD,
    HOLDS,
    MODE,
    UNTIL,
    check_headers,
    is_weaker,
    moment,
    no_lock,
    now,
    read_document,
    read_retention,
)

# The attribute of a multipart upload that holds the lock it was created with.
_LOCK = "callseal_lock"


class _LockedKey(str):
    """The key of a version that could not be deleted, with the version's id."""

    __slots__ = ("version",)
    version: str | None


def repair_object_lock() -> None:
    """Make moto apply the rules of Object Lock. A second call changes nothing."""
    if hasattr(S3Response._key_response_put, "__wrapped__"):
        return
    for repair in (_repair_writes, _repair_multiparts, _repair_versions, _repair_deletes, _repair_buckets):
        repair()


def _repair_writes() -> None:
    """Check lock headers, let copies have a lock and a condition, and apply the default retention under a hold, too."""
    put = S3Response._key_response_put

    @functools.wraps(put)
    def checked_put(self: Any, query: dict[str, Any], key_name: str) -> Any:
        check_headers(self.headers)
        if "x-amz-copy-source" in self.headers:
            if self.headers.get("If-None-Match") == "*" and self.backend.get_object(self.bucket_name, key_name):
                raise PreconditionFailed("If-None-Match")
            # A copy has no body, and so no checksum of one. moto asks for it.
            self.headers = Headers([*self.headers.items(), ("Content-Md5", "none")])
        return put(self, query, key_name)

    def lock_details(self: Any, bucket: Any, lock_enabled: bool) -> tuple[str | None, str | None, str | None]:
        mode, until = self.headers.get(MODE), self.headers.get(UNTIL)
        if not mode and lock_enabled and bucket.has_default_lock:
            mode, until = bucket.default_lock_mode, bucket.default_retention()
        return self.headers.get(HOLD), mode, until

    S3Response._key_response_put = checked_put  # type: ignore[method-assign]
    S3Response._get_lock_details = lock_details  # type: ignore[method-assign]


def _repair_multiparts() -> None:
    """Let a multipart upload create its object with the lock that it was created with."""
    post, complete = S3Response._key_response_post, S3Backend.complete_multipart_upload

    @functools.wraps(post)
    def locking_post(self: Any, request: Any, body: bytes, bucket_name: str, query: Any, key_name: str) -> Any:
        if "uploads" not in query:
            return post(self, request, body, bucket_name, query, key_name)
        check_headers(self.headers)
        bucket = self.backend.get_bucket(bucket_name)
        lock = self._get_lock_details(bucket, bucket.object_lock_enabled)
        if any(lock) and not bucket.object_lock_enabled:
            raise LockNotEnabled
        before = set(bucket.multiparts)
        answer = post(self, request, body, bucket_name, query, key_name)
        for upload in set(bucket.multiparts) - before:
            setattr(bucket.multiparts[upload], _LOCK, lock)
        return answer

    @functools.wraps(complete)
    def locked(self: Any, bucket_name: str, multipart_id: str, body: Any) -> Any:
        upload = self.get_bucket(bucket_name).multiparts.get(multipart_id)
        key = complete(self, bucket_name, multipart_id, body)
        if key is not None:
            key.lock_legal_status, key.lock_mode, key.lock_until = getattr(upload, _LOCK, (None, None, None))
        return key

    S3Response._key_response_post = locking_post  # type: ignore[method-assign]
    S3Backend.complete_multipart_upload = locked  # type: ignore[method-assign]


def _repair_versions() -> None:
    """Check and answer the requests for the retention and the hold of one version."""
    get = S3Response._key_response_get

    @functools.wraps(get)
    def get_retention_too(self: Any, query: dict[str, Any], key_name: str) -> Any:
        if "retention" in query:
            return _get_retention(self)
        if "legal-hold" in query and _version(self).lock_legal_status is None:
            raise no_lock()
        return get(self, query, key_name)

    def put_retention(self: Any) -> Any:
        key, (mode, until) = _version(self), read_retention(self.body)
        if now() < moment(key.lock_until) and is_weaker(key, mode, until):
            bypass = self.headers.get(BYPASS, "").lower() == "true"
            if key.lock_mode == "COMPLIANCE" or not bypass:
                raise AccessDeniedByLock
        key.lock_mode, key.lock_until = mode, until
        return 200, self._get_cors_headers_other(), ""

    def put_legal_hold(self: Any) -> Any:
        key, status = _version(self), read_document(self.body, "LegalHold").get("Status")
        if status not in HOLDS:
            raise MalformedXML
        key.lock_legal_status = status
        return 200, self._get_cors_headers_other(), ""

    S3Response._key_response_get = get_retention_too  # type: ignore[method-assign]
    S3Response.put_object_retention = put_retention  # type: ignore[method-assign]
    S3Response.put_object_legal_hold = put_legal_hold  # type: ignore[method-assign]


def _repair_deletes() -> None:
    """Heed the value of the bypass header, and name the version of each locked object in a batch's errors."""
    delete, batch = S3Backend.delete_object, S3Response._bucket_response_delete_keys

    @functools.wraps(delete)
    def heeding_delete(
        self: Any, bucket_name: str, key_name: str, version_id: str | None = None, bypass: Any = False
    ) -> Any:
        return delete(self, bucket_name, key_name, version_id, bypass=str(bypass).lower() == "true")

    def delete_objects(self: Any, bucket_name: str, objects: list[Any], bypass_retention: bool = False) -> Any:
        deleted, errors = [], []
        for each in objects:
            key, version = each["Key"], each.get("VersionId")
            try:
                _, headers = self.delete_object(bucket_name, key, version_id=version, bypass=bypass_retention)
                deleted.append((key, version, None if version else headers.get("version-id")))
            except AccessDeniedByLock:
                locked = _LockedKey(key)
                locked.version = version
                errors.append(locked)
        return deleted, errors

    @functools.wraps(batch)
    def naming_batch(self: Any, bucket_name: str, authenticated: bool = True) -> Any:
        self.serialized = _with_versions(self.serialized)
        return batch(self, bucket_name, authenticated)

    S3Backend.delete_object = heeding_delete  # type: ignore[method-assign]
    S3Backend.delete_objects = delete_objects  # type: ignore[method-assign]
    S3Response._bucket_response_delete_keys = naming_batch  # type: ignore[method-assign]


def _repair_buckets() -> None:
    """Let a bucket with objects change its default retention, and keep a locked bucket's versioning on."""
    version = S3Backend.put_bucket_versioning

    @functools.wraps(version)
    def kept_versioning(self: Any, bucket_name: str, status: str) -> None:
        if self.get_bucket(bucket_name).object_lock_enabled and status != "Enabled":
            raise InvalidBucketState(
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
            )
        version(self, bucket_name, status)

    def configure(
        self: Any,
        bucket_name: str,
        lock_enabled: bool,
        mode: str | None = None,
        days: int | None = None,
        years: int | None = None,
    ) -> None:
        bucket = self.get_bucket(bucket_name)
        if not bucket.is_versioned:
            raise InvalidBucketState("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
        bucket.object_lock_enabled = bucket.object_lock_enabled or lock_enabled
        bucket.default_lock_mode, bucket.default_lock_days, bucket.default_lock_years = mode, days, years

    S3Backend.put_bucket_versioning = kept_versioning  # type: ignore[method-assign]
    S3Backend.put_object_lock_configuration = configure  # type: ignore[method-assign]


def _get_retention(response: Any) -> Any:
    key = _version(response)
    if not key.lock_mode:
        raise no_lock()
    response.data["Action"] = "GetObjectRetention"
    retention = {"Mode": key.lock_mode, "RetainUntilDate": moment(key.lock_until).replace(tzinfo=None)}
    return response.serialized(ActionResult({"Retention": retention}))


def _version(response: Any) -> Any:
    """Return the version that a request names, or the current one, of a bucket with Object Lock."""
    bucket, version = response.backend.get_bucket(response.bucket_name), response._get_param("versionId")
    if not bucket.object_lock_enabled:
        raise LockNotEnabled
    key_name = response.parse_key_name()
    key = response.backend.get_object(response.bucket_name, key_name, version_id=version, return_delete_marker=True)
    if isinstance(key, FakeDeleteMarker):
        raise MethodNotAllowed if version else MissingKey(key=key_name)
    if key is None:
        raise MissingVersion(key_name, version) if version else MissingKey(key=key_name)
    return key


def _with_versions(serialized: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def named(answer: Any) -> Any:
        for error in answer.result.get("Errors", []):
            if isinstance(error["Key"], _LockedKey) and error["Key"].version:
                error["VersionId"] = error["Key"].version
        return serialized(answer)

    return named
