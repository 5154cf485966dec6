"""The actions of the table, done by the product, and what is seen of each call in the buckets and tables after that."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from callseal.retention.hold import HoldRefusedError
from tests.support.calls import TABLE
from tests.support.disposal import records
from tests.support.stack import ARCHIVE, LANDING, SFTP

from . import rules
from .ground import CALLERS, GONE_BEFORE, LONGER, SHORTER, TENANT, Ground, erasure_of
from .states import ASKED, FUTURE, GONE, HELD, NONE, RELEASED, REQUESTED, State

NEW = "new case"
# What the function counts for each reason. A call that is not due is not among those that it looks at.
REASONS = {
    rules.BY_DATE: "", rules.BY_HOLD: "held", rules.BY_ERASURE: "erasing", rules.BY_LOCK: "locked",
    rules.BY_LANDING: "undelivered",
}  # fmt: skip
BUCKETS = (ARCHIVE, SFTP, LANDING)


@dataclass(frozen=True)
class Look:
    """All objects with their versions and locks, and the items of the calls."""

    objects: Mapping[str, list[tuple[str, str, bool, datetime | None]]]
    cards: Mapping[str, dict[str, Any]]

    def files(self, state: State, *buckets: str) -> list[tuple[str, str, bool, datetime | None]]:
        """Return the bucket, the version, the legal hold and the end of the lock of each file of a call."""
        found = self.objects.get(state.call.name, [])
        return [each for each in found if each[0] in (buckets or BUCKETS)]

    def card(self, state: State) -> dict[str, Any]:
        """Return the attributes of a call's item."""
        return self.cards[state.call.id]


def look(ground: Ground, *, locks: bool = True) -> Look:
    """Look at everything."""
    s3, objects = ground.cloud.s3, dict[str, Any]()
    for bucket in BUCKETS:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            assert not page.get("DeleteMarkers"), "nothing is hidden instead of deleted"
            for each in page.get("Versions", []):
                address = {"Bucket": bucket, "Key": each["Key"], "VersionId": each["VersionId"]}
                head = s3.head_object(**address) if locks and bucket == ARCHIVE else {}
                is_held = head.get("ObjectLockLegalHoldStatus") == "ON"
                name = each["Key"].partition("/")[2].partition(".")[0]
                objects.setdefault(name, []).append(
                    (bucket, each["VersionId"], is_held, head.get("ObjectLockRetainUntilDate"))
                )
    pages = ground.cloud.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
    items = [
        {name: next(iter(value.values())) for name, value in each.items()} for page in pages for each in page["Items"]
    ]
    return Look(objects, {each["id"]: each for each in items})


def dispose(ground: Ground, states: Sequence[State]) -> list[str]:
    """Run the disposal once."""
    before = look(ground, locks=False)
    counts = ground.dispose_recordings.lambda_handler({}, None)
    _check_counts(states, "dispose", counts)
    return _disposed(ground, states, before, look(ground, locks=False), "dispose")


def shorter(ground: Ground, states: Sequence[State]) -> list[str]:
    """Make all classes shorter."""
    before = look(ground)
    ground.policy(SHORTER)
    ground.dispose_recordings.lambda_handler({}, None)
    ground.clock.pass_by(days=3, minutes=1)
    counts = ground.dispose_recordings.lambda_handler({}, None)
    ground.work_on_holds()
    after = look(ground)
    ends = {each[1]: each[3] for of_call in before.objects.values() for each in of_call}
    assert all(each[3] == ends[each[1]] for of_call in after.objects.values() for each in of_call)
    _check_counts(states, "class shorter", counts)
    return _disposed(ground, states, before, after, "class shorter")


def longer(ground: Ground, states: Sequence[State]) -> list[str]:
    """Make all classes longer."""
    before = look(ground)
    ground.policy(LONGER)
    assert "disposed" not in ground.dispose_recordings.lambda_handler({}, None), "a longer class is followed at once"
    ground.clock.pass_by(days=3, minutes=1)
    assert "disposed" not in ground.dispose_recordings.lambda_handler({}, None)
    ground.work_on_holds()
    after = look(ground)

    def seen(state: State) -> str:
        files, were = after.files(state), before.files(state)
        if not were:
            return rules.NOTHING if not files else "came back"
        ends = [(old[3], new[3]) for old, new in zip(were, files, strict=True) if old[0] == ARCHIVE]
        if [each[:3] for each in files] != [each[:3] for each in were]:
            return "changed"
        is_longer = [new is not None and (old is None or old < new) for old, new in ends]
        return rules.LONGER if ends and all(is_longer) else "locked in part" if any(is_longer) else rules.STAYS

    return [seen(state) for state in states]


