"""Whether files of a call are still in the landing bucket, because they wait or are held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.calls.call_name import CallName, call_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class LandedFiles:
    """Looks for files in the landing bucket. Thread-safe."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        """Take the client and the bucket's name."""
        self._s3, self._bucket = s3, bucket

    def has_any(self, call: CallName) -> bool:
        """Return whether a file of a call is there. A listing by prefix also has files of calls with a longer name."""
        with calling("Looking for a call's landed files"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{call.tenant}/{call.name}."
            )
            return any(call_of(found["Key"]) == call for page in pages for found in page.get("Contents", []))
