"""The erasure of one caller's 40 calls, step by step, and a search for what is left after each step.

Nothing here uses the product's own knowledge of where a call is: `traces` reads everything that the cloud keeps.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from localcloud import LocalCloud
from tests.e2e.erasure import forty_calls as forty
from tests.e2e.erasure.forty_calls import LandedCall
from tests.e2e.erasure.scene import KARI, OLA, Scene
from tests.support.keys import x509_tenant
from tests.support.traces import Wanted, items, objects, search

BUCKETS = ("ArchiveBucketName", "SftpBucketName", "LandingBucketName")
HOLD = ("claim 12", "--reason", "Claim 12 of the insurance", "--caller", forty.NUMBER, "--queue", "*claims")
BASIS = ("--caller", "93 17 46 82", "--basis", "GDPR, article 17(1)(b)")
HELD, RETAINED = ("claims", "orders-claims"), ("orders", "orders-claims")
# Where SHA-256 of sealed files may stay: in the certificates, in the ledger that they are made from, and in the audit
# trail, which is locked.
MAY_NAME_HASHES = ("bucket audit", "table retention", "log audit")


def test_an_erasure_leaves_nothing_but_what_must_be_kept(scene: Scene) -> None:
    calls, ids = land_all(scene)
    wanted = Wanted(forty.DIGITS, forty.SPOKEN)
    use(scene, calls, ids)
    learn(scene.cloud, wanted, calls)
    before = of_others(scene.cloud, ids)
    assert_found_everywhere(scene.cloud, wanted)

    request = erase(scene)
    partly = scene.callseal("erase", "status", "acme", request)
    assert (partly["state"], partly["counts"]) == (
        "partly", {"at_recipient": 5, "erased": 119, "held": 16, "retained": 12}
    )  # fmt: skip
    assert_left(scene, wanted, calls, ids, {*HELD, *RETAINED}, has_hold=True)
    assert_certified(scene, request, ids, calls, partly)
    assert_notice(scene, request, "acme", x509_tenant())

    answer(scene, "acme", request)
    assert scene.callseal("erase", "status", "acme", request)["counts"] == {"erased": 124, "held": 16, "retained": 12}

    scene.callseal("holds", "release", "acme", HOLD[0])
    scene.callseal("holds", "approve", "acme", HOLD[0], person=OLA)
    run_hourly(scene)
    released = scene.callseal("erase", "status", "acme", request)
    assert (released["state"], released["counts"]) == ("partly", {"erased": 136, "retained": 16})
    assert_left(scene, wanted, calls, ids, {*RETAINED})
    assert_certified(scene, request, ids, calls, released)

    pass_days(scene.cloud, 22)
    run_hourly(scene)
    done = scene.callseal("erase", "status", "acme", request)
    assert (done["state"], done["counts"], done["due"]) == ("done", {"erased": 152}, partly["due"])
    assert_left(scene, wanted, calls, ids, set())
    assert_certified(scene, request, ids, calls, done)
    assert of_others(scene.cloud, ids) == before

    land_again(scene, calls, wanted)
    assert of_others(scene.cloud, ids) == before


# ---- the steps -------------------------------------------------------------------------------------------------------


def land_all(scene: Scene) -> tuple[list[LandedCall], dict[str, str]]:
    """Land the calls of both callers. Return the caller's, and the ids of all by their names."""
    scene.take_on("acme", x509_tenant(), forty.SETTINGS, policy=forty.POLICY, access=forty.ACCESS)
    calls = [*forty.callers_calls()]
    assert len(calls) == 40
    for call in (*calls, *forty.others_calls()):
        forty.land(scene.cloud, "acme", call)
    scene.settle()
    # A file that no one delivers, of a call that was delivered.
    put(scene.cloud, "LandingBucketName", f"acme/{calls[0].name}.txt", calls[0].spoken)
    scene.settle()
    found = scene.callseal("calls", "list", "acme", "--limit", "100")["calls"]
    assert len(found) == 45, Counter(call["queue"] for call in found)
    return calls, {call["name"]: call["id"] for call in found}


