"""The parsers under fuzzing: by hypothesis, from real samples, and by a short, repeatable run of `make fuzz`."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.security.abuse.fuzz import NAMES
from tests.security.abuse.parsers import PARSERS, UndocumentedError
from tests.unit.crypto.verdicts import edited, edits

# So that each takes one or two seconds of CPU time.
RUNS = dict.fromkeys(NAMES, 10_000) | {
    "key_text": 2_000,
    "certificate": 2_000,
    "openpgp_packets": 5_000,
    "openpgp_key": 1_000,
    "metadata_xml": 2_000,
    "metadata_json": 2_000,
    "sound": 500,
}
PLANTED = """
from tests.security.abuse import fuzz
from tests.security.abuse import parsers
def check(data):
    if b"x" in data:
        raise parsers.UndocumentedError
parsers.PARSERS["change"] = parsers.Parser(check, lambda: [b"{}"])
fuzz.main()
"""


def fuzz(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the fuzzer. If its wheel does not exist (only Linux on x86_64 has one), fail in CI and skip elsewhere."""
    if find_spec("atheris") is None:
        missing = "There is no atheris for this machine: the parsers are not fuzzed."
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return subprocess.run(
        [sys.executable, *command, "--seed=1", f"--folder={folder}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "ignore"},
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip


def test_list_of_parsers_is_complete() -> None:
    assert tuple(PARSERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_short_run_finds_nothing(name: str, tmp_path: Path) -> None:
    ran = fuzz("-m", "tests.security.abuse.fuzz", name, f"--runs={RUNS[name]}", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert f"Done {RUNS[name]} runs" in ran.stderr
    assert "INITED cov: " in ran.stderr  # it observes what the parser executes
    assert not list(tmp_path.rglob("found-*"))


def test_planted_bug_is_found(tmp_path: Path) -> None:
    ran = fuzz("-c", PLANTED, "change", "--runs=200000", folder=tmp_path)
    assert ran.returncode != 0
    assert "UndocumentedError" in ran.stderr + ran.stdout
    (found,) = (tmp_path / "change").glob("found-*")
    assert b"x" in found.read_bytes()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "openpgp_key"])
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=300) | st.text().map(lambda text: text.encode("utf-8", "replace")))
@example(data=b"")
@example(data=b"\xef\xbb\xbf{}")
@example(data=b"acme/\xff.wav")
@example(data=b"acme/\xed\xa0\x80.wav")
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_any_input_is_read_or_refused(name: str, data: bytes) -> None:
    PARSERS[name].check(data)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(which=st.integers(0, 20), changes=edits)
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_arbitrarily_changed_sample_is_read_or_refused(
    name: str, which: int, changes: list[tuple[str, int, int]]
) -> None:
    seeds = [seed for seed in PARSERS[name].seeds() if len(seed) > 14]  # more than three edits can delete
    PARSERS[name].check(edited(seeds[which % len(seeds)], changes))


def test_parser_with_an_undocumented_result_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.security.abuse.parsers.changed_tenant", lambda *_: "acme/beta")
    with pytest.raises(UndocumentedError):
        PARSERS["change"].check(b"{}")
