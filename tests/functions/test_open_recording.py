"""open_recording: no byte without a grant, an access and its event; short ranges; downloads; sealed recordings."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from callseal.inbound.http import RequestFailedError
from tests.support.archive import FINGERPRINTS, People, Reply, Visitor
from tests.support.clock import Clock
from tests.support.network import Network
from tests.support.stack import ARCHIVE, Stack

ALL = {"group": "all", "may": ["search", "play", "download"], "restricted": True, "sensitive": True}
MIB = 1024 * 1024
DATA = bytes(range(256)) * 16 * 1024  # 4 MiB


@pytest.fixture
def people(cloud: Stack, clock: Clock, open_recording: ModuleType) -> People:
    people = People(cloud, clock, [open_recording])
    people.access(ALL)
    return people


def ask(visitor: Visitor, call: str, action: str = "play", file: int = 0, **members: Any) -> Reply:
    return visitor.post(f"/api/calls/{call}/access", {"action": action, "file": file, **members})


def audio(visitor: Visitor, call: str, span: str = "bytes=0-", file: int | str = 0, what: str = "audio") -> Reply:
    return visitor.get(f"/api/calls/{call}/files/{file}/{what}", {"range": span})


def recorded(cloud: Stack, kind: str) -> list[dict[str, Any]]:
    return [detail["archive"] for detail in cloud.audit_details(kind)]


def test_access_is_recorded_and_lasts_fifteen_minutes(people: People, cloud: Stack, clock: Clock) -> None:
    call, kari = people.call(data=DATA), people.visitor("all")
    assert audio(kari, call).error == (403, "ReasonRequired")

    reply = ask(kari, call, reason="Complaint 7", text="They asked twice.\nAgain today.")

    assert reply.status == 201 and {*reply.json} == {"access", "expires"}
    ends = datetime.fromisoformat(reply.json["expires"]) - clock()
    assert timedelta(minutes=14, seconds=50) < ends <= timedelta(minutes=15)
    (played,) = recorded(cloud, "RecordingPlayed")
    assert (played["call"], played["file"], played["access"]) == (call, 0, reply.json["access"])
    assert (played["reason"], played["text"], played["seconds"]) == (
        "Complaint 7",
        "They asked twice.\nAgain today.",
        None,
    )
    first = audio(kari, call)
    assert (first.status, first.data) == (206, DATA[: 256 * 1024])
    clock.pass_by(minutes=14)
    assert audio(kari, call).status == 206
    clock.pass_by(minutes=1, seconds=1)
    assert audio(kari, call).error == (403, "ReasonRequired")


def test_access_is_for_one_session_call_file_and_action(people: People) -> None:
    call, other = people.call("1"), people.call("2")
    kari, again = people.visitor("all"), people.visitor("all")
    assert ask(kari, call).status == 201

    assert audio(kari, call).status == 206
    assert audio(again, call).error == (403, "ReasonRequired")
    assert audio(kari, other).error == (403, "ReasonRequired")
    assert kari.post(f"/api/calls/{call}/files/0/download").error == (403, "ReasonRequired")
    assert ask(again, call, "download").status == 201
    assert audio(again, call).error == (403, "ReasonRequired")


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [
        ("bytes=0-", 0, 256 * 1024 - 1), ("bytes=0-1", 0, 1), ("", 0, 256 * 1024 - 1), ("bytes=5-", 5, 5 + MIB - 1),
        ("bytes=5-9", 5, 9), ("bytes=-10", 4 * MIB - 10, 4 * MIB - 1),
        (f"bytes={4 * MIB - 1}-", 4 * MIB - 1, 4 * MIB - 1), (f"bytes=100-{10**15}", 100, 100 + MIB - 1),
        ("bytes=-99999999", 0, 256 * 1024 - 1),
    ],
)  # fmt: skip
def test_range_is_sent_in_part(people: People, span: str, first: int, last: int) -> None:
    call, kari = people.call(data=DATA), people.visitor("all")
    ask(kari, call)

    reply = audio(kari, call, span)

    assert (reply.status, reply.data) == (206, DATA[first : last + 1])
    assert reply.headers["content-range"] == f"bytes {first}-{last}/{len(DATA)}"
    wanted = {"accept-ranges": "bytes", "content-type": "audio/wav", "cache-control": "private, no-store"}
    assert wanted.items() <= reply.headers.items() and reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["etag"].startswith('"')


@pytest.mark.parametrize("span", ["bytes=9-5", "bytes=0-1,5-6", "bytes=", "bytes=-", "items=0-1", "bytes=a-b", "0-1"])
def test_range_that_is_no_single_range_is_refused(people: People, span: str) -> None:
    call, kari = people.call(), people.visitor("all")
    ask(kari, call)
    assert audio(kari, call, span).error == (400, "InvalidRange")


@pytest.mark.parametrize("span", ["bytes=2004-", "bytes=9999-99999", "bytes=-0"])
def test_range_outside_the_file_is_refused(people: People, span: str) -> None:
    call, kari = people.call(), people.visitor("all")
    ask(kari, call)
    reply = audio(kari, call, span)
    assert (reply.status, reply.headers["content-range"]) == (416, "bytes */2004")


@pytest.mark.parametrize("sealed", ["cms", "openpgp"])
def test_sealed_recording_is_not_played_but_opened_with_its_key(people: People, cloud: Stack, sealed: str) -> None:
    call, kari = people.call(name="2026/it's_1", data=DATA, sealed=sealed), people.visitor("all")
    refused = audio(kari, call)
    assert refused.error == (409, "SealedRecording")
    assert refused.json["recipients"] == [*FINGERPRINTS]
    command = refused.json["command"]
    assert command.startswith("openssl cms -decrypt" if sealed == "cms" else "gpg --output")
    assert "'it'\"'\"'s_1.wav'" in command
    assert audio(kari, call, what="sealed").error == (403, "ReasonRequired")

    assert ask(kari, call).status == 201

    assert audio(kari, call).error == (409, "SealedRecording")
    parts, at = b"", 0
    while at < len(DATA):
        reply = audio(kari, call, f"bytes={at}-", what="sealed")
        assert reply.status == 206 and reply.headers["content-type"] == "application/octet-stream"
        parts, at = parts + reply.data, at + len(reply.data)
    assert parts == DATA
    (opened,) = recorded(cloud, "RecordingOpenedByKey")
    assert (opened["call"], opened["file"]) == (call, 0)
    assert recorded(cloud, "RecordingPlayed") == []


def test_plain_recording_has_no_sealed_bytes(people: People) -> None:
    call, kari = people.call(), people.visitor("all")
    ask(kari, call)
    assert audio(kari, call, what="sealed").error == (409, "PlainRecording")


@pytest.mark.parametrize("sealed", ["none", "cms"])
def test_download_is_a_url_for_a_minute(people: People, cloud: Stack, sealed: str) -> None:
    call, kari = people.call("2026/Zoë 1", sealed=sealed), people.visitor("all")
    assert ask(kari, call, "download").status == 201

    url = kari.post(f"/api/calls/{call}/files/0/download").json["url"]

    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Expires"] == ["60"] and ARCHIVE in url
    suffix = ".p7m" if sealed == "cms" else ""
    assert query["response-content-disposition"] == [f"attachment; filename*=UTF-8''Zo%C3%AB%201.wav{suffix}"]
    assert query["response-content-type"] == ["application/octet-stream"]
    (downloaded,) = recorded(cloud, "RecordingDownloaded")
    assert (downloaded["call"], downloaded["action"]) == (call, "download")


def test_copy_by_sftp_and_files_that_are_not_there_are_unknown(people: People) -> None:
    call, kari = people.call(), people.visitor("all")
    for file in (1, 2, 9999):
        assert ask(kari, call, file=file).error == (404, "NotFound")
        for what in ("audio", "sealed"):
            assert audio(kari, call, file=file, what=what).error == (404, "NotFound")
    for file in ("x", "-1", "00000", "1e3", "%30"):
        assert audio(kari, call, file=file).error == (404, "NotFound")


def test_replaced_object_is_not_sent(people: People, cloud: Stack) -> None:
    """The card says plain, and what is there now is sealed or has another size."""
    call, kari = people.call(), people.visitor("all")
    ask(kari, call)
    for metadata, data in (({"callseal-sealed": "cms"}, bytes(2004)), ({"callseal-sealed": "none"}, bytes(2005))):
        cloud.s3.put_object(Bucket=ARCHIVE, Key="acme/2026/1_1.wav", Body=data, Metadata=metadata)
        assert audio(kari, call).error == (404, "NotFound")
    cloud.s3.delete_object(Bucket=ARCHIVE, Key="acme/2026/1_1.wav")
    assert audio(kari, call).error == (404, "NotFound")


def test_reason_is_required_where_the_access_says_so(people: People, cloud: Stack) -> None:
    people.access(ALL, reason_for=["play"])
    call, kari = people.call(), people.visitor("all")

    assert ask(kari, call).error == (403, "ReasonRequired")
    assert ask(kari, call, reason="Quality").status == 201
    assert ask(kari, call, "download").status == 201
    assert [each["code"] for each in recorded(cloud, "AccessRefused")] == ["ReasonRequired"]


@pytest.mark.parametrize(
    "body",
    [
        "{", "[]", "null", '"x"', "{}", '{"action": "play"}', '{"file": 0}', '{"action": "hold", "file": 0}',
        '{"action": "play", "file": "0"}', '{"action": "play", "file": true}',
        '{"action": "play", "file": 0, "file": 0}',
        '{"action": "play", "file": 0, "x": 1}', '{"action": "play", "file": 0, "reason": ""}',
        '{"action": "play", "file": 0, "reason": "  "}', '{"action": "play", "file": -1}',
        '{"action": "play", "file": 0, "reason": "a\\nb"}', '{"action": "play", "file": 0.5}',
        '{"action": "play", "file": NaN}', json.dumps({"action": "play", "file": 0, "reason": "x" * 201}),
        json.dumps({"action": "play", "file": 0, "text": "x" * 2001}), "[" * 60_000, "",
    ],
    ids=lambda body: body[:40],
)  # fmt: skip
def test_body_that_is_none_is_refused(people: People, body: str) -> None:
    call = people.call()
    reply = people.visitor("all").send("POST", f"/api/calls/{call}/access", body)
    assert reply.error == (400, "InvalidRequest")


def test_longest_reason_and_text_are_taken(people: People) -> None:
    call = people.call()
    assert ask(people.visitor("all"), call, reason="é" * 200, text="🎧" * 2000).status == 201


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"x-callseal": ""}, (403, "CsrfRefused")), ({"x-callseal": "0"}, (403, "CsrfRefused")),
        ({"content-type": ""}, (415, "JsonRequired")), ({"content-type": "text/plain"}, (415, "JsonRequired")),
        ({"content-type": "application/x-www-form-urlencoded"}, (415, "JsonRequired")),
    ],
    ids=str,
)  # fmt: skip
def test_request_that_another_site_could_send_is_refused(
    people: People, cloud: Stack, headers: dict[str, str], error: tuple[int, str]
) -> None:
    call = people.call()
    reply = people.visitor("all").post(f"/api/calls/{call}/access", {"action": "play", "file": 0}, headers)
    assert reply.error == error
    assert cloud.audit() == []


def test_json_with_a_charset_is_taken(people: People) -> None:
    call = people.call()
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    reply = people.visitor("all").post(f"/api/calls/{call}/access", {"action": "play", "file": 0}, headers)
    assert reply.status == 201


@pytest.mark.parametrize("action", ["play", "download"])
@pytest.mark.parametrize(
    ("grant", "facts", "code"),
    [
        ({"may": ["search"]}, {}, "NotAllowed"),
        ({"group": "others"}, {}, "NotAllowed"),
        ({"restricted": False}, {"restricted": True}, "RestrictedRecording"),
        ({"sensitive": False}, {"sensitive": True}, "SensitiveRecording"),
        ({"queues": ["sales"]}, {"queue": "support"}, "NotAllowed"),
        ({"queues": ["sales"]}, {}, "NotAllowed"),
        ({"scope": "own"}, {"agent": "ola"}, "NotAllowed"),
    ],
    ids=json.dumps,
)
def test_user_without_the_right_gets_no_byte(
    people: People, cloud: Stack, clock: Clock, action: str, grant: dict[str, Any], facts: dict[str, Any], code: str
) -> None:
    call, kari = people.call(**facts), people.visitor("all")
    assert ask(kari, call, action).status == 201
    people.access({**ALL, **grant})
    clock.pass_by(seconds=61)

    assert ask(kari, call, action).error == (403, code)
    assert audio(kari, call).error == (403, code)
    assert audio(kari, call, what="sealed").error == (403, code)
    assert kari.post(f"/api/calls/{call}/files/0/download").error == (403, code)
    assert kari.post(f"/api/calls/{call}/played", {"file": 0, "seconds": [[0, 1]]}).error == (403, code)
    assert {each["code"] for each in recorded(cloud, "AccessRefused")} == {code}


def test_call_of_another_tenant_is_unknown(people: People, cloud: Stack) -> None:
    call = people.call()
    people.access(ALL, tenant="globex")
    foreign = people.visitor("all", tenant="globex")
    assert ask(foreign, call).error == audio(foreign, call).error == (404, "NotFound")
    assert cloud.audit() == []


def test_call_that_waits_for_its_erasure_is_not_opened(people: People, cloud: Stack) -> None:
    call, kari = people.call(), people.visitor("all")
    ask(kari, call)
    cloud.dynamodb.update_item(
        TableName=cloud.environment["CALLS_TABLE"], Key={"tenant": {"S": "acme"}, "id": {"S": call}},
        UpdateExpression="SET erasure_pending = :yes", ExpressionAttributeValues={":yes": {"N": "1"}},
    )  # fmt: skip
    assert ask(kari, call).error == audio(kari, call).error == (409, "ErasurePending")


def test_played_seconds_are_recorded(people: People, cloud: Stack) -> None:
    call, kari = people.call(), people.visitor("all")
    body = {"file": 0, "seconds": [[0, 3.5004], [10, 12]]}
    assert kari.post(f"/api/calls/{call}/played", body).error == (403, "ReasonRequired")
    access = ask(kari, call).json["access"]

    assert kari.post(f"/api/calls/{call}/played", body).status == 204

    played = recorded(cloud, "RecordingPlayed")[-1]
    assert (played["seconds"], played["access"], played["call"]) == ([[0, 3.5], [10, 12]], access, call)
    for seconds in ([], [[1]], [[2, 1]], [[-1, 1]], [["0", 1]], [[0, 1e9]], "x", [[0, 1]] * 1001, [[True, 1]]):
        assert kari.post(f"/api/calls/{call}/played", {"file": 0, "seconds": seconds}).error == (400, "InvalidRequest")


@pytest.mark.parametrize("operation", ["PutEvents", "PutItem"])
def test_without_audit_no_access_is_granted(people: People, network: Network, operation: str) -> None:
    call, kari = people.call(), people.visitor("all")
    network.fail(operation, 503, "ServiceUnavailable", times=1)

    assert ask(kari, call).error == (503, "AuditUnavailable")
    assert audio(kari, call).error == (403, "ReasonRequired")


def test_accesses_of_platform_staff_are_external(people: People, cloud: Stack) -> None:
    call = people.call()
    assert ask(people.visitor("all", "platform", external=True), call).status == 201
    assert recorded(cloud, "RecordingPlayed")[0]["external"] is True


def test_failure_of_the_bucket_says_nothing_of_the_call(
    people: People, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    call, kari = people.call("2026/+4799112233_1"), people.visitor("all")
    ask(kari, call)
    network.fail("GetObject", 503, "SlowDown", times=None)

    reply = audio(kari, call)

    assert reply.error == (503, "Unavailable") and "99112233" not in reply.data.decode() + capsys.readouterr().out


def test_times_have_a_zone(people: People) -> None:
    expires = ask(people.visitor("all"), people.call()).json["expires"]
    assert datetime.fromisoformat(expires).tzinfo == UTC


def test_unexpected_failure_says_nothing_of_the_call(
    people: People, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call, kari = people.call("2026/+4799112233_1"), people.visitor("all")
    ask(kari, call)

    def fail(*_: object) -> None:
        raise ValueError("2026/+4799112233_1")

    monkeypatch.setattr("callseal.archive.open_recording.parse_range", fail)
    with pytest.raises(RequestFailedError) as failed:
        audio(kari, call)

    assert "99112233" not in f"{failed.value}{failed.value.__cause__}{capsys.readouterr().out}"
