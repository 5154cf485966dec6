"""The opener's BER reader against asn1crypto's, on random documents in every form of length, valid and damaged."""

from __future__ import annotations

from base64 import b64encode
from random import Random
from typing import Any

import pytest
from asn1crypto import parser

from tests.web import key_files
from tests.web.browser import Browser

PRIMITIVES = (0x02, 0x04, 0x05, 0x06, 0x80, 0x81)
CONSTRUCTED = (0x30, 0x31, 0xA0, 0xA1, 0x24)


def document(random: Random, depth: int = 0) -> bytes:
    """Return an element with a random form of its length: short, long, longer than needed, or indefinite."""
    if depth == 6 or random.random() < 0.4:
        return _definite(random, random.choice(PRIMITIVES), random.randbytes(random.choice((0, 1, 5, 127, 128, 300))))
    inner = b"".join(document(random, depth + 1) for _ in range(random.randrange(4)))
    tag = random.choice(CONSTRUCTED)
    return bytes((tag, 0x80)) + inner + b"\0\0" if random.random() < 0.4 else _definite(random, tag, inner)


def _definite(random: Random, tag: int, contents: bytes) -> bytes:
    size = len(contents)
    if size < 0x80 and random.random() < 0.7:
        return bytes((tag, size)) + contents
    octets = size.to_bytes(max(1, (size.bit_length() + 7) // 8) + random.choice((0, 0, 1, 3)))
    return bytes((tag, 0x80 | len(octets))) + octets + contents


def damaged(random: Random, data: bytes) -> bytes:
    place = random.randrange(len(data))
    kind = random.randrange(4)
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data[:place] + data[place + 1 :]
    if kind == 2:
        return data[:place] + random.randbytes(1) + data[place:]
    return data[:place] + bytes((data[place] ^ 1 << random.randrange(8),)) + data[place + 1 :]


def elements(data: bytes, start: int = 0) -> list[Any]:
    """Return the elements as asn1crypto reads them. Raise ValueError for a damaged document."""
    found: list[Any] = []
    position = 0
    while position < len(data):
        kind, method, number, header, contents, trailer = parser.parse(data[position:])
        if (kind, number) == (0, 0):
            raise ValueError("end-of-contents in an element of definite length")
        tag = header[0]
        begin = start + position + len(header)
        if method == 0 and trailer:
            raise ValueError("a primitive element of indefinite length")
        found.append([tag, begin, begin + len(contents), *([elements(contents, begin)] if method else [])])
        position += len(header) + len(contents) + len(trailer)
    return found


def expected(data: bytes) -> list[Any] | None:
    try:
        return elements(data)
    except ValueError:
        return None


def read(browser: Browser, documents: list[bytes]) -> list[Any]:
    return browser.page.call("elements", [b64encode(one).decode() for one in documents])


@pytest.mark.parametrize("seed", range(4))
def test_valid_documents_are_read_as_asn1crypto_reads_them(browser: Browser, seed: int) -> None:
    random = Random(seed)
    documents = [document(random) for _ in range(500)]
    assert read(browser, documents) == [elements(one) for one in documents]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_documents_are_refused_or_read_as_asn1crypto_reads_them(browser: Browser, seed: int) -> None:
    random = Random(seed)
    documents = [one for one in (damaged(random, document(random)) for _ in range(1000)) if one]
    for data, found in zip(documents, read(browser, documents), strict=True):
        wanted = expected(data)
        if wanted is None:
            assert found in ("malformed", "truncated"), data.hex()
        else:
            assert found == wanted, data.hex()


def test_each_cut_of_a_document_is_truncated_or_malformed(browser: Browser) -> None:
    whole = key_files.der("p256").data
    assert read(browser, [whole]) == [elements(whole)]
    found = read(browser, [whole[:size] for size in range(1, len(whole))])
    assert set(map(str, found)) <= {"truncated", "malformed"}
