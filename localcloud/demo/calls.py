"""The demo's calls: what a policy does with three of them, and a caller who is found without a number in any table."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from callseal.core.errors import Reason
from callseal.core.formats import ENVELOPES
from localcloud.cloud import LocalCloud
from localcloud.demo.command import callseal
from localcloud.demo.operator import Operator
from localcloud.demo.screen import Screen
from localcloud.demo.tenants import Tenant

# As a person types it; the metadata has +4790000001.
CALLER, DIGITS = "+47 90 00 00 01", "90000001"
POLICY = {
    "schema": 1,
    "classes": {"default": {"delete_after": "90d"}},
    "rules": [
        {"rule": "caller-refused", "when": {"denied": True}, "record": "never"},
        {"rule": "by-law-only", "when": {"restricted": True}, "restricted": True},
    ],
    "default": {},
}
SHOWN = ("started", "seconds", "caller", "callee", "agent", "queue", "name")
PATIENCE_SECONDS = 60
DENIED = "4711000000000003_1"
Calls = Mapping[str, list[Path]]
# In the SFTP bucket, in the archive, and in landing.
State = tuple[str, ...]
Checks = Iterator[tuple[str, list[bool]]]


def _make_calls(samples: Path, folder: Path) -> dict[str, list[Path]]:
    """Return the files of three calls by what their metadata says: an ordinary, a restricted and a denied one."""
    wav, xml, mp3, mp3_xml = (
        samples / f"471100000000000{name}" for name in ("1_1.wav", "1_1.xml", "2_1.mp3", "2_1.xml")
    )
    denied, denied_xml = (folder / f"{DENIED}.{extension}" for extension in ("wav", "xml"))
    denied.write_bytes(wav.read_bytes())
    metadata = xml.read_text().replace("4711000000000001", DENIED.partition("_")[0])
    denied_xml.write_text(metadata.replace('"deny_recording">false', '"deny_recording">true'))
    return {
        "nothing": [wav, xml],
        "SET_RESTRICTED: recorded by law only": [mp3, mp3_xml],
        "deny_recording: the caller refused": [denied, denied_xml],
    }


def show_calls(operator: Operator, screen: Screen, samples: Path, with_policy: Tenant, blind: Tenant) -> Checks:
    """Show calls under a policy, and a search on blind cards. Return the checks with their results."""
    yield from _show_policy(operator, screen, with_policy, samples)
    yield from _show_search(operator.cloud, screen, blind)


def _show_policy(operator: Operator, screen: Screen, tenant: Tenant, samples: Path) -> Checks:
    """Add a tenant with a policy, land three calls, and show what the policy did. Return the checks with results."""
    screen.chapter(
        "Some calls must not be recorded, and some are recorded only because the law says so",
        f"{tenant.name} has a plain archive, and a policy. A recording waits for its metadata, which decides.",
    )
    operator.put_policy(tenant, POLICY)
    operator.add(tenant, tenant.public_key())
    calls = _make_calls(samples, tenant.folder)
    for path in (path for files in calls.values() for path in files):
        operator.land(tenant, path)
    with screen.waiting("Callseal reads the metadata, applies the policy, seals and delivers"):
        operator.cloud.wait_until_idle(PATIENCE_SECONDS)
    states = _show_states(screen, operator, tenant, calls)
    yield from _policy_checks(operator, tenant, calls, states)


def _show_states(screen: Screen, operator: Operator, tenant: Tenant, calls: Calls) -> dict[str, list[State]]:
    """Show where each file is, and which rule decided. Return the states of each call's files."""
    rules = {
        event["detail"]["source"]["key"]: event["detail"]["policy"]["rule"]
        for event in operator.audit()
        if event["detail"]["tenant"] == tenant.name and event["detail"].get("policy")
    }
    rows, states = [], dict[str, list[State]]()
    for says, files in calls.items():
        for path in files:
            key = f"{tenant.name}/{path.name}"
            state = tuple(operator.state(bucket, key) for bucket in ("Sftp", "Archive", "Landing"))
            states.setdefault(says, []).append(state)
            rows.append((path.name, says, rules.get(key, "-"), *state))
    screen.table(("file", "its metadata says", "rule", "SFTP", "archive", "landing"), rows)
    return states


def _policy_checks(operator: Operator, tenant: Tenant, calls: Calls, states: Mapping[str, list[State]]) -> Checks:
    ordinary, restricted, denied = calls
    held, sealed = ("-", "-", f"held {Reason.RECORDING_DENIED}"), f"sealed {ENVELOPES['cms'].suffix}"
    yield (
        f"{tenant.name}: the denied call is held, and none of its files left landing",
        [state == held for state in states[denied]],
    )
    yield (
        f"{tenant.name}: the restricted call is sealed in the archive",
        [state == (sealed, sealed, "-") for state in states[restricted]],
    )
    yield (
        f"{tenant.name}: the other call is plain in the archive",
        [state == (sealed, "plain", "-") for state in states[ordinary]],
    )
    yield (
        "landing has the denied call, and everything else is delivered",
        [key.startswith(f"{tenant.name}/{DENIED}.") for key in operator.keys("Landing")],
    )
    yield (
        f"{tenant.name}: the restricted call opens, byte for byte what was recorded",
        [_opened(operator, tenant, path) == path.read_bytes() for path in calls[restricted]],
    )


def _show_search(cloud: LocalCloud, screen: Screen, tenant: Tenant) -> Checks:
    """Find a caller on blind cards. Return the checks with their results."""
    screen.chapter(
        "A caller asks for the recording, and is found, though no table has the number",
        f"The metadata of {tenant.name} is sealed, so its calls are indexed by keyed hashes.",
    )
    arguments = ("calls", "list", tenant.name, "--caller", CALLER)
    screen.say(f"$ callseal {shlex.join(arguments)}")
    found = callseal(cloud, *arguments)["calls"]
    screen.table(SHOWN, [["-" if call[name] is None else call[name] for name in SHOWN] for call in found])
    if found:
        screen.say(f"The card has only keyed hashes of {', '.join(found[0]['blind'])}.")
    items = _items(cloud, tenant.name)
    screen.say(f"{DIGITS} occurs {json.dumps(items).count(DIGITS)} times in the {len(items)} items of the table.")
    yield (
        f"{tenant.name}: the caller is found by the number",
        [
            [call["name"] for call in found] == ["4711000000000001_1"],
        ],
    )
    yield f"{tenant.name}: no item of the table has the number", [DIGITS not in json.dumps(item) for item in items]


def _opened(operator: Operator, tenant: Tenant, path: Path) -> bytes:
    """Return the content of a sealed file in the archive, or nothing if it is not there."""
    files = operator.files("Archive", tenant)
    name = f"{path.name}{ENVELOPES['cms'].suffix}"
    return tenant.open(name, files[name]).data if name in files else b""


def _items(cloud: LocalCloud, tenant: str) -> list[Any]:
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=f"{cloud.stack_name}-calls")
    return [item for page in pages for item in page["Items"] if item["tenant"]["S"] == tenant]
