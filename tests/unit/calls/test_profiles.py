"""Profiles: what is found in the files of twelve platforms, converted, derived and missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callseal.calls.facts import Facts, Flags
from callseal.calls.metadata_reader import read_entries
from callseal.calls.numbers import Numbering
from callseal.calls.profiles import GENERIC, Found, facts_of, find_fields, look_up
from callseal.calls.profiles.generic import NAMES, plain
from callseal.calls.profiles.tables import TABLES
from callseal.tenants.metadata_settings import FACT_MEMBERS, FLAG_MEMBERS, PROFILES
from tests.unit.calls import vendors
from tests.unit.calls.vendors import ENDED, STARTED, VENDORS, Vendor

UTC_ZONE = ZoneInfo("UTC")


def found_in(document: Any, profile: str | None = GENERIC, **paths: str) -> dict[str, Any]:
    """Return the value of each fact that is found in a JSON document."""
    found = find_fields(read_entries(json.dumps(document).encode(), "json"), profile, paths, UTC_ZONE)
    return {fact: field.value for fact, field in found.items() if field}


@pytest.mark.parametrize("fact", FACT_MEMBERS)
@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.file)
def test_fact_is_found_in_the_file_of_a_platform(vendor: Vendor, fact: str) -> None:
    found = vendor.look_up()[fact]
    assert (found.value if found else None) == vendor.facts.get(fact)
    assert found is None or found.path


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.file)
def test_found_path_finds_the_same_value(vendor: Vendor) -> None:
    """What `profile try` shows as a path can be written into `metadata_paths`."""
    entries = read_entries((vendors.SAMPLES / vendor.file).read_bytes(), vendor.file.rpartition(".")[2])
    for fact, found in vendor.look_up().items():
        if found and found.path.startswith("/") and fact != "seconds":
            again = look_up(entries, None, {fact: found.path}, ZoneInfo(vendor.zone))[fact]
            assert again == found


def test_twelve_platforms_have_a_file_and_every_file_is_read() -> None:
    assert len({vendor.file.partition("-")[0] if "puzzel" in vendor.file else vendor.file for vendor in VENDORS}) == 12
    assert {vendor.file for vendor in VENDORS} == {path.name for path in vendors.SAMPLES.iterdir()}
    assert {vendor.profile for vendor in VENDORS if vendor.profile} == {*PROFILES}


def test_table_of_the_page_is_current() -> None:
    text = vendors.PAGE.read_text()
    assert vendors.page(text) == text, "Run make docs, and commit what it writes."


def test_settings_name_the_profiles_and_facts_that_there_are() -> None:
    assert (*TABLES, GENERIC) == PROFILES
    assert set(FACT_MEMBERS) == ({*Facts.__slots__} | {*Flags.__slots__}) - {"flags"}
    assert set(FLAG_MEMBERS) == {*Flags.__slots__}
    for profile in TABLES.values():
        assert set(profile.places) <= set(FACT_MEMBERS)
        assert profile.origin in ("from documentation", "from samples")


def test_generic_names_are_plain_and_each_stands_for_one_fact() -> None:
    names = [name for names in NAMES.values() for name in names]
    assert names == [plain(name) for name in names]
    assert len(names) == len(set(names))
    assert set(NAMES) == set(FACT_MEMBERS)


def test_own_path_replaces_the_profiles() -> None:
    document = {"callId": "1", "other": {"id": "2"}}
    assert found_in(document)["session_id"] == "1"
    assert found_in(document, session_id="/other/id")["session_id"] == "2"
    # It replaces, and is not one place more.
    assert "session_id" not in found_in(document, session_id="/none")


def test_without_a_profile_only_own_paths_are_read() -> None:
    document = {"callId": "1", "queue": "a"}
    assert found_in(document, None) == {}
    assert found_in(document, None, queue="/queue") == {"queue": "a"}


def test_first_place_that_can_be_converted_is_taken() -> None:
    entries = read_entries(b'{"startTime": "soon", "startedAt": "2026-11-23T08:12:44Z"}', "json")
    assert look_up(entries, GENERIC, {}, UTC_ZONE)["started"] == Found("/startedAt", STARTED)


def test_value_that_cannot_be_converted_is_missing_and_its_path_is_known() -> None:
    entries = read_entries(b'{"startTime": "soon", "deny_recording": "perhaps"}', "json")
    looked_up = look_up(entries, GENERIC, {}, UTC_ZONE)
    assert looked_up["started"] == Found("/startTime", None)
    assert looked_up["denied"] == Found("/deny_recording", None)
    assert not any(find_fields(entries, GENERIC, {}, UTC_ZONE).values())


@pytest.mark.parametrize("method", ["INBOUND", "OUTBOUND", "TRANSFER", "QUEUE_TRANSFER", "API"])
def test_customer_of_amazon_connect_is_the_outside_party(method: str) -> None:
    document = {
        "InitiationMethod": method,
        "CustomerEndpoint": {"Address": "+4790000001"},
        "SystemEndpoint": {"Address": "+4721890000"},
    }
    found = find_fields(read_entries(json.dumps(document).encode(), "json"), "amazon-connect", {}, UTC_ZONE)
    facts = facts_of(found, Numbering())
    assert facts.outside_party == "+4790000001"
    assert facts.direction == {"INBOUND": "incoming", "OUTBOUND": "outgoing"}.get(method)


def test_parties_of_own_paths_are_not_exchanged() -> None:
    document = {"InitiationMethod": "OUTBOUND", "a": "1", "CustomerEndpoint": {"Address": "2"}}
    assert found_in(document, "amazon-connect", caller="/a")["caller"] == "1"


@pytest.mark.parametrize(
    ("times", "seconds", "ended"),
    [
        ({"startTime": "2026-11-23T08:12:44Z", "endTime": "2026-11-23T08:15:10Z"}, 146, ENDED),
        ({"startTime": "2026-11-23T08:12:44Z", "duration": 146}, 146, ENDED),
        ({"startTime": "2026-11-23T08:12:44Z", "endTime": "2026-11-23T08:15:10Z", "duration": 100}, 100, ENDED),
        ({"startTime": "2026-11-23T08:12:44Z", "endTime": "2026-11-23T08:15:10Z", "duration": 200}, 200, ENDED),
        # Milliseconds under a name that does not say so.
        ({"startTime": "2026-11-23T08:12:44Z", "endTime": "2026-11-23T08:15:10Z", "duration": 146000}, 146, ENDED),
        ({"startTime": "2026-11-23T08:12:44Z", "durationMs": 146000}, 146, ENDED),
        ({"startTime": "2026-11-23T08:12:44Z"}, None, None),
        ({"endTime": "2026-11-23T08:15:10Z", "duration": 146}, 146, ENDED),
        ({"startTime": "2026-11-23T08:15:10Z", "endTime": "2026-11-23T08:12:44Z"}, None, STARTED),
        ({"duration": 146}, 146, None),
    ],
)
def test_duration_and_end_are_derived(times: dict[str, Any], seconds: float | None, ended: datetime | None) -> None:
    found = found_in(times)
    assert (found.get("seconds"), found.get("ended")) == (seconds, ended)


def test_unit_of_an_own_path_is_in_its_name() -> None:
    document = {"lengthMs": 2000, "duration_ms": 2000, "tags": [{"key": "durationMs", "value": 2000}], "out": False}
    assert found_in(document, None, seconds="/duration_ms")["seconds"] == 2
    assert found_in(document, None, seconds="/tags[key=durationMs]/value")["seconds"] == 2
    assert found_in(document, None, seconds="/lengthMs")["seconds"] == 2000


@pytest.mark.parametrize(
    ("document", "fact", "value"),
    [
        ({"from": {"phoneNumber": "1"}}, "caller", "1"),
        ({"agent": {"id": 7}}, "agent", "7"),
        ({"CALL-ID": "1"}, "session_id", "1"),
        ({"isOutbound": True}, "direction", "outgoing"),
        ({"isOutbound": "false"}, "direction", "incoming"),
        ({"tags": [{"key": "queueName", "value": "a"}]}, "queue", "a"),
        ({"tags": [{"name": "SET_RESTRICTED", "value": True}]}, "restricted", True),
        ({"call": {"recording": {"consent": "declined"}}}, "consent", "denied"),
        ({"agentAccepted": "yes"}, "agent_accepted", True),
    ],
)
def test_generic_finds_usual_names(document: Any, fact: str, value: Any) -> None:
    assert found_in(document) == {fact: value}


@pytest.mark.parametrize("document", [{"name": "queue"}, {"key": "queue"}, {"recaller": "1"}, {"tags": [{"key": "x"}]}])
def test_generic_leaves_other_names_alone(document: Any) -> None:
    assert found_in(document) == {}


def test_facts_have_normalised_numbers_and_flags() -> None:
    found: dict[str, Found | None] = {
        "caller": Found("/a", "sip:22334455@example.com"),
        "callee": Found("/b", "anonymous"),
        "started": Found("/c", STARTED),
        "denied": Found("/d", True),
        "consent": Found("/e", "not_asked"),
        "informed": Found("/f", None),
        "agent": None,
    }
    assert facts_of(found, Numbering("NO")) == Facts(
        started=STARTED, caller="+4722334455", flags=Flags(denied=True, consent="not_asked")
    )
    assert facts_of({}, Numbering()) == Facts()


def test_times_of_facts_are_utc() -> None:
    found = VENDORS[0].look_up()["started"]
    assert found
    assert isinstance(found.value, datetime)
    assert found.value.utcoffset() == timedelta(0)
    assert found.value.tzinfo is UTC
