"""Holds on the complete system, with the command as two people call it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from callseal.calls.call_name import CallName
from callseal.calls.card_table import CardTable
from callseal.core.clock import now
from tests.e2e.cli.command import run
from tests.e2e.localcloud.console import Console
from tests.e2e.localcloud.support import eventually
from tests.e2e.localcloud.test_calls import METADATA, NUMBER, SETTINGS
from tests.support.keys import x509_tenant


def test_calls_are_held_and_two_people_release_them(console: Console) -> None:
    console.take_on("holds", x509_tenant(), **SETTINGS)
    land(console, "1")
    eventually(lambda: holds_of(console, "1") == [])
    made = command(console, "kari", "create", "case 1", "--reason", "Claim 12", "--caller", NUMBER, "--future")
    assert (made["state"], made["calls"], made["scope"]["blind"]) == ("held", 1, True)
    assert bits(console, "1") == {"ON"}
    with pytest.raises(ClientError, match="AccessDenied"):
        delete(console, "1")

    land(console, "2")
    eventually(lambda: holds_of(console, "2") == ["case 1"])
    eventually(lambda: bits(console, "2") == {"ON"})
    assert refused(console, "", "create", "case 2", "--reason", "Claim 12", "--caller", NUMBER) == 2
    assert command(console, "kari", "release", "case 1")["state"] == "release_asked"
    assert refused(console, "kari", "approve", "case 1") == 1
    assert bits(console, "1") == {"ON"}
    done = command(console, "ola", "approve", "case 1")
    assert (done["state"], done["calls"]) == ("released", 0)
    assert (holds_of(console, "1"), holds_of(console, "2")) == ([], [])
    assert bits(console, "1") | bits(console, "2") == {"OFF"}
    kinds = ("HoldPlaced", "HoldReleaseAsked", "HoldReleased")
    (placed,), (asked,), (released,) = eventually(
        lambda: all(found := [console.audit(kind, "holds") for kind in kinds]) and found
    )
    assert (placed["law"]["counts"], released["law"]["counts"]) == ({"calls": 1, "gone": 0}, {"calls": 2, "gone": 0})
    assert [asked["message"], NUMBER[1:] in json.dumps([placed, asked, released])] == [
        "kari asked to release the hold case 1.", False
    ]  # fmt: skip


def land(console: Console, name: str) -> None:
    console.land(f"holds/{name}.xml", METADATA.replace(b"true", b"false"))
    console.land(f"holds/{name}.wav")
    keys = {f"holds/{name}.xml", f"holds/{name}.wav"}
    eventually(lambda: keys <= set(console.delivered("holds")))


def command(console: Console, person: str, step: str, name: str, *options: str) -> Any:
    answer = _run(console, person, step, name, *options)
    assert answer.code == 0, answer
    return json.loads(answer.out)


def refused(console: Console, person: str, step: str, name: str, *options: str) -> int:
    return int(_run(console, person, step, name, *options).code)


def _run(console: Console, person: str, step: str, name: str, *options: str) -> Any:
    cloud = console.cloud
    env = {"AWS_ENDPOINT_URL": cloud.endpoint_url, "CALLSEAL_STACK": cloud.stack_name, "AWS_REGION": cloud.region}
    return run("holds", step, "holds", name, *options, "--json", env=env | {"CALLSEAL_USER": person})


def holds_of(console: Console, name: str) -> list[str] | None:
    card = _card(console, name)
    return [*card.holds] if card and len(card.files) == 4 else None


def bits(console: Console, name: str) -> set[str]:
    """Return the legal holds of a call's versions in the archive."""
    heads = [console.cloud.client("s3").head_object(**version) for version in _versions(console, name)]
    return {str(head.get("ObjectLockLegalHoldStatus", "OFF")) for head in heads}


def delete(console: Console, name: str) -> None:
    for version in _versions(console, name):
        console.cloud.client("s3").delete_object(**version, BypassGovernanceRetention=True)


def _versions(console: Console, name: str) -> list[dict[str, Any]]:
    card = _card(console, name)
    assert card
    files = [(file, file.current) for file in card.files if file.destination == "archive"]
    found = [{"Bucket": file.bucket, "Key": file.key, "VersionId": each.version} for file, each in files if each]
    assert found
    return found


def _card(console: Console, name: str) -> Any:
    table = CardTable(console.cloud.client("dynamodb"), f"{console.cloud.stack_name}-calls", now)
    return table.find("holds", CallName("holds", name).id)
