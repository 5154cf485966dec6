"""Tenants' settings crafted to break or confuse the parser, or to switch a protection off unintentionally."""

from __future__ import annotations

from types import ModuleType

import pytest

from callseal.core.errors import HeldError
from callseal.tenants.settings import parse_settings
from tests.security.abuse.outside import assert_held, bounded, hand_over
from tests.support.families import FAMILIES
from tests.support.stack import Stack

CONTENTS = {"acme/1.wav": b"what was said"}
# A different reading of each of these would deliver the recording in plain.
WOULD_OPEN = {
    "a member twice": '{"encrypt": true, "encrypt": false}',
    "a member twice, escaped": '{"encrypt": true, "\\u0065ncrypt": false}',
    "a look-alike": '{"\u0435ncrypt": false}',
    "full width": '{"\uff45ncrypt": false}',
    "zero width": '{"encrypt\u200b": false}',
    "NFD": '{"encrypt\u0301": false}',
    "another case": '{"ENCRYPT": false}',
    "NUL after it": '{"encrypt\\u0000": false}',
    "a prototype": '{"__proto__": {"encrypt": false}}',
    "a dunder": '{"__class__": "x", "encrypt": false}',
    "nothing": '{"encrypt": null}',
    "a zero": '{"encrypt": 0}',
    "minus zero": '{"encrypt": -0.0}',
    "NaN": '{"encrypt": NaN}',
    "Infinity": '{"encrypt": -Infinity}',
    "a text": '{"encrypt": "false"}',
    "a list": '{"encrypt": [false]}',
    "a comment": '{"encrypt": /* */ false}',
    "a BOM": '\ufeff{"encrypt": false}',
    "NUL": '{"encrypt": false}\0',
    "two objects": '{} {"encrypt": false}',
    "lines": '{}\n{"encrypt": false}',
    "a YAML": "encrypt: false",
    "a lone surrogate": '{"\\ud800": false, "encrypt": false}',
    "only for SFTP, as a text": '{"only_encrypt_sftp": "true", "deliver_to_archive": true, "archive_formats": ["wav"]}',
    "formats as a text": '{"archive_formats": "wav", "deliver_to_archive": true}',
}
# SSM parameters have at most 4 KiB, or 8 KiB if advanced, so these only go through the parser.
HUGE = {
    "deep lists": "[" * 1_000_000,
    "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "nested twins": '{"a":{"a":1,"a":1}}',
    "a long number": '{"encrypt": ' + "9" * 1_000_000 + "}",
    "a long exponent": '{"encrypt": 1e' + "9" * 1_000_000 + "}",
    "a long name": '{"' + "a" * 10_000_000 + '": 1}',
    "many members": "{" + ",".join(f'"m{number}": 1' for number in range(100_000)) + "}",
    "many formats": '{"archive_formats": [' + '"wav",' * 100_000 + '"wav"]}',
    "many escapes": '{"' + "\\u0041" * 1_000_000 + '": 1}',
    "spaces": " " * 10_000_000,
}


@pytest.mark.parametrize("which", WOULD_OPEN)
def test_ambiguous_settings_hold_the_file(cloud: Stack, encrypt_recording: ModuleType, which: str) -> None:
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text, WOULD_OPEN[which])
    assert hand_over(encrypt_recording, *(cloud.land(key, data) for key, data in CONTENTS.items())) == []
    (detail,) = assert_held(cloud, CONTENTS, "SettingsInvalid")
    assert len(detail["message"]) < 500


@pytest.mark.parametrize("which", HUGE)
def test_huge_settings_are_refused_at_once(which: str) -> None:
    with bounded(seconds=5), pytest.raises(HeldError) as held:
        parse_settings(HUGE[which])
    assert held.value.reason == "SettingsInvalid"
    assert len(str(held.value)) < 500


def test_parameter_of_maximum_size_holds_the_file(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text, "[" * 4096)
    assert hand_over(encrypt_recording, *(cloud.land(key, data) for key, data in CONTENTS.items())) == []
    assert_held(cloud, CONTENTS, "SettingsInvalid")
