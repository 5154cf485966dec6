"""Files around 2 GiB: their heads, as our writer begins them, read by a reader that handles lengths over 31 bits.

Bouncy Castle's stream parser, which stops at the first encrypted byte, has then checked every length and opened the
key. (For AuthEnvelopedData it misses only the tag, which a head does not have; see known.py.)
"""

from datetime import UTC, datetime

import pytest

from callseal.core.errors import TransientError
from callseal.crypto.envelopes import cms
from callseal.crypto.gpg import Gpg
from callseal.crypto.recipients import judge
from tests.interop import keys
from tests.interop.damage import jobs_for
from tests.interop.peers import Opened, bouncy_castle_heads
from tests.interop.rows import CBC, GCM
from tests.unit.crypto.sources import CHUNK, Endless

LARGEST = 2**31 - 1
both_forms = pytest.mark.parametrize("form", [GCM, CBC])
both_keys = pytest.mark.parametrize("key", ["rsa2048", "p256"])


def begin(form: str, key: str, size: int) -> bytes:
    """Begin to seal that many bytes, of which only a first chunk exists. Return the head and that chunk."""
    recipients, begun = (
        judge(keys.x509(key).certificate.read_text(), datetime.now(UTC), lambda: Gpg("gpg")),
        bytearray(),
    )
    with pytest.raises(TransientError):
        cms.seal(Endless(CHUNK), size, recipients.members, form, begun.extend)  # type: ignore[arg-type]
    return bytes(begun)


def told_length(message: bytes) -> int | None:
    """Return the outermost length, or None if it is indefinite."""
    return None if message[1] == 0x80 else int.from_bytes(message[2 : 2 + (message[1] & 0x7F)])


def size_of_the_largest_definite(form: str, key: str) -> int:
    """Return the size whose message fills 31 bits of length, or all but the rest of a CBC block."""
    size = LARGEST - 4096
    room = LARGEST - (told_length(begin(form, key, size)) or 0)
    return size + room if form == GCM else size + room - (size + room) % 16 - 1


def read_heads(key: str, messages: list[bytes]) -> list[Opened]:
    with jobs_for(messages, key) as jobs:
        return bouncy_castle_heads(jobs)


@both_keys
@both_forms
def test_bouncy_castle_reads_the_heads_on_both_sides_of_the_boundary(form: str, key: str) -> None:
    largest = size_of_the_largest_definite(form, key)
    sizes = [largest - 16, largest, largest + 1 + 16, 2**31, 2**33]
    messages = [begin(form, key, size) for size in sizes]

    lengths = [told_length(message) for message in messages]
    assert LARGEST - 48 <= (lengths[0] or 0) < (lengths[1] or 0) <= LARGEST
    assert lengths[2:] == [None] * 3
    assert [one.data for one in read_heads(key, messages)] == [b""] * 5, "none of them may be refused"


@both_forms
def test_definite_length_beyond_31_bits_would_be_refused(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(cms, "MAX_DEFINITE_LENGTH", 2**40)
    message = begin(form, "p256", 2**31)
    assert (told_length(message) or 0) > LARGEST

    (read,) = read_heads("p256", [message])

    assert read.data is None
    assert "length" in read.said
