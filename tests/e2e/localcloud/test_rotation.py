"""Keys rotated on the whole system as operators do it in the console, while recordings keep coming.

The functions are processes with the clock of this machine, so what takes a minute in life takes a minute here.
"""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.e2e.localcloud.console import Console, Tenant, moment, names, suffix
from tests.e2e.localcloud.support import eventually
from tests.support.keys import openpgp_tenant, x509_tenant
from tests.support.register import rows

# What the design promises for a rotation; and when, in seconds of the stream, something happens.
MINUTE = timedelta(seconds=60)
PASTE_AT, ANSWER_AT = 5, 12
# How many recordings of each tenant land when all workers must use the new key.
ROUNDS_AFTER = 8


def test_what_is_delivered_about_a_change_is_rechecked(console: Console) -> None:
    """By the template's own queue and function; the quarter of an hour is taken off the queue."""
    sqs, url = console.cloud.client("sqs"), console.cloud.outputs["EncryptQueueUrl"].replace("-encrypt", "-recheck")
    (delay,) = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"].values()
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "1"})
    try:
        console.take_on("again", x509_tenant("p256", "again"))
        console.land("again/1.wav")
        first, *others = eventually(lambda: rechecked(console, "again"))
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": delay})

    assert [{**other, "time": first["time"]} for other in others] == [first] * len(others)


def rechecked(console: Console, tenant: str) -> list[dict[str, Any]]:
    """Return a tenant's deliveries once a recheck, which finds the file gone, has reported one."""
    log = Path(console.cloud.log_path("RecheckDeliveryFunction"))
    events = console.audit("RecordingDelivered", tenant)
    return events if len(events) > 1 and log.exists() and '"recording gone"' in log.read_text() else []


def test_a_rotation_in_the_console_with_a_bad_paste_and_the_way_back(console: Console) -> None:
    old, new = x509_tenant("p256", "old"), x509_tenant("p384", "new")
    console.take_on("walk", old)
    console.land("walk/1.wav")
    first = console.accepted("walk")
    eventually(lambda: "walk/1.wav" in console.delivered("walk"))

    # The private key instead of the certificate: refused at once, with a sentence, and never repeated.
    private = new.private_key.read_text()
    console.paste("walk", private)
    rejected = eventually(lambda: console.audit("KeyRejected", "walk"))[0]
    assert (rejected["reason"], rejected["recipients"]) == ("KeyIsPrivate", None)
    assert rejected["key_version"] == console.versions("walk")["AWSCURRENT"]
    console.land("walk/2.wav")

    # Back to what was there before: what was held meanwhile is delivered, sealed to the old key.
    console.put_back("walk")
    eventually(lambda: len(_verdicts_on(console, first["key_version"])) > 1)
    eventually(lambda: "walk/2.wav" in console.delivered("walk"))
    assert old.open(console.fetch("walk/2.wav.p7m")) == b"said in walk/2.wav"

    # The right half: no recording that lands 60 s after the paste or later is sealed to the old key.
    console.paste("walk", new.public_text)
    pasted, fingerprint = datetime.now().astimezone(), names(console.accepted("walk"))
    for number in itertools.count(3):
        console.land(key := f"walk/{number}.wav")
        if names(eventually(lambda key=key: console.delivered("walk").get(key))) == fingerprint:
            break
        assert console.landed[key] - pasted < MINUTE
        time.sleep(1)
    assert new.open(console.fetch(f"{key}.p7m")) == f"said in {key}".encode()
    logs = "".join(path.read_text() for path in Path(console.cloud.log_path("CheckKeysFunction")).parent.glob("*.log"))
    secret_lines = private.splitlines()[1:-1]
    assert secret_lines
    assert not [line for line in secret_lines if line in logs or line in json.dumps(rejected)]


def test_held_for_the_old_key_released_by_the_new_one(console: Console) -> None:
    console.take_on("held", x509_tenant("rsa1024"))
    console.land("held/1.wav")
    (held,) = eventually(lambda: console.audit("RecordingHeld", "held"))
    assert held["reason"] == "KeyTooWeak"
    assert eventually(lambda: console.audit("KeyRejected", "held"))[0]["recipients"][0]["strength"] == 1024

    console.paste("held", x509_tenant().public_text)
    pasted = datetime.now().astimezone()

    delivered = eventually(lambda: console.delivered("held").get("held/1.wav"))
    assert moment(delivered["time"]) - pasted < MINUTE
    assert x509_tenant().open(console.fetch("held/1.wav.p7m")) == b"said in held/1.wav"


def _verdicts_on(console: Console, version: str) -> set[str]:
    """Return the ids of what was accepted of a version: it has another one when it is put back."""
    return {one["id"] for one in console.audit("KeyAccepted", "walk") if one["key_version"] == version}


