"""Tenants' settings: what they may contain, and that the schema for editors agrees."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from callseal.core.errors import HeldError, Reason
from callseal.tenants.settings import TenantSettings, parse_settings

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "tenant-settings.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
# The defaults of README.md, written independently of the code.
DEFAULTS = {
    "encrypt": True,
    "deliver_to_sftp": True,
    "deliver_to_archive": False,
    "only_encrypt_sftp": False,
    "encrypt_metadata": True,
    "archive_formats": ("mp3",),
    "cms_profile": "authenveloped-gcm",
    "require_key_proof": False,
    "rotation_overlap_days": 0,
    "sftp_may_delete": False,
    "sftp_source_addresses": (),
}
LISTS: dict[str, Any] = {"archive_formats": ["mp3"], "sftp_source_addresses": []}
FLAGS = [
    "encrypt", "deliver_to_sftp", "deliver_to_archive", "only_encrypt_sftp", "encrypt_metadata", "require_key_proof",
    "sftp_may_delete",
]  # fmt: skip
ODD = [
    None,
    0,
    1,
    -1,
    90,
    91,
    1.0,
    7.5,
    "",
    "true",
    "mp3",
    "wav",
    [],
    ["mp3"],
    ["wav", "mp3"],
    {},
    True,
    False,
    "enveloped-cbc",
]
odd_values = st.sampled_from(ODD) | st.lists(st.sampled_from(["mp3", "wav", "MP3", "xml", 1, True, None]), max_size=4)
json_values = st.recursive(
    odd_values | st.text(max_size=5) | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
good_members: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(FLAGS, st.booleans()),
    "archive_formats": st.lists(st.sampled_from(["mp3", "wav"]), max_size=2, unique=True),
    "cms_profile": st.sampled_from(["authenveloped-gcm", "enveloped-cbc"]),
    "sftp_source_addresses": st.lists(st.ip_addresses().map(str), max_size=3, unique=True)
    | st.lists(
        st.sampled_from(["10.0.0.0/8", "2001:db8::/32", "10.0.0.1/8", "::/129", "here", "1.2.3.4/"]), max_size=2
    ),
    "rotation_overlap_days": st.integers(0, 90),
}
near_valid = st.builds(
    lambda good, odd: good | odd,
    st.fixed_dictionaries({}, optional=good_members),
    st.dictionaries(st.sampled_from([*DEFAULTS, "Encrypt", "encrypt ", "schema", ""]), json_values, max_size=1),
)


def refusal(text: str) -> str:
    with pytest.raises(HeldError) as held:
        parse_settings(text)
    assert held.value.reason is Reason.SETTINGS_INVALID
    assert str(held.value).startswith("The tenant's settings cannot be used: ")
    assert str(held.value).endswith("Put them right in the parameter .../settings.")
    return str(held.value)


@pytest.mark.parametrize("text", ["{}", " {\n} ", "{ }\r\n"])
def test_empty_settings_are_the_defaults(text: str) -> None:
    assert asdict(parse_settings(text)) == DEFAULTS
    assert parse_settings(text) == TenantSettings()


def test_the_schema_names_the_same_members_and_defaults() -> None:
    defaults = {name: member["default"] for name, member in SCHEMA["properties"].items()}
    assert defaults == DEFAULTS | LISTS
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", [True, False])
def test_each_flag_applies_and_changes_no_other(name: str, value: bool) -> None:
    assert asdict(parse_settings(json.dumps({name: value}))) == DEFAULTS | {name: value}


@pytest.mark.parametrize("value", [[], ["wav"], ["mp3"], ["wav", "mp3"], ["mp3", "wav"]])
def test_archive_formats_are_a_set_of_recording_formats(value: list[str]) -> None:
    assert parse_settings(json.dumps({"archive_formats": value})).archive_formats == tuple(value)


@pytest.mark.parametrize("value", ["authenveloped-gcm", "enveloped-cbc"])
def test_both_profiles_of_cms_can_be_chosen(value: str) -> None:
    assert parse_settings(json.dumps({"cms_profile": value})).cms_profile == value


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", ["true", 1, 0, None, [], {}, "yes"])
def test_flag_must_be_a_json_boolean(name: str, value: Any) -> None:
    assert f"{name} must be true or false" in refusal(json.dumps({name: value}))


@pytest.mark.parametrize(
    "value", ["mp3", None, True, {}, ["xml"], ["MP3"], ["mp3", "mp3"], [["mp3"]], [1], [None], [{}]]
)
def test_other_archive_formats_are_refused(value: Any) -> None:
    assert "archive_formats must be a list of wav, mp3, each once at most" in refusal(
        json.dumps({"archive_formats": value})
    )


@pytest.mark.parametrize("value", ["gcm", "", None, True, ["enveloped-cbc"], {}, "ENVELOPED-CBC"])
def test_other_profiles_are_refused(value: Any) -> None:
    assert "cms_profile must be one of authenveloped-gcm, enveloped-cbc" in refusal(json.dumps({"cms_profile": value}))


@pytest.mark.parametrize(
    "value", [[], ["192.0.2.1"], ["192.0.2.0/24", "10.0.0.0/8"], ["2001:db8::/32", "::1", "0.0.0.0/0"]]
)
def test_source_addresses_are_addresses_and_networks_of_both_families(value: list[str]) -> None:
    assert parse_settings(json.dumps({"sftp_source_addresses": value})).sftp_source_addresses == tuple(value)


@pytest.mark.parametrize(
    "value",
    [
        "192.0.2.0/24", None, {}, [1], [3232235777], [None], [["192.0.2.1"]], ["192.0.2.1/24"], ["192.0.2.0/33"],
        ["host"], [""], ["192.0.2.0/255.0.0.0/1"], ["!192.0.2.1"], ["192.0.2.*"], ["fe80::1%eth0"], [" 192.0.2.1"],
        ["\u0661.2.3.4"], ["192.0.2.1", "192.0.2.1"], ["192.0.2.1", "192.0.2.1/32"],
        [f"10.0.0.{n}" for n in range(101)],
    ],
)  # fmt: skip
def test_other_source_addresses_are_refused(value: Any) -> None:
    assert "sftp_source_addresses must be a list of at most 100 addresses or networks" in refusal(
        json.dumps({"sftp_source_addresses": value})
    )


@pytest.mark.parametrize("value", [0, 1, 7, 90, 7.0])
def test_an_overlap_is_a_whole_number_of_days(value: float) -> None:
    days = parse_settings(json.dumps({"rotation_overlap_days": value})).rotation_overlap_days
    assert (days, type(days)) == (value, int)


@pytest.mark.parametrize("value", [-1, 91, 1.5, "7", None, True, [7], {}, 1e300])
def test_other_overlaps_are_refused(value: Any) -> None:
    assert "rotation_overlap_days must be a whole number of days from 0 to 90" in refusal(
        json.dumps({"rotation_overlap_days": value})
    )


@pytest.mark.parametrize("name", ["Encrypt", "encrypt ", "encrypted", "", "archive_format", "require_proof"])
def test_an_unknown_member_is_refused_by_name_with_the_known_ones(name: str) -> None:
    sentence = refusal(json.dumps({name: True}))
    assert f"there is no setting {name!r}" in sentence
    assert all(known in sentence for known in DEFAULTS)


@pytest.mark.parametrize("name", ["+46701234567", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj", "\ud800", "a\nb", "é"])
def test_text_in_place_of_a_name_is_not_repeated(name: str) -> None:
    """It may be a private key's text, or a caller's number, and the sentence goes into the audit."""
    sentence = refusal(json.dumps({name: True}))
    assert "there is no setting of such a name; known are encrypt" in sentence
    assert name not in sentence
    assert repr(name).strip("'") not in sentence


def test_very_long_name_is_not_repeated_in_the_sentence() -> None:
    assert len(refusal(json.dumps({"x" * 10_000: True}))) < 500


@pytest.mark.parametrize(
    "text", ['{"encrypt": true, "encrypt": false}', '{"encrypt": true, "encrypt": true}', '{"a": {"b": 1, "b": 2}}']
)
def test_duplicate_member_is_refused(text: str) -> None:
    assert "stands in it twice" in refusal(text)


@pytest.mark.parametrize("text", ["", " ", "{", "encrypt: true", "{'encrypt': true}", '{"encrypt": true,}', "\ufeff{}"])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    assert "no proper JSON" in refusal(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1" * 10_000])
def test_json_crafted_to_break_a_parser_is_refused(text: str) -> None:
    assert "no proper JSON" in refusal(text)


@pytest.mark.parametrize("text", ["null", "true", "[]", '"encrypt"', "17", '[{"encrypt": true}]'])
def test_json_that_is_no_object_is_refused(text: str) -> None:
    assert "no JSON object" in refusal(text)


@given(near_valid | json_values)
@example({"archive_formats": []})
@example({"encrypt": 1})
def test_the_parser_and_the_schema_agree(value: Any) -> None:
    try:
        settings = parse_settings(json.dumps(value))
    except HeldError as held:
        assert held.reason is Reason.SETTINGS_INVALID
        # The schema's pattern cannot check a network's mask, host bits, or duplicates in two spellings. The parser
        # does.
        assert not VALIDATOR.is_valid(value) or "sftp_source_addresses must be" in str(held)
        return
    assert VALIDATOR.is_valid(value)
    given = {**asdict(settings), **{name: list(getattr(settings, name)) for name in LISTS}}
    assert given == {**DEFAULTS, **LISTS, **value}


@given(st.text())
def test_arbitrary_text_gives_settings_or_is_refused(text: str) -> None:
    try:
        parse_settings(text)
    except HeldError as held:
        assert held.reason is Reason.SETTINGS_INVALID
