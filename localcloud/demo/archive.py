"""The demo's people: a team lead finds a call and listens, and a compliance officer sees who did what."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from localcloud.demo.calls import CALLER
from localcloud.demo.operator import Operator
from localcloud.demo.screen import Screen
from localcloud.demo.tenants import Tenant
from localcloud.http.client import Client, Reply

ACCESS = {
    "grants": [
        {"group": "team-leads", "may": ["search", "play"]},
        {"group": "compliance", "may": ["search", "play", "audit"], "restricted": True},
    ],
    "reason_for": ["play"],
}
REASON = "The caller disputes an invoice"
ORDINARY, RESTRICTED = "4711000000000001_1.wav", "4711000000000002_1.mp3"
# The recordings' metadata is of this month.
DAYS = {"from": "2026-11-01", "to": "2026-11-30"}
# As the page asks for a recording.
FROM_THE_START = {"Range": "bytes=0-"}
AUDITED = ["ArchiveSignedIn", "RecordingsSearched", "RecordingPlayed", "RecordingPlayed", "AccessRefused"]
Checks = Iterator[tuple[str, list[bool]]]


class ArchiveError(Exception):
    """The archive's API gave an answer that the demo cannot continue with."""


class Person:
    """Someone with a browser, and the rows of what they did."""

    def __init__(self, name: str, url: str) -> None:
        self.name, self.browser = name, Client(url)
        self.rows: list[tuple[object, ...]] = []

    def did(self, what: str, answer: Reply, result: str) -> Reply:
        """Add a row, and return the answer."""
        self.rows.append((self.name, what, answer.status, result))
        return answer

    def sign_in(self, tenant: str, group: str) -> None:
        """Sign in at the issuer as a member of a group."""
        answer = self.browser.sign_in(f"{self.name}@{tenant}.example", tenant, group)
        may = ", ".join(document(self.browser.get("/api/me"))["may"])
        self.did(f"signs in, in the group {group}", answer, f"may {may}")

    def search(self, what: str, caller: str | None = None) -> dict[str, Any]:
        """Search for calls, and return them by name."""
        days: dict[str, Any] = {**DAYS, "caller": caller} if caller else DAYS
        answer = self.browser.get("/api/calls", **days)
        calls = {call["name"]: call for call in document(answer)["calls"]}
        found = [name if call["files"] else f"{name} (no recording)" for name, call in calls.items()]
        self.did(f"searches for {what}", answer, ", ".join(found) or "no call")
        return calls

    def ask(self, recording: str) -> Reply:
        """Ask for access to a recording, with a reason."""
        call, _, number = recording.partition("/files/")
        return self.browser.post(f"{call}/access", {"action": "play", "file": int(number), "reason": REASON})

    def fetch(self, recording: str, what: str) -> Reply:
        """Fetch a recording: `audio`, or `sealed` for its sealed bytes."""
        return self.browser.get(f"{recording}/{what}", FROM_THE_START)


def show_archive(operator: Operator, screen: Screen, tenant: Tenant, samples: Path) -> Checks:
    """Show people who search, listen and are refused, and the audit of it. Return the checks with their results."""
    url = operator.cloud.outputs["ArchiveUrl"]
    screen.chapter(
        "People find calls and listen",
        f"{tenant.name} lets team leads search and play, and compliance officers open restricted calls, too. Here are "
        f"the requests that the archive's page sends. `make local` serves the page.",
    )
    operator.put_access(tenant, ACCESS)
    kari, ola = Person("kari", url), Person("ola", url)
    with screen.waiting("A team lead and a compliance officer sign in, search and listen"):
        kari.sign_in(tenant.name, "team-leads")
        ola.sign_in(tenant.name, "compliance")
        played = _play(kari, samples)
        refused, command, opened = _open_restricted(kari, ola, tenant)
        events = document(ola.browser.get("/api/audit"))["events"]
    screen.table(("who", "does what", "HTTP", "answer"), [*kari.rows, *ola.rows])
    screen.say("No server can play what is sealed to the tenant's key. Its owner can, with the command in the answer:")
    screen.say(f"$ {command}")
    screen.say("Ola reads who did what, the newest first. Each event was accepted before its answer was sent.")
    screen.table(("time", "who", "event", "call", "seconds", "reason or code"), [_audit_row(event) for event in events])
    yield f"{tenant.name}: the team lead finds the caller's call and plays it, byte for byte", played
    yield f"{tenant.name}: the restricted call is refused to the team lead, and its sound to everyone", refused
    yield f"{tenant.name}: the sealed bytes open with the tenant's key", [opened == (samples / RESTRICTED).read_bytes()]
    kinds = [event["kind"] for event in reversed(events) if event["user"].startswith(kari.name)]
    yield f"{tenant.name}: the audit has what the team lead did, and nothing else", [kinds == AUDITED]


