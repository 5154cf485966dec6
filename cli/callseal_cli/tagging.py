"""Tag the objects of the SFTP bucket that were written before each write had a tag, so that they expire."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from callseal.core.stored import EXPIRES
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

TAG = {"Key": EXPIRES, "Value": "files"}
AT_ONCE = 16


def tag_earlier(stack: Stack, screen: Screen) -> dict[str, int]:
    """Tag each object without an expiry as a delivered file. Return how many there are, and how many were tagged."""
    bucket = stack.output("SftpBucketName")
    pages = stack.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    counts = {"files": 0, "tagged": 0}
    with screen.progress("Files seen") as tick, ThreadPoolExecutor(AT_ONCE) as pool:
        for page in pages:
            keys = [item["Key"] for item in page.get("Contents", [])]
            counts["files"] += len(keys)
            counts["tagged"] += sum(pool.map(lambda key: _tag(stack.s3, bucket, key), keys))
            tick(len(keys))
    return counts


def _tag(s3: Any, bucket: str, key: str) -> bool:
    """Tag an object if it has no expiry yet, and keep its other tags. Return whether it was tagged."""
    try:
        tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        if any(tag["Key"] == EXPIRES for tag in tags):
            return False
        s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [*tags, TAG]})
    except ClientError as exc:
        if exc.response.get("Error", {}).get("Code") == "NoSuchKey":
            return False  # the tenant has deleted it meanwhile
        raise
    return True
