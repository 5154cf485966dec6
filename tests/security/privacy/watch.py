"""The watch: reads every log line, metric and audit event of a test run, and records forbidden content.

It searches for callers' numbers, landing keys (in logs and metrics; audit events name them, in three members), key
texts, and the content of recordings: plain, in base64, in hex, and URL-encoded. It also reads blind cards.
A caller's number may be in an audit event in one case: a landing key contains it, and the event names that key. Such
events are counted.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

# Used in landing keys, settings, metadata and AWS's own messages, in every test that needs a caller.
CALLERS = ("46701234567", "4915112345678")
# Part of the recordings that tests land.
SPOKEN = ("what was said", "what the caller said")
# Agents and queues, which a blind card has as hashes only.
PEOPLE_AND_QUEUES = ("kari.nordmann@acme.example", "trading-floor")
# Of the kinds of texts, those that a run of all delivery tests always reads.
KINDS = ("log line", "metric", "audit event")
CARD = "blind card"
NAMED = "audit event with a caller's number in its file's name"

# Attributes of a card in which landing keys stand.
_NAMING_FILES = (":name", ":source", ":files")
_CHUNK = 16
_MATERIAL_LINE = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
# In a line of SSH keys: type, key, comment.
_SSH_KEY = re.compile(r"\bAAAA[A-Za-z0-9+/]{16,}={0,2}")
_MATERIAL_RUN = re.compile(rf"[A-Za-z0-9+/]{{{_CHUNK},}}")
_LANDING_KEY = re.compile(r"[^/]+/.*[^/]{5}", re.DOTALL)


class Leak(NamedTuple):
    """Forbidden content that was found. It is described, not repeated."""

    test: str
    kind: str
    what: str

    def __str__(self) -> str:
        """Describe the leak."""
        return f"{self.what} in {'an' if self.kind.startswith('a') else 'a'} {self.kind} of {self.test}"


class Watch:
    """What this process has read. `learn` and `landed` add content to search for, in addition to the canaries."""

    def __init__(self) -> None:
        self.read: Counter[str] = Counter()
        self.leaks: set[Leak] = set()
        self._material: set[str] = set()
        self._landed: deque[str] = deque(maxlen=64)
        self._in_names: set[str] = set()

    def learn(self, key_text: str) -> None:
        """Add a key's text, public or private: no 31 consecutive characters of it may ever be written."""
        lines = (line.strip() for line in key_text.splitlines())
        found = (_MATERIAL_LINE.fullmatch(line) or _SSH_KEY.search(line) for line in lines)
        text = "".join(one.group() for one in found if one)
        pieces = (text[start : start + _CHUNK] for start in range(0, len(text) - _CHUNK + 1, _CHUNK))
        self._material.update(piece for piece in pieces if len(set(piece)) > _CHUNK // 2)

    def landed(self, key: str) -> None:
        """Add a landing key."""
        self._in_names.update(caller for caller in CALLERS if any(form in key for form in forms(caller)))
        if _LANDING_KEY.fullmatch(key):
            self._landed.append(key)

    def forget_landed(self) -> None:
        """Begin a test: the landing keys of the previous test no longer count."""
        self._landed.clear()
        self._in_names.clear()

    def log(self, text: str, *, again: bool = False) -> None:
        """Read what a function has logged. With `again`, the line was already counted."""
        self.read["log line"] += 0 if again else len(text.splitlines())
        self._look("log line", text, self._secrets(text))

    def metric(self, text: str) -> None:
        """Read a line of metrics."""
        self.read["metric"] += 1
        self._look("metric", text, self._secrets(text))

    def audit(self, detail: Mapping[str, Any]) -> None:
        """Read an audit event. Its source, outputs and session's path may name files; no other member may."""
        self.read["audit event"] += 1
        outputs = [{**output, "key": ""} for output in detail.get("outputs") or []]
        source, session = (
            {**(detail.get(name) or {}), member: ""} for name, member in (("source", "key"), ("session", "path"))
        )
        rest = json.dumps({**detail, "source": source, "outputs": outputs, "session": session}, ensure_ascii=False)
        keys = [output.get("key") for output in detail.get("outputs") or []]
        keys += [(detail.get("source") or {}).get("key"), (detail.get("session") or {}).get("path")]
        names = json.dumps(keys, ensure_ascii=False)
        unnamed = tuple(caller for caller in CALLERS if caller not in self._in_names)
        found = [*self._found(rest, CALLERS, "a caller's number"), *self._content(rest + names)]
        found += self._found(names, unnamed, "a caller's number that no landing key holds")
        self.read[NAMED] += bool(list(self._found(names, CALLERS, "")))
        self._look("audit event", rest, found)

    def table(self, members: Mapping[str, Any]) -> None:
        """Read a request to DynamoDB: the item of a blind card names no number, agent or queue.

        A number may be in the call's name, if a landing key holds it.
        """
        written = [each for action in members.get("TransactItems", []) for each in action.values()]
        for request in written or [members]:
            values = request.get("ExpressionAttributeValues", {})
            if json.loads(values.get(":facts", {}).get("S", "{}")).get("is_blind"):
                self.card(values)

    def card(self, values: Mapping[str, Any]) -> None:
        """Read the attributes of a blind card; its name, its files' keys and its metadata's key name files."""
        self.read[CARD] += 1
        others = {name: value for name, value in values.items() if name not in _NAMING_FILES}
        rest = json.dumps(others, ensure_ascii=False)
        names = json.dumps([values.get(name) for name in _NAMING_FILES], ensure_ascii=False)
        unnamed = tuple(caller for caller in CALLERS if caller not in self._in_names)
        found = [*self._found(rest, CALLERS, "a caller's number"), *self._content(rest + names)]
        found += self._found(names, unnamed, "a caller's number that no landing key holds")
        found += self._found(rest + names, PEOPLE_AND_QUEUES, "an agent or a queue")
        self._look(CARD, rest, found)

    def put_events(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Read the events of a PutEvents request."""
        for entry in entries:
            self.audit(json.loads(entry["Detail"]))

    def _secrets(self, text: str) -> Iterable[str]:
        yield from self._found(text, CALLERS, "a caller's number")
        yield from self._found(text, tuple(self._landed), "a landing key")
        yield from self._content(text)

    def _content(self, text: str) -> Iterable[str]:
        yield from self._found(text, SPOKEN, "what was said")
        for run in _MATERIAL_RUN.findall(text):
            if any(run[start : start + _CHUNK] in self._material for start in range(len(run) - _CHUNK + 1)):
                yield "a key's text"

    def _found(self, text: str, secrets: Iterable[str], what: str) -> Iterable[str]:
        if any(form in text for secret in secrets for form in forms(secret)):
            yield what

    def _look(self, kind: str, text: str, found: Iterable[str]) -> None:
        test = os.environ.get("PYTEST_CURRENT_TEST", "no test").partition(" (")[0]
        self.leaks.update(Leak(test, kind, what) for what in found)


@cache
def forms(secret: str) -> tuple[str, ...]:
    """Return the forms of a secret: plain, escaped, in hex, and in base64 at each of its three offsets."""
    data = secret.encode("utf-8", "surrogatepass")
    # Without the characters at both ends, which also depend on the adjacent bytes.
    coded = [base64.b64encode(b"\0" * pad + data)[-(-pad * 4 // 3) :].rstrip(b"=")[:-1] for pad in range(3)]
    urls = (quote(data), quote_plus(data), quote_plus(data, safe="/"), quote(data, safe=""))
    escaped = (repr(secret)[1:-1], json.dumps(secret)[1:-1])
    return tuple({secret, *urls, *escaped, data.hex(), data.hex().upper(), *(one.decode() for one in coded)})


WATCH = Watch()
