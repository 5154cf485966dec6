"""Calls on the complete system: metadata, cards and a policy, with the times that the design promises."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from callseal.calls.call_name import CallName
from callseal.calls.card_table import CardTable
from callseal.core.clock import now
from tests.e2e.localcloud.console import Console, moment
from tests.e2e.localcloud.support import eventually
from tests.support.keys import x509_tenant

MINUTE, HALF_A_MINUTE = timedelta(seconds=60), timedelta(seconds=30)
SETTINGS = {"metadata_profile": "puzzel", "deliver_to_archive": True, "archive_formats": ["wav"], "call_index": "blind"}
NUMBER = "+4790000001"
METADATA = (
    '<recording><session id="4711" start="2026-11-23T09:12:44+01:00" end="2026-11-23T09:12:58+01:00"/>'
    f'<request remoteAddress="{NUMBER}" queueKey="trading"/>'
    '<variables><variable name="deny_recording">true</variable></variables></recording>'
).encode()


def policy(**rule: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "rules": [{"rule": "refused", "when": {"denied": True}, **rule}],
        "default": {"class": "default", "record": "may", "consent": "none"},
    }


def test_a_denied_call_is_held_and_a_changed_policy_releases_it_within_a_minute(console: Console) -> None:
    console.take_on("calls", x509_tenant(), **SETTINGS)
    console.policy("calls", policy(record="never"))
    console.land("calls/1.wav")
    console.land("calls/1.xml", METADATA)

    held = eventually(lambda: len(found := _held(console)) == 2 and found)
    assert set(held) == {"calls/1.wav", "calls/1.xml"}
    assert max(moment(each["time"]) - console.landed[key] for key, each in held.items()) < MINUTE
    assert console.keys("calls/1.") == []
    card = eventually(lambda: _card(console))
    assert (card["metadata"], card["flags"]["denied"], card["caller"], card["queue"]) == ("read", True, None, None)

    console.policy("calls", policy(record="must"))
    changed = datetime.now().astimezone()
    delivered = eventually(lambda: len(found := console.delivered("calls")) == 2 and found)

    assert max(moment(each["time"]) for each in delivered.values()) - changed < MINUTE
    assert all(each["policy"]["denied"] for each in delivered.values())
    last = max(moment(each["time"]) for each in delivered.values())
    card = eventually(lambda: (found := _card(console)) and len(found["files"]) == 4 and found)
    assert datetime.now().astimezone() - last < HALF_A_MINUTE
    assert {file["sealed"] for file in card["files"]} == {"cms"}
    items = console.cloud.client("dynamodb").scan(TableName=f"{console.cloud.stack_name}-calls")["Items"]
    assert NUMBER[1:] not in str(items)


def test_a_call_is_locked_with_its_delivery_and_nothing_deletes_it(console: Console) -> None:
    console.take_on("locks", x509_tenant(), **SETTINGS)
    classes = {"orders": {"keep": "5y", "lock": "compliance"}}
    rule = {"rule": "orders", "when": {"queue": ["trading"]}, "class": "orders", "record": "must"}
    console.policy("locks", {"schema": 1, "classes": classes, "rules": [rule], "default": {"class": "default"}})
    console.land("locks/1.xml", METADATA)
    console.land("locks/1.wav")
    delivered = eventually(lambda: len(found := console.delivered("locks")) == 2 and found)

    s3, bucket = console.cloud.client("s3"), console.cloud.outputs["ArchiveBucketName"]
    for event in delivered.values():
        assert event["law"]["until"] == "2031-11-24T00:00:00.000Z"
        (output,) = (each for each in event["outputs"] if each["destination"] == "archive")
        version = {"Bucket": bucket, "Key": output["key"], "VersionId": output["version"]}
        assert s3.head_object(**version)["ObjectLockMode"] == "COMPLIANCE"
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(**version, BypassGovernanceRetention=True)


def _held(console: Console) -> dict[str, dict[str, Any]]:
    """Return the hold of each landing key that the policy has caused."""
    events = console.audit("RecordingHeld", "calls")
    return {each["source"]["key"]: each for each in events if each["reason"] == "RecordingDenied"}


def _card(console: Console) -> dict[str, Any] | None:
    table = CardTable(console.cloud.client("dynamodb"), f"{console.cloud.stack_name}-calls", now)
    card = table.find("calls", CallName("calls", "1").id)
    return card.public() if card else None
