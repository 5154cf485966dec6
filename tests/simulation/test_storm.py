"""A small storm (`make storm` runs the full one). Each promise, broken on purpose, shows in its last line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

from simulation.storm.calls import AGENTS, POLICIES, QUEUES
from simulation.storm.plan import draw
from simulation.storm.roles import ROLES, known_calls, people_of

LAW_LINE = re.compile(
    r"law: (?P<calls>\d+) calls, (?P<disposed>\d+) disposed, (?P<erased>\d+) erased, (?P<kept>\d+) kept, "
    r"(?P<early>\d+) early, (?P<late>\d+) late, (?P<unsaid>\d+) erased in part unsaid, (?P<doubled>\d+) doubled"
)

ROOT = Path(__file__).resolve().parents[2]
PEOPLE_LINE = re.compile(r"people: (.*), (?P<leaked>\d+) leaked, (?P<unaudited>\d+) unaudited")
LAST_LINE = re.compile(
    r"storm: (?P<recordings>\d+) recordings, (?P<delivered>\d+) delivered, (?P<held>\d+) held, (?P<lost>\d+) lost, "
    r"(?P<leaked>\d+) leaked, (?P<swapped>\d+) swapped, (?P<doubled>\d+) doubled"
)


def storm(*arguments: str, last: re.Pattern[str] = LAST_LINE) -> tuple[int, list[str], dict[str, int]]:
    """Run a storm. Return its exit code, its lines, and the numbers of the last line."""
    path = os.pathsep.join([str(ROOT / "layers/callseal/python"), str(ROOT)])
    command = [sys.executable, "-m", "simulation.storm", "--seed", "5", *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    matched = last.fullmatch(lines[-1] if lines else "")
    assert matched, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.returncode, lines, {name: int(number) for name, number in matched.groupdict().items()}


def figure(lines: list[str], name: str) -> str:
    return next(line.removeprefix(f"{name}: ") for line in lines if line.startswith(f"{name}: "))


def people(lines: list[str]) -> tuple[set[str], tuple[str, str]]:
    """Return what people did at least once, and how often they got what is not theirs, or what was not recorded."""
    matched = PEOPLE_LINE.fullmatch(lines[-2])
    assert matched, lines[-2]
    counted = (each.partition(" ") for each in matched[1].split(", "))
    return {what for number, _, what in counted if int(number)}, (matched["leaked"], matched["unaudited"])


def test_every_recording_is_delivered_once_or_held_for_the_true_reason() -> None:
    code, lines, numbers = storm("--recordings", "120", "--tenants", "10")

    assert [line for line in lines if line.startswith("BROKEN")] == []
    assert code == 0
    assert numbers["recordings"] == numbers["delivered"] + numbers["held"] > 100
    assert numbers["delivered"] > 0 and numbers["held"] > 0
    # The run was a storm, with many requests.
    assert int(figure(lines, "requests in the storm").replace(",", "")) > 1000
    share = re.search(r"\((\d+\.\d) %\)", figure(lines, "of these disturbed"))
    assert share and 3 < float(share[1]) < 7
    assert int(figure(lines, "workers killed")) > 0
    assert int(figure(lines, "events lost")) > 0
    assert int(figure(lines, "batches for two workers at once")) > 0
    # Some files are held by a policy, and none left landing against it.
    assert figure(lines, "against policy") == "0"
    assert int(figure(lines, "held for MetadataAwaited")) > 0
    assert int(figure(lines, "held for ConsentMissing")) > 0
    assert int(figure(lines, "batches to read")) > 0
    # People did everything that they can do in the archive at least once, and got nothing else.
    acts, refused = people(lines)
    assert acts == {
        "sign-ins", "searches", "cards", "plays", "sealed plays", "downloads", "shares", "openings",
        "plays of shares", "cancellations", "expiries", "refusals"
    }  # fmt: skip
    assert refused == ("0", "0")


def test_every_call_is_kept_or_goes_by_the_law() -> None:
    code, lines, numbers = storm("--law", "40", last=LAW_LINE)

    assert [line for line in lines if line.startswith("BROKEN")] == []
    assert code == 0
    assert numbers["calls"] == numbers["disposed"] + numbers["erased"] + numbers["kept"] == 40
    assert numbers["disposed"] > 0 and numbers["erased"] > 0 and numbers["kept"] > 0
    # The run was a storm, in which holds were placed and released.
    assert int(figure(lines, "of these disturbed").replace(",", "")) > 10
    assert int(figure(lines, "workers killed")) > 0
    assert int(figure(lines, "holds")) > 0


# `make storm STORM=--self-check` breaks the others.
def test_erasure_without_a_word_is_detected() -> None:
    code, _, numbers = storm("--law", "40", "--broken", "unsaid", last=LAW_LINE)

    assert code == 1
    # A call that a ledger still has as pending is unsaid if it is gone, and late if it is there.
    assert numbers["unsaid"] + numbers["late"] > 0


# `make storm STORM=--self-check` breaks each of the promises.
def test_broken_promise_is_detected() -> None:
    code, lines, numbers = storm("--recordings", "60", "--tenants", "10", "--broken", "lost")

    assert code == 1
    assert numbers["lost"] > 0
    assert any(line.startswith("BROKEN") for line in lines)


def test_file_that_leaves_against_its_policy_is_detected() -> None:
    code, lines, _ = storm("--recordings", "40", "--tenants", "10", "--broken", "against", "--seed", "9")

    assert code == 1
    assert int(figure(lines, "against policy")) > 0


def crowd(*arguments: str) -> tuple[int, str]:
    """Run a storm with a stuck tenant of a few files. Return its exit code and output."""
    path = os.pathsep.join([str(ROOT / "layers/callseal/python"), str(ROOT)])
    command = [sys.executable, "-m", "simulation.storm", "--stuck", "80", *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_one_stuck_tenant_makes_no_other_tenants_file_late() -> None:
    code, printed = crowd()

    assert code == 0, printed
    assert re.search(r"^crowd: 80 files of one stuck tenant; .*; 0 late$", printed, re.MULTILINE), printed
    # The stuck tenant's own files were requeued too, and failed.
    assert re.search(r"sweep 1: .*'waiting': \d+", printed), printed


def test_late_files_are_detected_when_sweeps_follow_the_order_of_keys() -> None:
    code, printed = crowd("--broken", "unfair")

    assert code == 1
    assert "BROKEN late t0" in printed


def test_seed_draws_the_same_plan_again() -> None:
    first, again, another = (draw(seed, 300, 20) for seed in (3, 3, 4))

    assert first == again
    assert first.landings != another.landings
    assert first.changes != another.changes


def test_full_storm_has_every_kind_of_event() -> None:
    plan = draw(1, 5000, 50)

    assert len(plan.landings) == 5000
    assert {landing.fate for landing in plan.landings} == {"told", "late", "lost", "doubled", "doubled late"}
    assert {landing.extension for landing in plan.landings} == {"wav", "mp3", "xml", "json", ""}
    assert {change.key.kind for change in plan.changes if change.key} == {
        "good", "expired", "private", "garbage", "weak"
    }  # fmt: skip
    assert {kill.when for kill in plan.kills} == {"before", "after"}
    assert sum(landing.over for landing in plan.landings) > 50
    assert max(landing.size for landing in plan.landings) > 300_000
    assert set(plan.policies.values()) == set(POLICIES)
    assert {landing.ruling.held for landing in plan.landings if landing.ruling} == {
        None, "MetadataAwaited", "RecordingDenied", "ConsentMissing"
    }  # fmt: skip
    assert any(landing.ruling.seals_archive for landing in plan.landings if landing.ruling)
    assert {kill.of for kill in plan.kills} == {"worker", "archive"}
    first = {landing.call: landing.is_metadata for landing in reversed(plan.landings) if landing.ruling}
    assert set(first.values()) == {True, False}


def test_archive_of_a_storm_has_every_kind_of_call_and_person() -> None:
    plan = draw(1, 5000, 50)
    calls, identities = known_calls(plan).values(), people_of(plan)

    assert {group for each in identities for group in each.groups} > set(ROLES)
    for tenant in {each.tenant for each in identities}:
        of_tenant = [call for call in calls if call.tenant == tenant]
        assert {call.has_card for call in of_tenant} == {True, False}
        assert {(call.queue, call.agent, call.restricted) for call in of_tenant} == {
            (None, None, False), *product(QUEUES, AGENTS, (False, True))
        }  # fmt: skip
