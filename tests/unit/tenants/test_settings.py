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
from callseal.tenants.metadata_settings import PROFILES
from callseal.tenants.settings import TenantSettings, parse_settings

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "tenant-settings.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
# The defaults of docs/settings.md, written independently of the code.
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
    "metadata_profile": None,
    "metadata_paths": {},
    "metadata_required": False,
    "metadata_wait_minutes": 15,
    "metadata_missing": "hold",
    "time_zone": "UTC",
    "default_region": None,
    "own_numbers": (),
    "call_index": "auto",
    "refuse_numbers_in_names": False,
    "denied_erase_after": "72h",
}
LISTS: dict[str, Any] = {"archive_formats": ["mp3"], "sftp_source_addresses": [], "own_numbers": []}
FLAGS = [
    "encrypt", "deliver_to_sftp", "deliver_to_archive", "only_encrypt_sftp", "encrypt_metadata", "require_key_proof",
    "sftp_may_delete", "metadata_required", "refuse_numbers_in_names",
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
    "metadata_profile": st.sampled_from([None, "puzzel", "generic", "Puzzel"]),
    "metadata_paths": st.dictionaries(
        st.sampled_from(["caller", "agent_accepted", "Caller"]),
        st.sampled_from(["//a", "/a/@b", "/a[0]/b[c=d]", "a", "/a/", "//a//b", "/a[b", "/a" * 200]),
    ),
    "metadata_wait_minutes": st.integers(0, 1440),
    "metadata_missing": st.sampled_from(["hold", "deliver", "drop"]),
    "time_zone": st.sampled_from(["UTC", "Europe/Oslo", "Europe", "Mars/Base", "../UTC", "/etc/localtime", "a" * 65]),
    "default_region": st.sampled_from([None, "NO", "no", "NOR", ""]),
    "own_numbers": st.lists(st.sampled_from(["+4721890000", "+47", "+4", "4721890000", "+0", "+1 2"]), max_size=3),
    "call_index": st.sampled_from(["off", "blind", "plain", "auto", "on"]),
    "denied_erase_after": st.sampled_from(["72h", "0h", "90d", "6m", "5y", "-1h", "72", "1w", "100000h", "h"]),
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


GOOD: dict[str, list[Any]] = {
    "metadata_profile": [None, *PROFILES],
    "metadata_paths": [{}, {"caller": "//remoteAddress", "denied": "//variable[@name=deny_recording]"},
                       {"queue": "/tags[key=queue name]/value", "agent": "/a[0]/@b"}],
    "metadata_wait_minutes": [0, 15, 1440, 15.0],
    "metadata_missing": ["hold", "deliver"],
    "time_zone": ["UTC", "Europe/Oslo", "America/Argentina/Buenos_Aires", "Etc/GMT+5"],
    "default_region": [None, "NO", "US"],
    "call_index": ["off", "blind", "plain", "auto"],
    "denied_erase_after": ["0h", "72h", "90d", "6m", "5y"],
}  # fmt: skip
BAD: dict[str, list[Any]] = {
    "metadata_profile": ["", "Puzzel", "none", True, ["puzzel"], {}],
    "metadata_paths": [None, [], "//a", {"number": "//a"}, {"caller": None}, {"caller": 1}, {"caller": ""},
                       {"caller": "a"}, {"caller": "/"}, {"caller": "/a//b"}, {"caller": "/a["}, {"caller": "/a[1"},
                       {"caller": "/a[]"}, {"caller": "/a[b=]"}, {"caller": "/a[0][1]"}, {"caller": "/a\n"},
                       {"caller": "/" + "a" * 256}],
    "metadata_wait_minutes": [-1, 1441, 1.5, "15", None, True],
    "metadata_missing": ["", "Hold", "drop", None, True],
    "time_zone": ["", "Mars/Base", "Europe", "../etc/passwd", "/etc/localtime", "+01:00", None, 1, ["UTC"], "UTC\n"],
    "default_region": ["", "no", "NOR", "N0", 47, True, ["NO"], "NO\n"],
    "own_numbers": [None, "+4721890000", ["4721890000"], ["+47 21"], ["+1", "+4"], ["+4721890000"] * 2, [47],
                    [f"+47{n}" for n in range(201)], ["+" + "1" * 16]],
    "call_index": ["", "on", True, None, ["off"]],
    "denied_erase_after": ["", "72", "h", "-1h", "1w", "72 h", "1.5h", "100000h", "100y", 72, None, "72h\n"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_settings_about_calls_are_read(name: str, value: Any) -> None:
    assert getattr(parse_settings(json.dumps({name: value})), name) == value


def test_own_numbers_are_numbers_and_prefixes() -> None:
    own = parse_settings('{"own_numbers": ["+4721890000", "+472189", "+47"]}').own_numbers
    assert own == ("+4721890000", "+472189", "+47")


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_other_settings_about_calls_are_refused_without_their_value(name: str, value: Any) -> None:
    sentence = refusal(json.dumps({name: value}))
    assert f"cannot be used: {name} must be " in sentence
    assert len(sentence) < 500


def test_no_setting_shares_its_paths_with_another_tenants() -> None:
    assert parse_settings("{}").metadata_paths is not parse_settings("{}").metadata_paths


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
        # The schema cannot check a network's mask, host bits, or duplicates in two spellings, nor which time zones
        # exist. The parser does.
        only_ours = ("sftp_source_addresses must be", "time_zone must be")
        assert not VALIDATOR.is_valid(value) or any(name in str(held) for name in only_ours)
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