def hold(ground: Ground, states: Sequence[State]) -> list[str]:
    """Place a hold that names all calls."""
    people = ground.people
    people.create(NEW, calls=tuple(state.call.id for state in states))
    ground.work_on_holds()
    after, gone = look(ground), people.table.count(people.find(NEW)).gone

    def seen(state: State) -> str:
        archived = after.files(state, ARCHIVE)
        if state.call.id in gone:
            return rules.MISSED if not after.files(state) else "listed as gone, but there"
        if NEW not in json.loads(after.card(state).get("holds", "[]")) or not all(each[2] for each in archived):
            return "not held"
        return rules.S3_HOLD if archived else rules.CARD_HOLD

    return [seen(state) for state in states]


def release(ground: Ground, states: Sequence[State]) -> list[str]:
    """Let two people release each hold."""
    before, refused, people = look(ground), list[str](), ground.people.people
    for name in (HELD, FUTURE, ASKED, RELEASED):
        try:
            if name != ASKED:
                people.ask_release(TENANT, name, "kari")
            with pytest.raises(HoldRefusedError):
                people.approve_release(TENANT, name, "kari")
            people.approve_release(TENANT, name, "ola")
        except HoldRefusedError:
            refused.append(name)
    assert refused == [RELEASED]
    ground.work_on_holds()
    after = look(ground)

    def seen(state: State) -> str:
        was_held = "holds" in before.card(state)
        if [each[:2] for each in before.files(state)] != [each[:2] for each in after.files(state)]:
            return "changed"
        if any(each[2] for each in after.files(state)) or "holds" in after.card(state):
            return "still held"
        return rules.FREE if was_held else rules.NO_HOLD

    return [seen(state) for state in states]


def erase(ground: Ground, states: Sequence[State]) -> list[str]:
    """Do what is left to do for an erasure of each call, and run the function."""
    for erasure in sorted({erasure_of(state) for state in states}):
        if erasure[0] == NONE and erasure[1] != GONE_BEFORE:
            ground.requests[erasure] = ground.desk.start(caller=CALLERS[erasure])["request"]
        if erasure[0] in (NONE, REQUESTED) and erasure in ground.requests:
            ground.desk.approve(ground.requests[erasure])
    ground.desk.run()
    after, ledger = look(ground, locks=False), dict[str, dict[str, set[str]]]()
    for request in ground.requests.values():
        for file in ground.desk.status(request)["files"]:
            ledger.setdefault(file["call"], {}).setdefault(file["place"], set()).add(file["state"])

    def seen(state: State) -> str:
        places = {each[0] for each in after.files(state)}
        said = ledger.get(state.call.id, {})
        return _erased(state, places, said, after.card(state).get("gone"))

    return [seen(state) for state in states]


def _erased(state: State, places: set[str], said: Mapping[str, set[str]], ending: str | None) -> str:
    states, copies = set[str]().union(*said.values()), {"erased", "at_recipient"}
    if state.file == GONE:
        return rules.NOTHING if not places and states <= {"gone", "erased"} and ending else f"{places} {said} {ending}"
    if not places and ending == "erased" and states <= {"erased", "at_recipient"}:
        return rules.ERASED_HERE if said.get("sftp") == {"at_recipient"} else rules.ERASED
    if places == {ARCHIVE} and said["sftp"] <= copies and said["archive"] in ({"held"}, {"retained"}) and not ending:
        return rules.COPY_ONLY_HOLD if said["archive"] == {"held"} else rules.COPY_ONLY_LOCK
    if places and states == {"held"} and {*said} == places and not ending:
        return rules.BY_HOLD
    return f"{sorted(places)} {dict(said)} {ending}"


def _disposed(ground: Ground, states: Sequence[State], before: Look, after: Look, rule: str) -> list[str]:
    """Return what is seen of each call. If it is deleted, its record must say so."""
    lines = {line["id"]: line for each in records(ground.cloud).values() for line in each}

    def seen(state: State) -> str:
        were, files, card = before.files(state), after.files(state), after.card(state)
        line = lines.get(state.call.id)
        if not were:
            return rules.NOTHING if not files and not line else "disposed of again"
        if not files and line and card.get("gone") == "disposed":
            archived = sorted(each[1] for each in were if each[0] == ARCHIVE)
            return rules.DELETED if sorted(each["version"] for each in line["files"]) == archived else "wrong record"
        if files == were and not line and "gone" not in card:
            wanted = rules.RULES[rule](state)
            return wanted if wanted in REASONS else "stays"
        return f"{files} {line} {card.get('gone')}"

    return [seen(state) for state in states]


def _check_counts(states: Sequence[State], rule: str, counts: Mapping[str, int]) -> None:
    """Check why calls stay, of which the function gives counts only."""
    wanted = Counter(REASONS.get(rules.RULES[rule](state), "") for state in states)
    differing = {each: (wanted[each], counts.get(each, 0)) for each in {*REASONS.values()} - {""}}
    assert all(expected == found for expected, found in differing.values()), (differing, counts)


DEEDS: Mapping[str, Callable[[Ground, Sequence[State]], list[str]]] = {
    "dispose": dispose,
    "erase": erase,
    "hold": hold,
    "release": release,
    "class shorter": shorter,
    "class longer": longer,
}
