"""Damage: the positions of a message's parts, and the result of flipped bits and truncation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from asn1crypto import cms

from callseal.crypto.openpgp_packets import SEIPD
from tests.interop.lab import folder
from tests.interop.peers import Job, Opened, Peer
from tests.interop.rows import Row, plain, seal

SIZE = 5000
FRAMING = "framing"
Places = Sequence[int]


def cms_regions(sealed: bytes) -> dict[str, Places]:
    """Return the parts of a CMS message with one recipient. Everything between them is framing."""
    content = cms.ContentInfo.load(sealed)["content"]
    (info,) = content["recipient_infos"]
    gcm = "mac" in content
    encrypted = content["auth_encrypted_content_info" if gcm else "encrypted_content_info"]
    parameters = encrypted["content_encryption_algorithm"]["parameters"].dump()
    parts = {
        "nonce": parameters[4:16] if gcm else parameters[2:18],
        "ciphertext": encrypted["encrypted_content"].native,
    }
    if info.name == "ktri":
        parts["wrapped key"] = info.chosen["encrypted_key"].native
    else:
        parts["wrapped key"] = info.chosen["recipient_encrypted_keys"][0]["encrypted_key"].native
        # Without the first octet, which states the form of the point and has a second valid value.
        parts["ephemeral point"] = info.chosen["originator"].chosen["public_key"].native[1:]
    if gcm:
        parts["tag"] = content["mac"].native
    return {name: _place(sealed, part) for name, part in parts.items()}


def openpgp_regions(sealed: bytes) -> dict[str, Places]:
    """Return the encrypted parts of an OpenPGP message with one recipient (RFC 4880, 4.2, 5.1 and 5.13)."""
    assert sealed[0] in (0x84, 0x85)  # an old header of PKESK, with a length of one octet or two
    start = 2 + sealed[0] - 0x84
    end = start + int.from_bytes(sealed[1:start])
    body = _body(sealed, end)
    # PKESK starts with version, key id and algorithm, followed by MPIs, each after its length of two octets.
    return {"wrapped key": range(start + 12, end), "ciphertext": body[:-22], "mdc": body[-22:]}


def _body(sealed: bytes, position: int) -> list[int]:
    """Return the positions of SEIPD's body, which gpg writes in partial lengths (RFC 4880, 4.2.2)."""
    assert sealed[position] == 0xC0 | SEIPD
    position, places, partial = position + 1, [], True
    while partial:
        first = sealed[position]
        partial = 224 <= first < 255
        width = 1 if first < 192 or partial else 2 if first < 224 else 5
        octets = sealed[position : position + width]
        length = {1: 1 << (first & 31) if partial else first, 2: (first - 192 << 8) + octets[-1] + 192}.get(width)
        length = int.from_bytes(octets[1:]) if length is None or width == 5 else length
        places += range(position + width, position + width + length)
        position += width + length
    assert position == len(sealed)
    return places


def _place(sealed: bytes, part: bytes) -> range:
    assert sealed.count(part) == 1
    return range(sealed.index(part), sealed.index(part) + len(part))


def region_of(regions: dict[str, Places], position: int) -> str:
    return next((name for name, places in regions.items() if position in places), FRAMING)


def positions(sealed: bytes, regions: dict[str, Places], most: int) -> list[int]:
    """Choose positions to damage: the ends of every region, then evenly spaced others up to the limit."""
    ends = {place for places in regions.values() for place in (places[0], places[-1])} | {0, len(sealed) - 1}
    head = range(regions["ciphertext"][0] + 32)
    tail = range(regions["ciphertext"][-1] - 32, len(sealed))
    others = [*head, *tail, *Random(most).sample(regions["ciphertext"], 40)]
    return sorted(ends | set(others[:: max(1, len(others) // most)]))


def flipped(sealed: bytes, position: int) -> bytes:
    """Flip one bit, a different bit at each position."""
    changed = bytearray(sealed)
    changed[position] ^= 1 << Random(position).randrange(8)
    return bytes(changed)


@contextmanager
def jobs_for(messages: Sequence[bytes], key: str, certificate: str = "") -> Iterator[list[Job]]:
    with TemporaryDirectory(prefix="damaged-", dir=folder()) as made:
        paths = [Path(made) / str(number) for number in range(len(messages))]
        for path, message in zip(paths, messages, strict=True):
            path.write_bytes(message)
        yield [Job(path, key, certificate) for path in paths]


def open_all(peer: Peer, messages: Sequence[bytes], key: str, certificate: str = "") -> list[Opened]:
    """Open messages with a reader and one key."""
    with jobs_for(messages, key, certificate) as jobs:
        return peer.open_many(jobs)


def assert_untouched_opens(peer: Peer, sealed: bytes, key: str) -> None:
    """Check that the reader opens the intact message. Otherwise a reader that opens nothing would pass."""
    (opened,) = open_all(peer, [sealed], key)
    assert opened.data == plain(SIZE), opened.said


def silently_opened(
    peer: Peer, sealed: bytes, key: str, regions: dict[str, Places], places: Iterable[int]
) -> list[str]:
    """Return the flipped bits that a reader accepted.

    A flipped bit in the framing is allowed if the reader returns the same bytes.
    """
    places, found = list(places), []
    for place, opened in zip(places, open_all(peer, [flipped(sealed, place) for place in places], key), strict=True):
        region = region_of(regions, place)
        if opened.data is not None and not (region == FRAMING and opened.data == plain(SIZE)):
            found.append(f"{region} at {place} of {len(sealed)}: {'same' if opened.data == plain(SIZE) else 'OTHER'}")
    return found


def cuts(sealed: bytes) -> list[bytes]:
    """Truncate a message at several positions: at 0, in the head, in the content, in the tag, and in its end."""
    size = len(sealed)
    places = {0, 1, 2, 5, 20, 50, size // 20, size // 10, size // 4, size // 2, *range(size - 45, size)}
    return [sealed[:place] for place in sorted(places)]


def sealed_to(form: str, key: str, lengths: str = "") -> bytes:
    return seal(Row(form, (key,), lengths), plain(SIZE))
