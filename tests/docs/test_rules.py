"""Run each command of docs/rules-and-regulations.md in the order of the page, on a stack in moto with some calls."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from callseal.calls.facts import Flags
from callseal.calls.policy import parse_policy
from callseal.calls.presets import presets
from callseal.core.audit import timestamp
from callseal.sftp.file_state import DeliveredFile
from callseal.sftp.file_table import FileRegister
from tests.e2e.cli.conftest import NOW, Operator, key_register, operator, put  # noqa: F401  # fixtures
from tests.support.files import TABLE as FILES
from tests.support.functions import ROOT
from tests.support.stack import LANDING

PAGE = (ROOT / "docs" / "rules-and-regulations.md").read_text()
# The last section is tested by test_officer.py.
SECTIONS = re.findall(r"^## (.+?)\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
FINGERPRINT = "A" * 64
CALLER = "+4790000001"
SAMPLE = {"call": {"informed": True, "consent": "given", "denied": False, "agentAccepted": False, "restricted": True}}
# What the outputs of a section must have, of the calls and the files that the fixture makes.
PROOFS = {
    "Which calls can and must be recorded": ("no legal advice", "would be held: 1", "default\t3\t"),
    "How callers are informed": ("unknown,False,caller-refused", "informed\tfound\tyes\t/call/informed"),
    "May a caller deny": ("caller-refused\tRecordingDenied\tno", "RecordingDenied\t"),
    "Acceptance before recording": ("unknown: 2", "would be held: 1"),
    "Quality listening, restricted and sensitive recordings": ("archive sealed", "sealed\t", "consent: given"),
    "Informing agents, and their acceptance": ("agent-did-not-accept", '"held": "RecordingDenied"'),
    "Who has access": (FINGERPRINT, "\nfetched\t"),
    "How long recordings are kept": ("class changes: 0", "Written to policy.csv", "class,calls,keep_until_first"),
    "Copies and deletion": (CALLER, '"calls": ['),
}


@pytest.fixture
def desk(operator: Operator, put: Any, key_register: Any) -> Operator:  # noqa: F811  # pytest's way
    """Return an operator with the page's files, whose tenant has three calls, a held file, a key and a fetched file."""
    operator.stack.tenant("acme", settings={"deliver_to_archive": True})
    Path("samples").mkdir()
    Path("samples/4711_1.json").write_text(json.dumps(SAMPLE))
    Path("paths.json").write_text(json.dumps({"informed": "/call/informed", "consent": "/call/consent"}))
    (preset,) = (each for each in presets() if each.name == "no")
    policy = parse_policy(json.dumps(preset.policy))
    put("given", 1, policy=policy, caller=CALLER, direction="incoming", flags=Flags(consent="given", informed=True))
    put("unknown", 1, policy=policy)
    put("refused", 2, policy=policy, flags=Flags(denied=True))
    key_register(tenant="acme", fingerprint=FINGERPRINT, first_seen="2026-11-01T00:00:00.000Z")
    before = DeliveredFile("acme", "acme/given.wav.p7m")
    delivered = before.delivered_by("d" * 32, timestamp(NOW), 454_300, 7)
    FileRegister(operator.stack.dynamodb, FILES).save(delivered.fetched_at(timestamp(NOW)), before)
    key = "acme/refused.wav"
    operator.stack.s3.put_object(Bucket=LANDING, Key=key, Body=b"said")
    tags = {"callseal-state": "held", "callseal-reason": "RecordingDenied"}
    tagging: Any = {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}
    operator.stack.s3.put_object_tagging(Bucket=LANDING, Key=key, Tagging=tagging)
    return operator


def commands(text: str) -> list[str]:
    return [line for block in BLOCK.findall(text) for line in block.strip().splitlines()]


def run(desk: Operator, command: str, variables: dict[str, str]) -> str:
    """Run a command of the page as its shell does, with `>` and variables, and return what it wrote."""
    for name, value in variables.items():
        command = command.replace(f'"${name}"', shlex.quote(value))
    program, *arguments = shlex.split(command)
    target = None
    if ">" in arguments:
        *arguments, _, target = arguments
    assert program == "callseal" and not {"|", "&&", ";", "\\", "<"} & {*arguments}
    answer = desk(*arguments)
    assert answer.code == 0, f"{command}: {answer}"
    assert answer.out, command
    if target:
        Path(target).write_text(answer.out)
    return answer.out


def test_page_answers_every_question_with_law_setting_and_proof() -> None:
    assert [title for title, _ in SECTIONS] == list(PROOFS)
    assert "no legal advice" in PAGE.partition("\n## ")[0]
    for title, text in SECTIONS:
        law, _, here = text.partition("**Here**")
        assert law.strip().startswith("**The law commonly asks**"), title
        assert commands(here.partition("**The proof**")[2]), f"{title}: no command proves it"
        assert text.count("```") == 2 * len(BLOCK.findall(text))


def test_every_command_of_the_page_does_what_the_page_says(desk: Operator) -> None:
    (call,) = desk.json("calls", "list", "acme", "--caller", CALLER)["calls"]
    variables = {"CALL": call["id"], "NUMBER": "900 00 001"}
    for title, text in SECTIONS:
        out = "".join(run(desk, command, variables) for command in commands(text))
        for words in PROOFS[title]:
            assert words in out, f"{title}: {words!r} is not in\n{out}"
    assert "caller-refused" in Path("policy.csv").read_text()


@pytest.mark.parametrize("command", ["callseal calls lst acme", "callseal policy show beta", "make demo"])
def test_command_that_fails_is_noticed(desk: Operator, command: str) -> None:
    with pytest.raises(AssertionError):
        run(desk, command, {})
