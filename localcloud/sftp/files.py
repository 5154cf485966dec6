"""The files of a session: the requests that asyncssh takes, answered from the session's bucket."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from functools import partial

import asyncssh
from asyncssh import FXF_APPEND, FXF_WRITE, SFTPAttrs, SFTPName, SFTPOpUnsupported

from localcloud.sftp.attributes import FOLDER, object_attributes, page_names
from localcloud.sftp.bucket import Bucket
from localcloud.sftp.object_reader import ObjectReader
from localcloud.sftp.paths import absolute, folder_prefix, object_key

_SEND_BUFFER_BYTES = 4 * 1024 * 1024
_PAUSE_SECONDS = 0.005


class Upload:
    """A file that a client writes from its first byte on; it becomes an object when the client closes it."""

    def __init__(self, key: str) -> None:
        self.key, self.body = key, tempfile.TemporaryFile()  # noqa: SIM115  # closed with the client's handle
        self._written = 0

    def write(self, offset: int, data: bytes) -> int:
        """Write bytes at an offset."""
        self.body.seek(offset)
        self._written += len(data)
        return self.body.write(data)

    def rewind(self) -> None:
        """Go to the first byte; raise SFTPFailure if bytes are missing, as of an upload that a client resumes."""
        if self.body.seek(0, os.SEEK_END) > self._written:
            raise asyncssh.SFTPFailure("An upload begins with the file's first byte: upload it whole.")
        self.body.seek(0)


class Download:
    """A file that a client reads."""

    def __init__(self, key: str, reader: ObjectReader) -> None:
        self.key, self.reader = key, reader


class Files(asyncssh.SFTPServer):
    """Answer one session's requests; errors of the bucket are OSErrors, which asyncssh answers by their errno.

    All that asyncssh would do with the machine's own files begins with `map_path`, which refuses: what has no method
    here is not supported.
    """

    def __init__(
        self, channel: "asyncssh.SSHServerChannel[bytes]", home: str, bucket: Bucket,
        on_download: Callable[[Download], None],
    ) -> None:  # fmt: skip
        super().__init__(channel)
        self._home, self._bucket, self._on_download = home, bucket, on_download

    def map_path(self, path: bytes) -> bytes:  # noqa: ARG002
        """Refuse."""
        raise SFTPOpUnsupported("The server has no such operation.")

    def exit(self) -> None:
        """End the session with success, as a client that runs the subsystem as a command (scp) expects."""
        self.channel.exit(0)

    def realpath(self, path: bytes) -> bytes:
        """Return an absolute path."""
        return absolute(path).encode()

    async def stat(self, path: bytes) -> SFTPAttrs:
        """Return an object's or a folder's attributes."""
        if absolute(path) == "/":
            return FOLDER
        try:
            head = await self._bucket.head(object_key(self._home, path))
            return object_attributes(head["ContentLength"], head["LastModified"])
        except FileNotFoundError:
            if await self._bucket.has_folder(folder_prefix(self._home, path)):
                return FOLDER
            raise

    lstat = stat

    async def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        """Yield a folder's entries; one without any does not exist, but for the home."""
        prefix, is_there = folder_prefix(self._home, path), absolute(path) == "/"
        async for page in self._bucket.pages(prefix):
            for name in page_names(page, prefix):
                is_there = True
                yield name
        if not is_there:
            raise asyncssh.SFTPNoSuchFile("No such file")

    async def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> Upload | Download:  # noqa: ARG002
        """Open an object to read it, or to write it whole; a refused write is refused here."""
        key = object_key(self._home, path)
        if not pflags & (FXF_WRITE | FXF_APPEND):
            first, begin = await self._bucket.open(key)
            return Download(key, ObjectReader(first, partial(self._bucket.get, key, first["ETag"]), begin))
        await self._bucket.check_put(key)
        if pflags & FXF_APPEND:
            raise SFTPOpUnsupported("An upload replaces the file: upload it whole.")
        return Upload(key)

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        """Return bytes of an object, once the client has taken most of the earlier answers."""
        if not isinstance(file_obj, Download):
            raise SFTPOpUnsupported("The file is open for writing.")
        while self.channel.get_write_buffer_size() > _SEND_BUFFER_BYTES:
            await asyncio.sleep(_PAUSE_SECONDS)
        return await file_obj.reader.read(offset, size)

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Write bytes of an upload."""
        if not isinstance(file_obj, Upload):
            raise SFTPOpUnsupported("The file is open for reading.")
        return file_obj.write(offset, data)

    async def close(self, file_obj: object) -> None:
        """Put an upload into the bucket; announce a download to the object's end."""
        if isinstance(file_obj, Download):
            file_obj.reader.close()
            if file_obj.reader.reached_end:
                self._on_download(file_obj)
        elif isinstance(file_obj, Upload):
            with file_obj.body:
                file_obj.rewind()
                await self._bucket.put(file_obj.key, file_obj.body)

    async def remove(self, path: bytes) -> None:
        """Delete an object."""
        key = object_key(self._home, path)
        await self._bucket.head(key)
        await self._bucket.delete(key)

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Copy an object, and delete the first one."""
        await self._bucket.copy(object_key(self._home, oldpath), object_key(self._home, newpath))
        await self._bucket.delete(object_key(self._home, oldpath))

    posix_rename = rename

    def fstat(self, file_obj: object) -> SFTPAttrs:
        """Return an open object's attributes; an upload has none before it is closed."""
        if isinstance(file_obj, Download):
            return object_attributes(file_obj.reader.size, file_obj.reader.modified)
        return SFTPAttrs()

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Do nothing, as SetStatOption ENABLE_NO_OP says."""

    lsetstat = setstat

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> None:
        """Cut an upload to a size, as scp does after its last byte; do nothing else."""
        if isinstance(file_obj, Upload) and attrs.size is not None:
            file_obj.body.truncate(attrs.size)

    def fsync(self, file_obj: object) -> None:
        """Do nothing: an upload is in the bucket once it is closed."""

    def fstatvfs(self, file_obj: object) -> asyncssh.SFTPVFSAttrs:  # noqa: ARG002
        """Refuse."""
        raise SFTPOpUnsupported("The server has no such operation.")

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Do nothing: a folder exists as long as an object is in it."""