def use(scene: Scene, calls: list[LandedCall], ids: Mapping[str, str]) -> None:
    """Do with the calls what people do: search, listen, share, fetch, hold, overwrite and hide."""
    officer = scene.officer()
    assert len(officer.get("/api/calls", caller=forty.NUMBER).json["calls"]) == 40
    shared = ids[calls[1].name]
    for call in (shared, ids[calls[2].name]):
        card = officer.get(f"/api/calls/{call}").json
        file = next(each["n"] for each in card["files"] if each["destination"] == "archive")
        access = officer.post(f"/api/calls/{call}/access", {"action": "play", "file": file, "reason": "quality"})
        assert access.status == 201, access.data
        drawn = officer.get(f"/api/calls/{call}/files/{file}/waveform", access=access.json["access"])
        assert drawn.status == 200, drawn.data
    browser, sound = scene.share(officer, shared, 0)
    assert forty.SPOKEN in browser.get(sound).data
    fetched = [f"{call.name}.wav.p7m" for call in calls if call.name in {each.name for each in picked(calls)}]
    scene.sftp("acme", "".join(f"get {name}\n" for name in fetched))
    for name in fetched:
        call = next(call for call in calls if name.startswith(f"{call.name}."))
        assert x509_tenant().open((scene.folder / Path(name).name).read_bytes()) == call.recording
    held = scene.callseal("holds", "create", "acme", *HOLD)
    assert (held["state"], held["calls"]) == ("held", 8)
    hidden = f"acme/{calls[3].name}.wav"
    put(scene.cloud, "ArchiveBucketName", hidden, calls[3].recording)
    scene.cloud.client("s3").delete_object(Bucket=scene.cloud.outputs["ArchiveBucketName"], Key=hidden)
    scene.settle()


def picked(calls: list[LandedCall]) -> list[LandedCall]:
    """Return a call each of five queues, whose recordings the tenant fetches."""
    return [
        next(call for call in calls if call.queue == queue) for queue in ("sales", "law", "claims", "quality", "orders")
    ]


def learn(cloud: LocalCloud, wanted: Wanted, calls: list[LandedCall]) -> None:
    """Let the search know the SHA-256 of all the caller's files, as they landed and as they were delivered."""
    names = tuple(f"acme/{call.name}." for call in calls)
    for bucket in BUCKETS:
        for (key, _), content in objects(cloud, bucket).items():
            if key.startswith(names) and content and "10_1.2" not in key:
                wanted.learn(content[0])
    for call in calls:
        wanted.learn(call.recording)


def erase(scene: Scene) -> str:
    """Let two people ask for the erasure, and wait until it is carried out as far as it may be."""
    started = scene.callseal("erase", "start", "acme", *BASIS)
    assert (started["state"], started["calls"]) == ("requested", 40)
    request = str(started["request"])
    refused = scene.callseal("erase", "approve", "acme", request, person=KARI, code=1)
    assert "Another person" in refused["error"]
    scene.callseal("erase", "approve", "acme", request, person=OLA)
    scene.settle()
    return request


def answer(scene: Scene, tenant: str, request: str) -> None:
    """Answer the notice by SFTP, as the tenant does after it has erased its copies."""
    (scene.folder / "empty").write_bytes(b"")
    scene.sftp(tenant, f"put empty notices/erasure-{request}.done\n")
    scene.settle()
    (event,) = scene.audit("RecipientNotified", tenant)
    assert event["law"]["request"] == request
    assert f"{tenant}/notices/erasure-{request}.done" not in {key for key, _ in objects(scene.cloud, "SftpBucketName")}


def pass_days(cloud: LocalCloud, days: int) -> None:
    outputs = json.loads((cloud.state_dir / "outputs.json").read_text())
    Path(outputs["ClockFile"]).write_text(str(days * 86_400))


