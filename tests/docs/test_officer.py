"""Run what docs/rules-and-regulations.md answers to a compliance officer, and compare each answer with the page's.

Times, ids and hashes differ from run to run, so they are compared by their length. A line `...` in an answer of the
page is any number of lines. To write the page's answers anew, run this file with CALLSEAL_WRITE_ANSWERS=1.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callseal.calls.facts import Consent, Facts, Flags
from callseal.calls.outcome_member import stored_outcome
from callseal.calls.policy import judge, parse_policy
from callseal.retention.scope import Scope
from tests.docs.test_rules import PAGE, ROOT
from tests.e2e.cli import command
from tests.e2e.cli.conftest import NOW, Operator, operator  # noqa: F401  # a fixture
from tests.support import functions
from tests.support.archive import People
from tests.support.clock import Clock
from tests.support.disposal import put_call
from tests.support.holds import HoldScene
from tests.support.stack import REGION, SFTP, STACK

KARI, OLA = "kari@acme.example", "ola@acme.example"
TITLE = "What a compliance officer asks"
SECTION = PAGE.partition(f"\n## {TITLE}\n")[2]
BLOCK = re.compile(r"```(sh|http)\n(.*?)```\n\n```(?:text|json)\n(.*?)```", re.DOTALL)
QUESTIONS = (
    "Which rule decided about this call, and until when is it kept?",
    "How many calls are without consent?",
    "What is deleted next week?",
    "What is on hold, for whom, and why?",
    "What proves that a call was deleted at the end of its class?",
    "What was done for a person who asked for erasure, and what stays until when?",
    "What proves an erasure?",
)
POLICY = json.dumps({
    "schema": 1,
    "classes": {
        "default": {"delete_after": "90d", "basis": "GDPR art. 6(1)(f): quality"},
        "orders": {"keep": "5y", "delete_after": "7y", "lock": "compliance",
                   "basis": "Directive 2014/65/EU art. 16(7)"},
    },
    "rules": [{"rule": "orders", "when": {"queue": ["trading-*"]}, "class": "orders", "record": "must"}],
    "default": {"class": "default"},
})  # fmt: skip
VARYING = re.compile(r"\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?|\b[0-9a-f]{16,}\b|\b\d{6}-[0-9a-f]+\b")


@dataclass
class Officer:
    """A compliance officer with the command and a browser, and what the page's variables are."""

    operator: Operator
    people: People
    erase_recordings: Any
    variables: dict[str, str]

    def answer(self, kind: str, text: str) -> str:
        """Return what the commands or the request of a block answer."""
        for name, value in self.variables.items():
            text = text.replace(f"${name}", value)
        lines = text.strip().splitlines()
        found = "".join(map(self._run if kind == "sh" else self._get, lines))
        return "\n".join(line.rstrip() for line in found.strip().splitlines()) + "\n"

    def _get(self, request: str) -> str:
        method, path = request.split()
        assert method == "GET"
        reply = self.people.visitor("officers").get(path)
        assert reply.status == 200, reply.data
        return json.dumps(reply.json, indent=2)

    def _run(self, line: str) -> str:
        words = shlex.split(line)
        person, words = (words[0].partition("=")[2], words[1:]) if "=" in words[0] else (KARI, words)
        if words[0] == "openssl":
            return subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert words[0] == "callseal"
        os.environ["CALLSEAL_USER"] = person
        answer = self.operator(*words[1:])
        assert answer.code == 0 or "The call was" in answer.out, answer
        self._work(words, answer.out)
        return answer.out

    def _work(self, words: list[str], said: str) -> None:
        """Do what the functions do after a command, and remember the request that it made."""
        if found := re.search(r"^request: (\S+)", said, re.MULTILINE):
            self.variables["REQUEST"] = found[1]
        if words[1:3] == ["erase", "approve"]:
            assert self.erase_recordings.lambda_handler({}, None) == {}
        for key, data in self.operator.stack.objects(SFTP).items():
            if "/proof/keys/" in key:
                Path("KEY.pem").write_bytes(data)


