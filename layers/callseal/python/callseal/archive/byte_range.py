"""Range headers: the one range that an answer sends, which is short, because each answer is decided about anew.

RFC 9110, section 14. A server may send less than a range asks for, and the client asks for the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from callseal.inbound.http import RefusedRequestError

# Lambda's answers have at most 6 MB, which are 4.5 MB in base64:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_BYTES = 4 * 1024 * 1024
# The first answer is short, so that sound comes soon. Later ones are longer, so that there are fewer.
FIRST_BYTES, NEXT_BYTES = 256 * 1024, 1024 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from `first` to `last`, both included, of a file of `size` bytes."""

    first: int
    last: int
    size: int

    @property
    def header(self) -> str:
        """The value of Content-Range."""
        return f"bytes {self.first}-{self.last}/{self.size}"

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.last - self.first + 1


def parse_range(header: str | None, size: int, most: int | None = None) -> ByteRange:
    """Return the range to send for a Range header, `bytes=0-` if there is none.

    It has at most `most` bytes, by default few at the start of a file and more after it. Raise RefusedRequestError
    `InvalidRange` (400), or 416 if the range has no byte of the file.
    """
    found = _RANGE.fullmatch((header or "bytes=0-").strip())
    if not found or not any(found.groups()):
        raise _invalid("The header Range must be one range of bytes, such as bytes=0-.")
    begin, end = (int(each) if each else None for each in found.groups())
    if begin is None:
        # The last bytes of the file.
        first, last = max(0, size - (end or 0)), size - 1
        if end == 0:
            raise _outside(size)
    else:
        if end is not None and end < begin:
            raise _invalid("The header Range ends before it begins.")
        first, last = begin, min(size - 1 if end is None else end, size - 1)
    if first >= size:
        raise _outside(size)
    limit = min(most or (FIRST_BYTES if first == 0 else NEXT_BYTES), MAX_BYTES)
    return ByteRange(first, min(last, first + limit - 1), size)


def _invalid(sentence: str) -> RefusedRequestError:
    return RefusedRequestError(HTTPStatus.BAD_REQUEST, "InvalidRange", sentence)


def _outside(size: int) -> RefusedRequestError:
    sentence = "The range has no byte of the file."
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    return RefusedRequestError(status, "InvalidRange", sentence, headers={"content-range": f"bytes */{size}"})
