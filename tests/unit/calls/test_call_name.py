"""The name and the id of a call, by its files' keys."""

from __future__ import annotations

from hashlib import sha256

import pytest

from callseal.calls.call_name import CallName, call_of, extension_of, is_metadata


def test_id_is_of_tenant_and_base_name() -> None:
    call = CallName("acme", "2026/11/4711_1")
    assert call.id == sha256(b"acme\x002026/11/4711_1").hexdigest()[:32]
    assert call.id != CallName("acme-2", "2026/11/4711_1").id


@pytest.mark.parametrize("extension", ["wav", "mp3", "xml", "json", "WAV", "Xml", "wav.p7m", "xml.pgp", "JSON.p7m"])
def test_files_with_a_base_name_are_one_call(extension: str) -> None:
    assert call_of(f"acme/2026/a.b.{extension}") == CallName("acme", "2026/a.b")


@pytest.mark.parametrize(
    "key",
    [
        "acme/key-check/AB.txt.p7m",
        "acme/1",
        "acme/.wav",
        "acme/x/.wav",
        "1.wav",
        "Acme/1.wav",
        "acme/x.answer",
        "",
        "acme/requests/7/1.wav",
        "acme/proof/1.json",
    ],
)
def test_other_files_are_no_calls(key: str) -> None:
    assert call_of(key) is None


def test_a_call_may_be_named_like_a_reserved_folder() -> None:
    assert call_of("acme/requests.wav") == CallName("acme", "requests")


def test_metadata_is_told_by_the_extension() -> None:
    assert [is_metadata(f"acme/1.{each}") for each in ("xml", "JSON.p7m", "wav", "mp3.pgp")] == [
        True,
        True,
        False,
        False,
    ]
    assert extension_of("acme/a.b/C.WAV.p7m") == "wav"
