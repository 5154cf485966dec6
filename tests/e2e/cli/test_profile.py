"""`callseal profile try`: what an engineer of the platform sees of a metadata file, without a stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callseal.tenants.metadata_settings import FACT_MEMBERS
from tests.e2e.cli.command import call, run
from tests.unit.calls.vendors import SAMPLES, VENDORS, Vendor


def tried(*arguments: str | Path, code: int = 0) -> Any:
    answer = call("profile", "try", *arguments, "--json")
    assert (answer.code, answer.err) == (code, "")
    return json.loads(answer.out)


def refused(*arguments: str | Path) -> str:
    answer = call("profile", "try", *arguments, "--json")
    assert (answer.code, answer.out) == (2, "")
    return str(json.loads(answer.err)["error"])


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(name: str, text: str | bytes) -> Path:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / name

    return write


def test_fields_and_card_of_a_file() -> None:
    shown = tried(SAMPLES / "puzzel-elements.xml", "--profile", "puzzel", "--region", "NO", "--zone", "Europe/Oslo")
    assert (list(shown), shown["profile"]) == (["profile", "fields", "card", "read_ms"], "puzzel")
    assert tuple(shown["fields"]) == FACT_MEMBERS
    assert shown["fields"]["caller"] == {"path": "/callLog/accessNumber", "value": "21890000"}
    assert shown["fields"]["started"] == {"path": "/callLog/startTime", "value": "2026-11-23T08:12:44Z"}
    assert shown["fields"]["denied"] == {"path": "/callLog/variables/variable/value", "value": False}
    assert shown["fields"]["consent"] is None
    assert shown["card"] == {
        "session_id": "4711000000000022", "started": "2026-11-23T08:12:44Z", "ended": "2026-11-23T08:15:10Z",
        "seconds": 146.0, "direction": "outgoing", "caller": "+4721890000", "callee": "+4790000022", "agent": "1042",
        "queue": "ordre_rød",
        "flags": {"restricted": True, "sensitive": False, "denied": False, "consent": "unknown", "informed": False,
                  "paused": False, "agent_accepted": False},
    }  # fmt: skip
    assert 0 <= shown["read_ms"] < 10_000


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.file)
def test_file_of_a_platform(vendor: Vendor, write: Any) -> None:
    paths = write("paths.json", json.dumps(dict(vendor.paths)))
    profile = ["--profile", vendor.profile] if vendor.profile else []
    fields = tried(SAMPLES / vendor.file, *profile, "--paths", paths, "--zone", vendor.zone)["fields"]
    assert {name for name, field in fields.items() if field} >= set(vendor.facts)


def test_without_a_profile_usual_names_are_read(write: Any) -> None:
    shown = tried(write("call.JSON", '{"callId": 5}'))
    assert (shown["profile"], shown["fields"]["session_id"]) == ("generic", {"path": "/callId", "value": "5"})


def test_table_says_what_was_not_understood(write: Any) -> None:
    file = write("call.json", '{"callId": 5, "startTime": "soon", "isOutbound": true, "duration": "0:00:10"}')
    answer = call("profile", "try", file)
    lines = [line.split("\t") for line in answer.out.splitlines()]
    assert answer.code == 0
    assert lines[0] == ["fact", "state", "on the card", "path"]
    assert ["session_id", "found", "5", "/callId"] in lines
    assert ["started", "not understood", "-", "/startTime"] in lines
    assert ["direction", "found", "outgoing", "/isOutbound"] in lines
    assert ["seconds", "found", "10.0", "/duration"] in lines
    assert ["caller", "missing", "-", "-"] in lines
    assert ["denied", "missing", "no", "-"] in lines
    assert lines[-1][0].startswith("Read by the profile generic in ")
    assert lines[-1][0].endswith(" ms: 3 of 16 facts.")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.xml", "<!DOCTYPE a><a/>", "it has a DOCTYPE"),
        ("a.xml", "4790000077", "no well-formed XML"),
        ("a.json", '{"a": 4790000077', "no well-formed JSON"),
        ("a.json", "", "no well-formed JSON"),
        ("a.xml", b"<a/>" + bytes(256 * 1024), "more than 256 kB"),
    ],
)
def test_unreadable_file_is_no(name: str, text: str | bytes, sentence: str, write: Any) -> None:
    file = write(name, text)
    shown = tried(file, code=1)
    assert (shown["card"], shown["fields"]) == (None, dict.fromkeys(FACT_MEMBERS))
    assert sentence in shown["message"]
    answer = call("profile", "try", file)
    assert (answer.code, answer.out, answer.err) == (1, f"{shown['message']}\n", "")
    assert "4790000077" not in answer.out


def test_wrong_use_is_said(write: Any, tmp_path: Path) -> None:
    file = write("call.json", "{}")
    assert "must end in .xml or .json" in refused(write("call.wav", ""))
    assert "No such file" in refused(tmp_path / "none.xml")
    assert "is a folder" in refused(tmp_path)
    assert "metadata_profile must be one of puzzel, " in refused(file, "--profile", "Puzzel")
    assert "metadata_paths must be an object" in refused(file, "--paths", write("paths.json", '{"caller": "a"}'))
    assert "is not JSON" in refused(file, "--paths", write("paths.json", "{"))
    assert "default_region must be" in refused(file, "--region", "Norway")
    assert "time_zone must be" in refused(file, "--zone", "Oslo")
    assert "FILE" in refused()


def test_command_needs_neither_a_stack_nor_credentials(write: Any) -> None:
    answer = run("profile", "try", write("call.xml", "<call><callId>5</callId></call>"), "--json")
    assert (answer.code, answer.err) == (0, "")
    assert json.loads(answer.out)["fields"]["session_id"]["value"] == "5"


def test_control_characters_of_a_file_do_not_reach_the_terminal(write: Any) -> None:
    answer = call("profile", "try", write("call.json", '{"\\u001b[2Jcall": {"id": "5"}, "queue": "a\\u001b[2J"}'))
    assert "\x1b" not in answer.out