def run_hourly(scene: Scene) -> None:
    """Run the function as its schedule does."""
    answer = scene.cloud.client("lambda").invoke(
        FunctionName=f"{scene.cloud.stack_name}-erase-recordings", Payload=b"{}"
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    scene.settle()


def land_again(scene: Scene, calls: list[LandedCall], wanted: Wanted) -> None:
    """Land files of erased calls again: they stay in landing, and nothing of them is anywhere else."""
    again = [calls[0], calls[-1]]
    for call in again:
        forty.land(scene.cloud, "acme", call)
    scene.settle()
    s3, bucket = scene.cloud.client("s3"), scene.cloud.outputs["LandingBucketName"]
    keys = {f"acme/{call.name}.{extension}" for call in again for extension in ("json", "wav")}
    for key in keys:
        tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}
        assert (tags["callseal-state"], tags["callseal-reason"]) == ("held", "Erased")
    found = search(scene.cloud, wanted)
    assert {hit.name for hit in found if hit.what != "sha256"} == keys
    assert not {hit for hit in found if hit.what == "sha256" and hit.place not in (*MAY_NAME_HASHES, "bucket landing")}


# ---- what is there ---------------------------------------------------------------------------------------------------


def assert_found_everywhere(cloud: LocalCloud, wanted: Wanted) -> None:
    """Check that the search sees each place that the erasure has to reach."""
    found = search(cloud, wanted)
    places = {(hit.what, hit.place) for hit in found}
    assert {
        ("number", "bucket landing"), ("number", "bucket archive"), ("number", "table calls"),
        ("number", "table retention"), ("recording", "bucket landing"), ("recording", "bucket archive"),
        ("sha256", "bucket sftp"), ("sha256", "table calls"),
    } <= places, places  # fmt: skip
    for table in ("archive-waveforms", "archive-shares", "files"):
        assert items(cloud, f"{cloud.stack_name}-{table}"), table


def assert_left(
    scene: Scene, wanted: Wanted, calls: list[LandedCall], ids: Mapping[str, str], queues: set[str],
    *, has_hold: bool = False,
) -> None:  # fmt: skip
    """Check that nothing is left but the files and cards of calls of some queues, and the hold that has the number."""
    left = [call for call in calls if call.queue in queues]
    names = {f"acme/{call.name}.{extension}" for call in left for extension in ("json", "wav")}
    names |= {f"acme {ids[call.name]}" for call in left} | ({f"acme hold#{HOLD[0]}"} if has_hold else set())
    found = {hit for hit in search(scene.cloud, wanted) if hit.what != "sha256" or hit.place not in MAY_NAME_HASHES}
    assert {hit.name for hit in found} <= names, {hit for hit in found if hit.name not in names}
    assert {hit.place for hit in found} <= {"bucket archive", "table calls", "table retention"}
    archived = {key for key, _ in objects(scene.cloud, "ArchiveBucketName")}
    assert {f"acme/{call.name}.wav" for call in left} <= archived, "what must be kept is there"
    assert not [*wanted.find("\n".join(scene.said).encode())], "what the command printed"
    gone = [call for call in calls if call not in left]
    assert_no_trace(scene.cloud, gone, {ids[call.name] for call in gone})


def assert_no_trace(cloud: LocalCloud, gone: list[LandedCall], ids: set[str]) -> None:
    """Check that no waveform, no open share and no row of the register of files is left of erased calls."""
    shares = [share for share in items(cloud, f"{cloud.stack_name}-archive-shares") if share["call"]["S"] in ids]
    assert shares and all("cancelled" in share for share in shares)
    words = [*ids, *(f"{call.name}.{extension}" for call in gone for extension in ("json", "wav"))]
    for table in ("archive-waveforms", "files", "sweep"):
        text = str(items(cloud, f"{cloud.stack_name}-{table}"))
        assert not [word for word in words if word in text], table


