"""Landing keys: `<tenant>/<any path>/<name>.<ext>`. The first segment alone decides the tenant."""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime

from callseal.core.errors import HeldError, Reason
from callseal.core.formats import ENVELOPES, MEDIA_TYPES, METADATA_TYPES, SUFFIX_BYTES

TENANT = re.compile(r"[a-z0-9][a-z0-9-]{1,62}", re.ASCII)
# S3 takes keys of 1,024 bytes, and a sealed output adds a suffix of 4.
MAX_KEY_BYTES = 1020
# Folders of a tenant's area that Callseal itself writes to.
RESERVED_FOLDERS = ("key-check", "proof", "receipts", "notices", "requests")
# The longest file name on receivers' disks. ext4 and XFS count bytes. NTFS and APFS count about as many characters.
MAX_SEGMENT_BYTES = 255

# A folder with one of these suffixes can have the same name as a file. S3 stores both, SFTP servers and disks only one.
FILE_ENDINGS = (
    *(f".{extension}" for extension in MEDIA_TYPES),
    *(envelope.suffix for envelope in ENVELOPES.values()),
)


@dataclass(frozen=True, slots=True)
class LandedObject:
    """An object as its notification names it: `etag` without quotes, `size` in bytes.

    A member is None if the notification does not have it.
    """

    bucket: str
    key: str
    etag: str | None = None
    size: int | None = None
    version_id: str | None = None
    # Used for metrics only. It does not identify the object, so comparisons ignore it.
    landed_at: datetime | None = field(default=None, compare=False)
    # True if it was held as SourceUnreadable and the sweep requeued it to find out whether it can be read now.
    was_unreadable: bool = field(default=False, compare=False)
    # True if it is metadata that read_metadata has processed and requeued.
    was_indexed: bool = field(default=False, compare=False)
    # True if it may be held, and was requeued because its call may be judged in another way now.
    was_held: bool = field(default=False, compare=False)
    # How often the queue has delivered its message, including this time.
    receives: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class LandedFile:
    """The facts in a landing key: the tenant, and the file's format (`wav`, `mp3`, `xml` or `json`)."""

    tenant: str
    format: str

    @property
    def is_metadata(self) -> bool:
        """Whether the file is the metadata of a recording."""
        return self.format in METADATA_TYPES

    @property
    def content_type(self) -> str:
        """The media type of the plaintext file."""
        return MEDIA_TYPES[self.format]


def tenant_of(key: str) -> str | None:
    """Return the tenant that a landing key belongs to, or None if its first folder is not a tenant name."""
    segment, slash, _ = key.partition("/")
    return segment if slash and TENANT.fullmatch(segment) else None


def parse_landing_key(key: str) -> LandedFile:
    """Return the tenant and format of a decoded landing key. Raises HeldError `UnsupportedFile`."""
    tenant = tenant_of(key)
    if tenant is None:
        raise _unsupported(
            "its first folder is not a tenant name (2 to 63 characters of a-z, 0-9 and '-', the first not '-')"
        )
    if any(segment in ("", ".", "..") for segment in key.split("/")):
        raise _unsupported("its key ends in '/' or has an empty, '.' or '..' segment")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in key):
        raise _unsupported("its key has a control character or an unpaired surrogate")
    if len(key.encode()) > MAX_KEY_BYTES:
        raise _unsupported(f"its key is over {MAX_KEY_BYTES:,} bytes, which leaves no room for a suffix")
    if key.split("/")[1] in RESERVED_FOLDERS:
        raise _unsupported(f"a tenant's folders {', '.join(RESERVED_FOLDERS)} are reserved for Callseal's own files")
    stem, _, extension = key.rpartition("/")[2].rpartition(".")
    if not stem or extension.lower() not in MEDIA_TYPES:
        raise _unsupported("its extension is none of wav, mp3, xml, json, or it has no name before it")
    _check_segments(key)
    return LandedFile(tenant, extension.lower())


def _check_segments(key: str) -> None:
    *folders, name = key.split("/")
    if max(len(name.encode()) + SUFFIX_BYTES, *(len(folder.encode()) for folder in folders)) > MAX_SEGMENT_BYTES:
        raise _unsupported(
            f"a folder of its key is longer than {MAX_SEGMENT_BYTES} bytes, or its file name is longer than "
            f"{MAX_SEGMENT_BYTES - SUFFIX_BYTES} (Callseal adds a suffix): no disk can hold it"
        )
    if any(folder.lower().endswith(FILE_ENDINGS) for folder in folders):
        raise _unsupported(
            f"a folder of its key ends like a file ({', '.join(FILE_ENDINGS)}), and a file of that name would hide it"
        )


def _unsupported(why: str) -> HeldError:
    return HeldError(
        Reason.UNSUPPORTED_FILE,
        f"The landed file cannot be delivered: {why}. Upload it again as <tenant>/<path>/<name>.<wav|mp3|xml|json>, "
        "and delete this object from the landing bucket.",
    )