def document(answer: Reply) -> Any:
    """Return the JSON of an answer. Raise ArchiveError if it is a refusal."""
    if answer.status >= 400:
        raise ArchiveError(f"The archive answered {answer.status}: {answer.data.decode(errors='replace')}")
    return answer.json


def _play(kari: Person, samples: Path) -> list[bool]:
    """Find a call by its caller's number, and play it. Return whether it was found, and whether its bytes are right."""
    calls = kari.search(f"the caller {CALLER}", CALLER)
    recording, whole = _recording(calls, ORDINARY), (samples / ORDINARY).read_bytes()
    document(kari.did(f"asks to play it: {REASON}", kari.ask(recording), "may play it for 15 minutes"))
    sound = kari.fetch(recording, "audio")
    size, seconds = len(sound.data), _seconds(sound.data)
    kari.did("plays its first range", sound, f"{size:,} of {len(whole):,} bytes, the first {seconds} s")
    call, _, number = recording.partition("/files/")
    kari.browser.post(f"{call}/played", {"file": int(number), "seconds": [[0, seconds]]})
    return [ORDINARY.partition(".")[0] in calls, seconds > 0, sound.data == whole[:size]]


def _open_restricted(kari: Person, ola: Person, tenant: Tenant) -> tuple[list[bool], str, bytes]:
    """Let a team lead and an officer ask for a restricted, sealed recording.

    Return whether they were refused, the command that opens it, and its content.
    """
    recording = _recording(ola.search("all calls"), RESTRICTED)
    lead = kari.ask(recording)
    kari.did("follows a link to a restricted call", lead, _code(lead))
    document(ola.did("asks to play that restricted call", ola.ask(recording), "may open it for 15 minutes"))
    sound, sealed = ola.fetch(recording, "audio"), ola.fetch(recording, "sealed")
    ola.did("plays it", sound, _code(sound))
    ola.did("fetches its sealed bytes", sealed, f"{len(sealed.data):,} bytes")
    refused = [lead.error == (403, "RestrictedRecording"), sound.error == (409, "SealedRecording")]
    opened = tenant.open(f"{RESTRICTED}.p7m", sealed.data)
    return refused, sound.json.get("command", "-"), opened.data


def _recording(calls: Mapping[str, Any], name: str) -> str:
    """Return the path of a recording in the archive that a search has found."""
    call = calls.get(name.partition(".")[0])
    files = call["files"] if call else ()
    numbers = [each["n"] for each in files if each["destination"] == "archive" and f"/{name}" in each["key"]]
    if call is None or not numbers:
        raise ArchiveError(f"The search did not find {name} in the archive.")
    return f"/api/calls/{call['id']}/files/{numbers[0]}"


def _code(answer: Reply) -> str:
    return str(answer.json["error"]) if answer.status >= 400 else "NOT refused"


def _seconds(sound: bytes) -> float:
    """Return how many seconds the first bytes of a WAV file are."""
    with wave.open(io.BytesIO(sound)) as file:
        frames = len(sound) / (file.getnchannels() * file.getsampwidth())
        return round(float(frames / file.getframerate()), 1)


def _audit_row(event: Mapping[str, Any]) -> tuple[str, ...]:
    spans = ", ".join(f"{begin:g} to {end:g}" for begin, end in event["seconds"] or [])
    call = f"{event['call'][:12]}..." if event["call"] else "-"
    why = event["code"] or event["reason"] or "-"
    return (event["time"][11:19], event["user"].partition("@")[0], event["kind"], call, spans or "-", why)