@pytest.fixture
def officer(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Officer:  # noqa: F811  # pytest's way
    """Return an officer of a tenant with calls of two classes, a hold, and a call that was deleted."""
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("CALLSEAL_USER", KARI)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("callseal_cli.stack._is_this_machine", lambda _: True)
    monkeypatch.setattr("callseal.retention.hold_messages.SETTLE_SECONDS", 0)
    monkeypatch.setattr(command._Text, "isatty", lambda _: True)
    stack = operator.stack
    stack.tenant("acme", settings={"encrypt": False, "deliver_to_archive": True, "call_index": "plain"})
    stack.ssm.put_parameter(Name=f"/{STACK}/tenants/acme/policy", Value=POLICY, Type="String")
    order, old = put_calls(operator)
    scene = HoldScene(stack, Clock())
    scene.people.create("acme", "claim 12", "Claim 12 of the insurance", Scope(calls=(order,)), KARI)
    scene.work()
    functions.load("dispose_recordings").lambda_handler({}, None)
    people = People(stack, Clock(), [functions.load("search_calls"), functions.load("govern_calls")])
    people.access({"group": "officers", "may": ["search", "hold", "erase"], "restricted": True, "sensitive": True})
    variables = {"CALL": order, "DELETED": old}
    return Officer(operator, people, functions.load("erase_recordings"), variables)


def put_calls(operator: Operator) -> tuple[str, str]:  # noqa: F811
    """Put calls as if they had been delivered long ago. Return the ids of an order and of a call that is due."""
    stack = operator.stack

    policy = parse_policy(POLICY)

    def put(name: str, days: int, queue: str, consent: Consent = "given", mode: str | None = None) -> str:
        started = NOW - timedelta(days=days)
        facts = Facts(
            started=started, ended=started + timedelta(seconds=61), seconds=61, direction="incoming",
            flags=Flags(consent=consent), caller="+4722334455", queue=queue,
        )  # fmt: skip
        decided = judge(policy, facts, lambda _: None)
        class_ = policy.classes[decided.class_]
        stored = stored_outcome(decided, policy.version, "judged", class_, started + timedelta(seconds=61))
        until = stored["keep_until"] and datetime.fromisoformat(stored["keep_until"])
        lock = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until} if mode else {}
        return put_call(stack, name, decided=stored, facts=facts, **lock).call.id

    order = put("2026/11/4711_1", 10, "trading-oslo", mode="COMPLIANCE")
    put("2026/11/4712_1", 9, "trading-oslo", mode="COMPLIANCE")
    put("2026/11/4713_1", 5, "sales", consent="not_asked")
    put("2026/09/4690_1", 86, "sales")
    put("2026/09/4691_1", 86, "sales")
    return order, put("2026/08/4650_1", 92, "sales")


def masked(text: str) -> str:
    """Return a text whose times, ids and hashes are replaced by others of the same length."""
    return VARYING.sub(lambda found: re.sub(r"[0-9a-f]", "0", found[0]), text)


def is_answer(shown: str, real: str) -> bool:
    """Return whether a page's answer is the real one."""
    lines = [".*" if line.strip() == "..." else re.escape(line) for line in masked(shown).strip().splitlines()]
    return re.fullmatch("\n".join(lines), masked(real).strip(), re.DOTALL) is not None


def test_each_question_has_a_command_with_its_answer() -> None:
    titles = re.findall(r"^### (.+)$", SECTION, re.MULTILINE)
    assert titles == [*QUESTIONS]
    for text in re.split(r"^### ", SECTION, flags=re.MULTILINE)[1:]:
        assert BLOCK.search(text), text.partition("\n")[0]
    assert SECTION.count("```") == 4 * len(BLOCK.findall(SECTION)), "each block has an answer"


def test_every_answer_of_the_page_is_the_real_one(officer: Officer) -> None:
    page = PAGE
    for kind, text, shown in BLOCK.findall(SECTION):
        real = officer.answer(kind, text)
        if not is_answer(shown, real) and os.environ.get("CALLSEAL_WRITE_ANSWERS"):
            between = f"```\n\n```{'text' if kind == 'sh' else 'json'}\n"
            page = page.replace(f"{text}{between}{shown}", f"{text}{between}{real}")
            continue
        assert is_answer(shown, real), f"{text}answers\n{real}"
    if page != PAGE:
        (ROOT / "docs" / "rules-and-regulations.md").write_text(page)


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        ("until 2026-01-01T00:00:00.000Z", "until 2031-05-06T12:00:00.123Z", True),
        ("until 2026-01-01", "until -", False),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nb\nc", False),
        ("calls 1", "calls 2", False),
    ],
)
def test_answers_differ_in_times_and_ids_only(shown: str, real: str, same: bool) -> None:
    assert is_answer(shown, real) == same
