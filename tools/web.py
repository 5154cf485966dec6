"""`make web`: upload the archive's page, and have CloudFront forget the old one. `make deploy` calls it at its end.

The files are compared by their ETags, which are MD5 sums in a bucket with SSE-S3, so a run without changes uploads
nothing. index.html is the last one, when everything that it names is there; what the page no longer has goes after it.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from build import BuildError, settings, tables_of

from localcloud.http.pages import CACHE_CONTROL, CONTENT_TYPES

WEB = Path("web")
_INDEX = "index.html"
# For readers of the repository.
_NOT_SERVED = {"LICENSE", "README.md"}


class WebError(Exception):
    """The page cannot be uploaded. The message says why and what to do."""


def files_of(folder: Path) -> dict[str, Path]:
    """Return the page's files by their keys, index.html at the end. Raise WebError."""
    found = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in _NOT_SERVED
    }
    unknown = [key for key, path in found.items() if path.suffix not in CONTENT_TYPES]
    if unknown:
        raise WebError(f"{folder}/{unknown[0]} has no content type. Add its suffix in localcloud/http/pages.py.")
    if _INDEX not in found:
        raise WebError(f"{folder} has no {_INDEX}. Run this in the repository's root.")
    return {key: found[key] for key in sorted(found, key=lambda key: key == _INDEX)}


def upload(s3: Any, bucket: str, files: Mapping[str, Path]) -> list[str]:
    """Make the bucket have exactly these files, and return the keys that were written or deleted."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    there = {item["Key"]: item["ETag"].strip('"') for page in pages for item in page.get("Contents", [])}
    changed = []
    for key, path in files.items():
        content = path.read_bytes()
        if there.get(key) == hashlib.md5(content, usedforsecurity=False).hexdigest():
            continue
        headers = {"ContentType": CONTENT_TYPES[path.suffix], "CacheControl": CACHE_CONTROL}
        s3.put_object(Bucket=bucket, Key=key, Body=content, **headers)
        changed.append(key)
    for key in sorted(there.keys() - files.keys()):
        s3.delete_object(Bucket=bucket, Key=key)
        changed.append(key)
    return changed


def invalidate(cloudfront: Any, url: str) -> None:
    """Have the distribution of the archive's URL forget what it keeps. Raise WebError."""
    pages = cloudfront.get_paginator("list_distributions").paginate()
    distributions = [item for page in pages for item in page["DistributionList"].get("Items", [])]
    domain = url.removeprefix("https://")
    found = [item["Id"] for item in distributions if item["DomainName"] == domain]
    if not found:
        raise WebError(f"No distribution of this account has the domain name {domain} of the output ArchiveUrl.")
    batch = {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": str(uuid.uuid4())}
    cloudfront.create_invalidation(DistributionId=found[0], InvalidationBatch=batch)


def deploy_page(session: boto3.Session, stack_name: str, folder: Path) -> str:
    """Upload the page of a stack, and return a sentence about it. Raise WebError."""
    (stack,) = session.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    bucket = outputs.get("ArchiveWebBucketName")
    if not bucket:
        return f"{stack_name} has ArchiveFront=none, so there is no page to upload."
    changed = upload(session.client("s3"), bucket, files_of(folder))
    if changed:
        invalidate(session.client("cloudfront"), outputs["ArchiveUrl"])
    return f"The page of {outputs['ArchiveUrl']}: {len(changed)} files changed."


def main() -> int:
    """Run from the command line and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config-env", default="default", help="environment of samconfig.toml (default: %(default)s)")
    try:
        deployed = settings(tables_of(parser.parse_args().config_env), "deploy")
        session = boto3.Session(region_name=str(deployed["region"]))
        print(deploy_page(session, str(deployed["stack_name"]), WEB))
    except (BuildError, WebError, BotoCoreError, ClientError) as exc:
        print(f"make web: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
