"""share_recording: who may share which recording with whom, the link's mail, the list, and the end of a share."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.archive.share_texts import TEXTS
from tests.support.archive import FINGERPRINTS, People, Visitor
from tests.support.clock import Clock
from tests.support.network import Network
from tests.support.shares import TO, link, mails, share
from tests.support.stack import ARCHIVE, ARCHIVE_URL, MAIL_FROM, Stack

ALL = {"group": "all", "may": ["search", "play", "share"], "restricted": True, "sensitive": True}


@pytest.fixture
def people(cloud: Stack, clock: Clock, share_recording: ModuleType) -> People:
    people = People(cloud, clock, [share_recording])
    people.access(ALL)
    return people


def recorded(cloud: Stack, kind: str) -> list[dict[str, Any]]:
    return [detail["archive"] for detail in cloud.audit_details(kind)]


def listed(visitor: Visitor) -> list[dict[str, Any]]:
    reply = visitor.get("/api/shares")
    assert reply.status == 200
    return list(reply.json["shares"])


@pytest.mark.parametrize("language", ["en", "nb", "de"])
def test_share_is_recorded_and_its_link_mailed(people: People, cloud: Stack, clock: Clock, language: str) -> None:
    call, kari = people.call(caller="+4722334455", queue="claims"), people.visitor("all")

    reply = share(kari, call, language=language, reason="Complaint 7", text="For the hearing.")

    assert reply.status == 201 and {*reply.json} == {"share"}
    shown = reply.json["share"]
    assert (shown["state"], shown["to"], shown["call"], shown["file"]) == ("active", TO, call, 0)
    ends = datetime.fromisoformat(shown["expires"]) - clock()
    assert timedelta(days=6, hours=23, minutes=59) < ends <= timedelta(days=7)
    (mail,) = mails()
    assert (mail.source, mail.destinations) == (MAIL_FROM, {"ToAddresses": [TO]})
    assert mail.subject == TEXTS[language].link_subject
    assert link(mail.body)[0] == shown["id"] and f"{ARCHIVE_URL}/s/{shown['id']}#" in mail.body
    assert "kari@acme.example" in mail.body and "<" not in mail.body
    assert not any(each in mail.subject + mail.body for each in ("22334455", "claims", "2026/1_1", call, "hearing"))
    (created,) = recorded(cloud, "ShareCreated")
    wanted = {"user": "kari@acme.example", "external": False, "call": call, "file": 0, "action": "share",
              "share": shown["id"], "reason": "Complaint 7", "text": "For the hearing."}  # fmt: skip
    assert wanted.items() <= created.items()
    assert TO in cloud.audit_details("ShareCreated")[0]["message"]


def test_secret_is_only_in_the_mail(
    people: People, cloud: Stack, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = share(people.visitor("all"), people.call())
    _, secret = link(mails()[0].body)

    assert len(secret) >= 43
    assert secret not in reply.data.decode() + json.dumps([*reply.headers.items()]) + capsys.readouterr().out
    assert secret not in json.dumps(cloud.audit())
    bodies = [request.body.decode() for request in network.requests if request.operation != "SendEmail"]
    assert secret not in "".join(bodies)


def test_share_is_recorded_before_its_mail(people: People, network: Network) -> None:
    share(people.visitor("all"), people.call())
    order = [each.operation for each in network.requests]
    assert order.index("PutEvents") < order.index("SendEmail")


@pytest.mark.parametrize("operation", ["PutEvents", "PutItem"])
def test_without_audit_nothing_is_shared(people: People, network: Network, operation: str) -> None:
    call, kari = people.call(), people.visitor("all")
    network.fail(operation, 503, "ServiceUnavailable", times=1)

    assert share(kari, call).error == (503, "AuditUnavailable")
    assert mails() == [] and listed(kari) == []


def test_share_whose_mail_fails_is_cancelled(people: People, cloud: Stack, network: Network) -> None:
    call, kari = people.call(), people.visitor("all")
    network.fail("SendEmail", 400, "MessageRejected")

    assert share(kari, call).error == (503, "Unavailable")

    assert [each["state"] for each in listed(kari)] == ["cancelled"]
    assert len(recorded(cloud, "ShareCancelled")) == 1


@pytest.mark.parametrize(
    ("grant", "facts", "code"),
    [
        ({"may": ["search", "play", "download"]}, {}, "NotAllowed"),
        ({"group": "others"}, {}, "NotAllowed"),
        ({"restricted": False}, {"restricted": True}, "RestrictedRecording"),
        ({"sensitive": False}, {"sensitive": True}, "SensitiveRecording"),
        ({"queues": ["sales"]}, {"queue": "support"}, "NotAllowed"),
        ({"scope": "own"}, {"agent": "ola"}, "NotAllowed"),
    ],
    ids=json.dumps,
)
def test_user_without_the_right_shares_nothing(
    people: People, cloud: Stack, grant: dict[str, Any], facts: dict[str, Any], code: str
) -> None:
    people.access({**ALL, **grant})
    kari = people.visitor("all")

    assert share(kari, people.call(**facts), reason="Quality").error == (403, code)

    (refused,) = recorded(cloud, "AccessRefused")
    assert (refused["action"], refused["code"], refused["reason"]) == ("share", code, "Quality")
    assert mails() == [] and listed(kari) == []


def test_blind_call_is_shared_by_who_may_share_its_queue(people: People) -> None:
    people.access({**ALL, "queues": ["claims"]})
    kari = people.visitor("all")
    assert share(kari, people.call("1", blind=True, queue="claims")).status == 201
    assert share(kari, people.call("2", blind=True, queue="sales")).error == (403, "NotAllowed")


def test_restricted_call_is_shared_by_who_may(people: People) -> None:
    assert share(people.visitor("all"), people.call(restricted=True, sensitive=True)).status == 201


def test_reason_is_required_where_the_access_says_so(people: People, cloud: Stack) -> None:
    people.access(ALL, reason_for=["share"])
    call, kari = people.call(), people.visitor("all")

    assert share(kari, call).error == (403, "ReasonRequired")
    assert share(kari, call, reason="Complaint").status == 201
    assert [each["code"] for each in recorded(cloud, "AccessRefused")] == ["ReasonRequired"]


@pytest.mark.parametrize("sealed", ["cms", "openpgp"])
def test_sealed_recording_is_not_shared(people: People, cloud: Stack, sealed: str) -> None:
    reply = share(people.visitor("all"), people.call(sealed=sealed))
    assert reply.error == (409, "SealedRecording")
    assert reply.json["recipients"] == [*FINGERPRINTS] and reply.json["command"]
    assert mails() == [] and recorded(cloud, "ShareCreated") == []


def test_only_recordings_in_the_archive_are_shared(people: People, cloud: Stack) -> None:
    call, kari = people.call(), people.visitor("all")
    for file in (1, 2, 9999):
        assert share(kari, call, file=file).error == (404, "NotFound")
    assert share(kari, "0" * 32).error == share(kari, "x").error == (404, "NotFound")
    metadata = people.call("2026/2_1", extension="xml")
    assert share(kari, metadata).error == (404, "NotFound")
    assert mails() == [] and recorded(cloud, "ShareCreated") == []


def test_recording_that_is_gone_is_not_shared(people: People, cloud: Stack) -> None:
    """What has a longer name is not the recording."""
    call, kari = people.call(), people.visitor("all")
    key = "acme/2026/1_1.wav"
    cloud.s3.put_object(Bucket=ARCHIVE, Key=key, Body=b"other")
    assert share(kari, call).error == (404, "NotFound")
    cloud.s3.delete_object(Bucket=ARCHIVE, Key=key)
    cloud.s3.put_object(Bucket=ARCHIVE, Key=f"{key}x", Body=b"RIFF" + bytes(2_000))
    assert share(kari, call).error == (404, "NotFound")
    assert mails() == [] and recorded(cloud, "ShareCreated") == []


def test_call_that_waits_for_its_erasure_is_not_shared(people: People, cloud: Stack) -> None:
    call = people.call()
    cloud.dynamodb.update_item(
        TableName=cloud.environment["CALLS_TABLE"], Key={"tenant": {"S": "acme"}, "id": {"S": call}},
        UpdateExpression="SET erasure_pending = :yes", ExpressionAttributeValues={":yes": {"N": "1"}},
    )  # fmt: skip
    assert share(people.visitor("all"), call).error == (409, "ErasurePending")


@pytest.mark.parametrize(
    "to",
    [
        "", "ola", "ola@", "@x.example", "ola@x", "ola@x.example\r\nBcc: e@x.example", "ola@x.example\n",
        "\tola@x.example", "ola@x.example, e@x.example", "ola@x.example;e@x.example", "Ola <ola@x.example>",
        "ola @x.example", '"o"@x.example', "ola@x..example", "ola@-x.example", "ola@x.example.",
        ".ola@x.example", "o..la@x.example", "ola@[192.0.2.1]", "ola@192.0.2.1", "ola(x)@x.example",
        "oλa@x.example", "ola@ø.example", "ola@x.example\u2028", "a@b@x.example", f"{'o' * 65}@x.example",
        f"ola@{'x' * 64}.example", f"o@{'x.' * 124}example", None, 7, ["ola@x.example"], {}, True,
        "\N{KELVIN SIGN}ari@x.example", "ola%0d%0a@x.example\0",
    ],
    ids=lambda to: repr(to)[:40],
)  # fmt: skip
def test_address_that_is_not_one_address_is_refused(people: People, to: Any) -> None:
    assert share(people.visitor("all"), people.call(), to=to).error == (400, "InvalidRequest")
    assert mails() == []


@pytest.mark.parametrize("to", ["Ola.Nordmann+7@Lawyers.example", "o'neil@x-y.co.example", "o@xn--4ca.example"])
def test_address_is_kept_in_lower_case(people: People, to: str) -> None:
    assert share(people.visitor("all"), people.call(), to=to).json["share"]["to"] == to.lower()
    assert mails()[0].destinations == {"ToAddresses": [to.lower()]}


@pytest.mark.parametrize(
    "members",
    [
        {"days": 0}, {"days": 31}, {"days": "7"}, {"days": 7.5}, {"days": True}, {"days": None}, {"language": "fr"},
        {"language": None}, {"file": -1}, {"file": "0"}, {"call": 7}, {"call": ""}, {"x": 1}, {"reason": "x" * 201},
        {"reason": "a\nb"}, {"text": "x" * 2001},
    ],
    ids=lambda members: str(members)[:40],
)  # fmt: skip
def test_member_that_is_none_is_refused(people: People, members: dict[str, Any]) -> None:
    assert share(people.visitor("all"), people.call(), **members).error == (400, "InvalidRequest")


@pytest.mark.parametrize("days", [1, 30])
def test_shortest_and_longest_share(people: People, days: int) -> None:
    assert share(people.visitor("all"), people.call(), days=days).status == 201


def test_stack_without_an_address_to_send_from_shares_nothing(
    people: People, cloud: Stack, share_recording: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARE_MAIL_FROM", "")
    share_recording.routes.cache_clear()
    kari = people.visitor("all")

    reply = share(kari, people.call())

    assert reply.error == (503, "Unavailable") and "ShareMailFrom" in reply.json["message"]
    assert cloud.audit() == [] and listed(kari) == []


def test_user_sees_the_own_shares_and_who_may_share_any_call_sees_all(people: People, clock: Clock) -> None:
    own = {**ALL, "group": "agents", "scope": "own"}
    people.access(ALL, own)
    kari = people.visitor("agents", email="kari@acme.example")
    per = people.visitor("agents", email="per@acme.example")
    lead = people.visitor("all", email="lead@acme.example")
    first = share(kari, people.call("1", agent="kari@acme.example")).json["share"]["id"]
    clock.pass_by(minutes=2)
    second = share(per, people.call("2", agent="per@acme.example")).json["share"]["id"]

    assert [each["id"] for each in listed(kari)] == [first]
    assert [each["id"] for each in listed(per)] == [second]
    assert [(each["id"], each["user"]) for each in listed(lead)] == [
        (second, "per@acme.example"), (first, "kari@acme.example"),
    ]  # fmt: skip


def test_shares_of_another_tenant_are_unknown(people: People, cloud: Stack) -> None:
    shared = share(people.visitor("all"), people.call()).json["share"]["id"]
    people.access(ALL, tenant="globex")
    foreign = people.visitor("all", tenant="globex", email="kari@acme.example")

    assert listed(foreign) == []
    assert foreign.delete(f"/api/shares/{shared}").error == (404, "NotFound")
    assert recorded(cloud, "ShareCancelled") == []
    assert [each["state"] for each in listed(people.visitor("all"))] == ["active"]


def test_share_is_cancelled_by_who_sees_it(people: People, cloud: Stack) -> None:
    people.access(ALL, {**ALL, "group": "agents", "scope": "own"})
    kari = people.visitor("agents")
    per = people.visitor("agents", email="per@acme.example")
    lead = people.visitor("all", email="lead@acme.example")
    call = people.call(agent="kari@acme.example")
    first, second = (share(kari, call).json["share"]["id"] for _ in range(2))

    assert per.delete(f"/api/shares/{first}").error == (404, "NotFound")
    for _ in range(2):
        reply = kari.delete(f"/api/shares/{first}")
        assert (reply.status, reply.data) == (204, b"")
    assert lead.delete(f"/api/shares/{second}").status == 204

    assert {each["state"] for each in listed(kari)} == {"cancelled"}
    cancelled = [(each["share"], each["user"], each["call"]) for each in recorded(cloud, "ShareCancelled")]
    assert cancelled == [(first, "kari@acme.example", call), (second, "lead@acme.example", call)]


def test_share_is_not_cancelled_without_audit(people: People, network: Network) -> None:
    kari = people.visitor("all")
    shared = share(kari, people.call()).json["share"]["id"]
    network.fail("PutEvents", 503, "ServiceUnavailable")
    assert kari.delete(f"/api/shares/{shared}").error == (503, "AuditUnavailable")
    assert [each["state"] for each in listed(kari)] == ["active"]


@pytest.mark.parametrize("name", ["0" * 32, "x", "%2e", "A" * 3000])
def test_unknown_share_is_not_cancelled(people: People, name: str) -> None:
    assert people.visitor("all").delete(f"/api/shares/{name}").error == (404, "NotFound")


def test_share_expires_and_stays_listed_for_days(people: People, cloud: Stack, clock: Clock) -> None:
    shared = share(people.visitor("all"), people.call(), days=1).json["share"]["id"]
    clock.pass_by(days=1, seconds=1)
    kari = people.visitor("all")

    assert [each["state"] for each in listed(kari)] == ["expired"]
    assert kari.delete(f"/api/shares/{shared}").status == 204
    assert [each["state"] for each in listed(kari)] == ["expired"]
    found = cloud.dynamodb.get_item(TableName=cloud.environment["ARCHIVE_SHARES"], Key={"id": {"S": shared}})["Item"]
    assert int(found["expires"]["N"]) - int(found["until"]["N"]) == 7 * 24 * 3600


def test_nobody_shares_without_a_session_or_the_terms(people: People) -> None:
    call = people.call()
    for reply in (share(Visitor(people.handlers), call), Visitor(people.handlers).get("/api/shares"),
                  Visitor(people.handlers).delete(f"/api/shares/{'0' * 32}")):  # fmt: skip
        assert reply.error == (401, "NotSignedIn")
    people.access(ALL, terms={"version": "1", "text": "Terms."}, tenant="globex")
    assert share(people.visitor("all", tenant="globex"), call).error == (403, "TermsNotAccepted")
    headers = {"x-callseal": ""}
    assert people.visitor("all").post("/api/shares", {}, headers).error == (403, "CsrfRefused")
