"""Attributes of objects and folders as SFTP has them, from S3's answers; pure functions."""

import stat
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from asyncssh import SFTPAttrs, SFTPName

from localcloud.sftp.paths import is_listable

FOLDER = SFTPAttrs(size=0, uid=0, gid=0, permissions=stat.S_IFDIR | 0o755, atime=0, mtime=0, nlink=1)


def object_attributes(size: int, modified: datetime) -> SFTPAttrs:
    """Return the attributes of an object; nothing but its size and time is its own."""
    seconds = int(modified.timestamp())
    return SFTPAttrs(size=size, uid=0, gid=0, permissions=stat.S_IFREG | 0o644, atime=seconds, mtime=seconds, nlink=1)


def page_names(page: Mapping[str, Any], prefix: str) -> Iterator[SFTPName]:
    """Yield the entries of a folder from a page of ListObjectsV2 with the delimiter "/"."""
    folders = ((item["Prefix"], FOLDER) for item in page.get("CommonPrefixes", []))
    contents = page.get("Contents", [])
    objects = ((item["Key"], object_attributes(item["Size"], item["LastModified"])) for item in contents)
    for key, attributes in (*folders, *objects):
        name = key.removeprefix(prefix).removesuffix("/")
        if is_listable(name):
            yield SFTPName(name.encode(), attrs=attributes)
