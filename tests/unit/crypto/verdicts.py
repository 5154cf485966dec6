"""Verdicts on keys, as an operator sees them: the recipients, or the reason and the sentence."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from functools import cache

import pytest
from hypothesis import strategies as st

from callseal.core.errors import HeldError, Reason
from callseal.crypto.gpg import Gpg
from callseal.crypto.recipients import Recipients, judge
from tests.support.keys import tool

BLOCK = re.compile(r"-----BEGIN [^-]*-----(.*?)-----END", re.DOTALL)
KEY_REASONS = {reason for reason in Reason if reason.startswith("Key")}


@cache
def sealer() -> Gpg:
    return Gpg(tool("gpg"))


def verdict(text: str, now: datetime | None = None) -> Recipients:
    return judge(text, now or datetime.now(UTC), sealer)


def fingerprints(text: str, now: datetime | None = None) -> list[str]:
    return [member.fingerprint for member in verdict(text, now).members]


def assert_held(text: str, reason: Reason, *words: str, now: datetime | None = None) -> str:
    """Expect a rejection whose sentence has the words, says what to do, and repeats nothing of the key."""
    with pytest.raises(HeldError) as held:
        verdict(text, now)
    sentence = str(held.value)
    assert held.value.reason == reason, sentence
    for word in words:
        assert word in sentence
    assert re.search(r"\b(Ask|Paste|Wait|Delete)\b.*\.$", sentence), sentence
    assert_blind(sentence, text)
    return sentence


def assert_blind(sentence: str, text: str) -> None:
    material = "".join(re.sub(r"\s", "", body) for body in BLOCK.findall(text))
    assert not any(sentence[start : start + 12] in material for start in range(len(sentence) - 12))


def judged(text: str) -> HeldError | Recipients:
    """Judge any text. Return recipients or a HeldError with a reason of a key; any other error fails the test."""
    try:
        found = verdict(text)
    except HeldError as held:
        assert held.reason in KEY_REASONS
        assert_blind(str(held), text)
        return held
    assert found.members
    return found


def armour(label: str, data: bytes) -> str:
    """Frame bytes as both PEM and OpenPGP armour (an empty line and no checksum are valid in both)."""
    return f"-----BEGIN {label}-----\n\n{base64.encodebytes(data).decode()}-----END {label}-----\n"


def dearmour(text: str) -> bytes:
    """Return the bytes of one block of PEM, or of armour as gpg writes it."""
    lines = text.strip().splitlines()[1:-1]
    return base64.b64decode("".join(line for line in lines if ":" not in line and not line.startswith("=")))


# Damage that may happen to a text or bytes in transit.
edits = st.lists(
    st.tuples(st.sampled_from(["flip", "delete", "insert", "double"]), st.integers(0, 10**6), st.integers(0, 255)),
    min_size=1,
    max_size=3,
)


def edited(data: bytes, changes: list[tuple[str, int, int]]) -> bytes:
    changed = bytearray(data)
    for kind, place, value in changes:
        place %= len(changed)
        if kind == "flip":
            changed[place] ^= value or 1
        elif kind == "delete":
            del changed[place : place + 1 + value % 7]
        elif kind == "insert":
            changed[place:place] = bytes([value])
        else:
            changed[place:place] = changed[place : place + value]
    return bytes(changed)
