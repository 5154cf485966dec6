"""The complete life of a delivered file: fetched by OpenSSH's sftp, or reported as unfetched and expired."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callseal.core.audit import timestamp
from tests.e2e.cli.command import PATHS
from tests.e2e.localcloud.support import eventually
from tests.e2e.sftp.conftest import Front
from tests.support.events import VALIDATOR

MIB = 1024 * 1024
KINDS = ("FileUnfetched", "FileExpired")


def callseal(front: Front, *arguments: str) -> Any:
    """Run the operator's command for JSON."""
    environment = {
        "AWS_ENDPOINT_URL": front.cloud.endpoint_url,
        "AWS_REGION": front.cloud.region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
    }
    command = [sys.executable, "-m", "callseal_cli", *arguments, "--stack", front.cloud.stack_name, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def listed(front: Front, tenant: str, *options: str) -> dict[str, str]:
    return {file["key"]: file["state"] for file in callseal(front, "files", "list", tenant, *options)["files"]}


def told(front: Front, tenant: str) -> list[tuple[str, str]]:
    """Return the audit events on a tenant's unfetched files."""
    front.cloud.wait_until_idle()
    pages = front.cloud.client("logs").get_paginator("filter_log_events").paginate(
        logGroupName=front.cloud.outputs["AuditLogGroupName"]
    )  # fmt: skip
    events = [json.loads(entry["message"]) for page in pages for entry in page["events"]]
    found = [one for one in events if one["detail-type"] in KINDS and one["detail"]["tenant"] == tenant]
    for one in found:
        VALIDATOR.validate(one["detail"])
    return [(one["detail-type"], one["detail"]["source"]["key"]) for one in found]


def let_time_pass(front: Front, key: str, days_left: float) -> None:
    """Change the only place that stores when a file expires and when it is to be reported."""
    end = datetime.now(UTC) + timedelta(days=days_left)
    moments = {":delivered": end - timedelta(days=7), ":expires": end, ":due": datetime.now(UTC) - timedelta(seconds=1)}
    front.cloud.client("dynamodb").update_item(
        TableName=f"{front.cloud.stack_name}-files",
        Key={"tenant": {"S": key.partition("/")[0]}, "key": {"S": key}},
        UpdateExpression="SET delivered = :delivered, expires = :expires, #due = :due",
        ExpressionAttributeNames={"#due": "due"},
        ExpressionAttributeValues={name: {"S": timestamp(moment)} for name, moment in moments.items()},
    )


def watch(front: Front) -> Any:
    return front.cloud.invoke("WatchFilesFunction", {})


@pytest.fixture
def tenant(front: Front) -> str:
    name = "picks-up"
    front.set(name, encrypt=False)
    front.let_in(name, front.public(name))
    return name


def test_life_of_a_fetched_file_and_of_an_unfetched_file(front: Front, tenant: str, tmp_path: Path) -> None:
    fetched, left = f"{tenant}/in/fetched.wav", f"{tenant}/in/left.wav"
    # when: two calls end
    for key, size in ((fetched, 3 * MIB), (left, 64 * MIB)):
        landing = front.cloud.outputs["LandingBucketName"]
        front.cloud.client("s3").put_object(Bucket=landing, Key=key, Body=os.urandom(size))
    # then: both are ready
    eventually(lambda: listed(front, tenant) == {fetched: "delivered", left: "delivered"})

    # when: the tenant fetches one file completely, and only the beginning of the other
    with front.session(tenant) as sftp, sftp.open("in/left.wav", "rb") as file:
        assert len(file.read(32 * 1024)) == 32 * 1024
    done = front.sftp("get in/fetched.wav\n", user=tenant, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # then: the first counts as fetched
    eventually(lambda: listed(front, tenant)[fetched] == "fetched")
    front.cloud.wait_until_idle()
    assert listed(front, tenant, "--state", "fetched") == {fetched: "fetched"}

    # when: days pass, and the watch runs at each of them, and once more
    seen = []
    for days in (2.9, 0.9, -0.1):
        let_time_pass(front, left, days)
        assert watch(front) == ({"unfetched": 1} if days > 0 else {"expired": 1})
        assert watch(front) == {}
        seen.append(told(front, tenant))
        unfetched = callseal(front, "status")["unfetched"]["by_tenant"]
        assert unfetched == ({tenant: 1} if days > 0 else {})
    # then: each event was sent once, and none for the fetched file
    assert seen == [
        [("FileUnfetched", left)],
        [("FileUnfetched", left)] * 2,
        [("FileUnfetched", left), ("FileUnfetched", left), ("FileExpired", left)],
    ]
    assert listed(front, tenant) == {fetched: "fetched", left: "expired"}
