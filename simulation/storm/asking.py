"""Requests that someone sends to the archive, whose answers are judged when they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Protocol

from simulation.storm.access_judge import FAILED, OK, AccessJudge, Reply

# How often people try again what failed.
TRIES = 3


class Browser(Protocol):
    """What people send requests with."""

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
        """Send a GET."""

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Send a POST as the page does."""

    def delete(self, path: str) -> Any:
        """Send a DELETE as the page does."""


@dataclass(frozen=True)
class Answer:
    """The outcome of a request, its answer, and when it was sent."""

    code: str
    reply: Reply
    sent: float

    @property
    def is_ok(self) -> bool:
        """Whether the request was answered with what it asked for."""
        return self.code == OK


@dataclass(frozen=True)
class NoReply:
    """What a client sees of a connection that broke."""

    status: int = 599
    data: bytes = b"{}"

    @property
    def headers(self) -> Mapping[str, str]:
        """No headers."""
        return {}

    @property
    def json(self) -> Any:
        """No members."""
        return {}


class Asking:
    """Sends someone's requests and has the answers judged."""

    def __init__(self, name: str, judge: AccessJudge) -> None:
        """Take the e-mail by which events name the person."""
        self.name, self.judge = name, judge

    def ask(self, what: str, send: Callable[[], Reply], expected: set[str] | Callable[[float], set[str]]) -> Answer:
        """Send a request. `expected` are the codes that it may have, or returns them by when it was sent."""
        sent = time.monotonic()
        try:
            reply = send()
        except (OSError, HTTPException) as exc:
            self.judge.complain("X", f"{self.name}: {what}", f"no answer: {type(exc).__name__}")
            reply = NoReply()
        codes = expected(sent) if callable(expected) else expected
        return Answer(self.judge.outcome(what, self.name, reply, codes), reply, sent)

    def persist(self, what: str, send: Callable[[], Reply], expected: set[str]) -> Answer:
        """Send a request until it is answered, as people do."""
        for _ in range(TRIES):
            answer = self.ask(what, send, expected)
            if answer.code != FAILED:
                break
        return answer

    def recorded(self, what: str, kind: str, since: float = 0.0, **members: Any) -> None:
        """Complain unless the audit has accepted an event of the person until now."""
        self.judge.must_be_recorded(what, self.name, kind, since, **members)