def assert_certified(
    scene: Scene, request: str, ids: Mapping[str, str], calls: list[LandedCall], status: Mapping[str, Any]
) -> None:
    """Check the last certificate: signed, with the truth about each file, and with nothing that names a person."""
    document = scene.certificate("acme", request)
    files = document["files"]
    assert Counter(file["state"] for file in files) == status["counts"]
    assert {file["call"] for file in files} == {ids[call.name] for call in calls}
    queue_of = {ids[call.name]: call.queue for call in calls}
    is_held = "held" in status["counts"]
    for file in files:
        if file["state"] == "held":
            assert (queue_of[file["call"]] in HELD, file["until"]) == (True, None)
        elif file["state"] == "retained":
            assert queue_of[file["call"]] in (set(RETAINED) - set(HELD) if is_held else RETAINED)
            assert file["until"] == f"{datetime.now(UTC).date() + timedelta(days=21)}T00:00:00.000Z"
    stays = {file["version"] for file in files if file["state"] in ("held", "retained")}
    names = tuple(f"acme/{call.name}." for call in calls)
    there = [place for place in objects(scene.cloud, "ArchiveBucketName") if place[0].startswith(names)]
    assert {version for key, version in there if "10_1.2" not in key} == stays
    assert not [call.name for call in calls if call.name in json.dumps(document)]
    assert_chained(scene, request, document)


def assert_chained(scene: Scene, request: str, last: Mapping[str, Any]) -> None:
    """Check that each certificate names the one before it, to the last."""
    stored = objects(scene.cloud, "AuditBucketName")
    found = {key: content[0] for (key, _), content in sorted(stored.items()) if f"/{request}/" in key and content}
    certificates = [data for key, data in found.items() if key.endswith(".json")]
    previous = [None, *(sha256(data).hexdigest() for data in certificates)]
    assert [json.loads(data)["previous"] for data in certificates] == previous[:-1]
    assert json.loads(certificates[-1]) == last


def assert_notice(scene: Scene, request: str, tenant: str, key: Any) -> None:
    """Open the notice with the tenant's own key, and compare it with what was delivered."""
    suffix = "p7m" if hasattr(key, "certificate") else "pgp"
    notice = json.loads(key.open(scene.get("SftpBucketName", f"{tenant}/notices/erasure-{request}.json.{suffix}")))
    assert not [*Wanted(forty.DIGITS, forty.SPOKEN).find(json.dumps(notice).encode())]
    outputs = [output for event in scene.audit("RecordingDelivered", tenant) for output in event["outputs"]]
    delivered = {each["key"]: each for each in outputs if each["destination"] == "sftp"}
    fetched = {event["source"]["key"] for event in scene.audit("FileFetched", tenant)}
    for file in notice["files"]:
        output = delivered[f"{tenant}/{file['name']}"]
        assert (file["sha256"], file["size"]) == (output["sha256"], output["size"])
    assert (notice["request"], notice["tenant"]) == (request, tenant)
    assert {f"{tenant}/{file['name']}" for file in notice["files"] if file["fetched"]} == fetched
    assert len(notice["files"]) == 70


def of_others(cloud: LocalCloud, ids: Mapping[str, str]) -> dict[str, Any]:
    """Return all that is there of the other caller's calls: each version with its headers and tags, and each card."""
    names = tuple(f"acme/{call.name}." for call in forty.others_calls())
    found: dict[str, Any] = {
        bucket: {place: content for place, content in objects(cloud, bucket).items() if place[0].startswith(names)}
        for bucket in BUCKETS
    }
    others = {ids[call.name] for call in forty.others_calls()}
    cards = [item for item in items(cloud, f"{cloud.stack_name}-calls") if item["id"]["S"] in others]
    found["cards"] = sorted(json.dumps(item, sort_keys=True) for item in cards)
    assert [len(found[bucket]) for bucket in BUCKETS] == [10, 10, 0] and len(cards) == 5
    return found


def put(cloud: LocalCloud, output: str, key: str, data: bytes) -> None:
    cloud.client("s3").put_object(Bucket=cloud.outputs[output], Key=key, Body=data)