def test_a_rotation_in_a_stream_of_recordings(console: Console) -> None:
    """Three tenants rotate at the same moment: one at once, one with an overlap, one with proof before use."""
    old: dict[str, Tenant] = {"cut": x509_tenant("p256", "old"), "lap": openpgp_tenant("cv25519", "old"),
                              "prove": x509_tenant("rsa2048", "old")}  # fmt: skip
    new: dict[str, Tenant] = {"cut": x509_tenant("p384", "new"), "lap": openpgp_tenant("cv25519", "new"),
                              "prove": x509_tenant("p384", "new")}  # fmt: skip
    console.take_on("cut", old["cut"])
    console.take_on("lap", old["lap"], rotation_overlap_days=7)
    console.take_on("prove", old["prove"], require_key_proof=True)
    before = {tenant: names(console.accepted(tenant)) for tenant in old}
    eventually(lambda: console.keys("prove/key-check/"))
    console.prove("prove", old["prove"], before["prove"][0])
    _wait_for_register(console, "prove", before["prove"][0], "proven")
    _wait_for_register(console, "lap", before["lap"][0], "accepted")

    pasted, after = _stream(console, old, new)

    for tenant in old:
        delivered = eventually(lambda tenant=tenant: _all_of(console, tenant))
        late = {key: moment(detail["time"]) - console.landed[key] for key, detail in delivered.items()}
        assert max(late.values()) < MINUTE, "none is late"
        # A file is purged after its event. None is lost, and none remains.
        eventually(lambda tenant=tenant: not console.keys(f"{tenant}/", "LandingBucketName"))
        new_form = (*after[tenant], *before[tenant]) if tenant == "lap" else after[tenant]
        assert {names(detail) for detail in delivered.values()} == {before[tenant], new_form}
        # Each worker remembers a key for a minute, so for a minute both forms come.
        by_then = [key for key in delivered if console.landed[key] > pasted + MINUTE]
        assert len(by_then) >= ROUNDS_AFTER
        assert {names(delivered[key]) for key in by_then} == {new_form}
        assert min(console.landed[key] for key in delivered if names(delivered[key]) == new_form) < pasted + MINUTE
        assert {names(delivered[key]) for key in delivered if moment(delivered[key]["time"]) < pasted} == {
            before[tenant]
        }
        both = (*after[tenant], *before[tenant])
        _open_all(console, delivered, {before[tenant]: old[tenant], after[tenant]: new[tenant]}, both)
    proven = console.audit("KeyProven", "prove")[-1]
    assert names(proven) == after["prove"]
    used = [detail for detail in console.delivered("prove").values() if names(detail) == after["prove"]]
    assert min(moment(detail["time"]) for detail in used) > moment(proven["time"]), "nothing before the proof"
    assert "to the previous key as well" in console.audit("KeyAccepted", "lap")[-1]["message"]
    counts = Counter(name for one in console.delivered("cut").values() for name in names(one))
    # The register follows the audit events.
    eventually(lambda: _use_counts(console, "cut") == counts)


def _use_counts(console: Console, tenant: str) -> dict[str, int]:
    found = rows(console.cloud.client("dynamodb"), tenant, f"{console.cloud.stack_name}-key-register")
    return {name: row.get("use_count", 0) for name, row in found.items()}


def _wait_for_register(console: Console, tenant: str, fingerprint: str, member: str) -> None:
    client, table = console.cloud.client("dynamodb"), f"{console.cloud.stack_name}-key-register"
    eventually(lambda: rows(client, tenant, table).get(fingerprint, {}).get(member))


def _stream(
    console: Console, old: dict[str, Tenant], new: dict[str, Tenant]
) -> tuple[datetime, dict[str, tuple[str, ...]]]:
    """Land a recording a second for each tenant; paste the new keys on the way, and prove one of them."""
    began, after = time.monotonic(), dict[str, tuple[str, ...]]()
    done: set[Callable[[], None]] = set()
    pasted = datetime.now().astimezone()

    def once(action: Callable[[], None], at: float) -> None:
        if action not in done and time.monotonic() - began >= at:
            done.add(action)
            action()

    def paste() -> None:
        nonlocal pasted
        pasted = datetime.now().astimezone()
        for tenant, key in new.items():
            console.paste(tenant, key.public_text)

    def answer() -> None:
        after.update({tenant: names(console.accepted(tenant)) for tenant in new})
        eventually(lambda: len(console.keys("prove/key-check/")) == 2)
        console.prove("prove", new["prove"], after["prove"][0])

    number = rounds = 0
    # Counted, because a busy machine lands less than one a second.
    while rounds < ROUNDS_AFTER:
        once(paste, PASTE_AT)
        once(answer, ANSWER_AT)
        rounds += datetime.now().astimezone() > pasted + MINUTE
        for tenant in old:
            console.land(f"{tenant}/{number:03}.wav")
        number += 1
        time.sleep(max(0.0, began + number - time.monotonic()))
    return pasted, after


def _all_of(console: Console, tenant: str) -> dict[str, dict[str, Any]] | None:
    wanted = {key for key in console.landed if key.startswith(f"{tenant}/")}
    delivered = console.delivered(tenant)
    return delivered if set(delivered) == wanted else None


def _open_all(
    console: Console,
    delivered: dict[str, dict[str, Any]],
    openers: dict[tuple[str, ...], Tenant],
    both: tuple[str, ...],
) -> None:
    """Open recordings with the private halves of those that their audit events name: of two recipients, with each."""
    for key, detail in list(delivered.items())[::4]:
        who = [openers[names(detail)]] if names(detail) != both else list(openers.values())
        for tenant in who:
            assert tenant.open(console.fetch(key + suffix(tenant))) == f"said in {key}".encode()
