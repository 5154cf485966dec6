"""serve_share: what a recipient does with a link, and what everybody else cannot do with it."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.archive.share_texts import TEXTS
from tests.support.archive import People, Reply, Visitor
from tests.support.clock import Clock
from tests.support.network import Network
from tests.support.shares import TO, Recipient, code, link, mails, share
from tests.support.stack import ARCHIVE, Stack

ALL = {"group": "all", "may": ["search", "play", "share"], "restricted": True, "sensitive": True}
DATA = bytes(range(256)) * 4 * 1024  # 1 MiB
KEY = "acme/2026/1_1.wav"
COOKIE = "__Host-callseal-share"


@pytest.fixture
def people(cloud: Stack, clock: Clock, share_recording: ModuleType, serve_share: ModuleType) -> People:
    people = People(cloud, clock, [share_recording, serve_share])
    people.access(ALL)
    return people


@pytest.fixture
def call(people: People) -> str:
    return people.call(data=DATA)


@pytest.fixture
def ola(people: People, call: str) -> Recipient:
    """A recipient who has the link of a share for 7 days."""
    assert share(people.visitor("all"), call).status == 201
    return Recipient(Visitor(people.handlers), *link(mails()[-1].body))


def again(ola: Recipient, people: People) -> Recipient:
    """Return the recipient with another browser."""
    return Recipient(Visitor(people.handlers), ola.id, ola.secret)


def wrong(right: str) -> str:
    return f"{(int(right) + 1) % 10**8:08d}"


def recorded(cloud: Stack, kind: str) -> list[dict[str, Any]]:
    return [detail["archive"] for detail in cloud.audit_details(kind)]


def state(people: People) -> str:
    return str(people.visitor("all").get("/api/shares").json["shares"][0]["state"])


def lock(ola: Recipient) -> None:
    for _ in range(3):
        bad = wrong(ola.code())
        for _ in range(5):
            assert ola.open(bad).error == (403, "CodeRefused")


def test_recipient_opens_the_share_with_a_code_and_listens(
    people: People, cloud: Stack, call: str, clock: Clock, ola: Recipient
) -> None:
    asked = ola.ask()
    assert (asked.status, asked.json) == (200, {"to": "o***@lawyers.example", "terms": None})
    (cookie,) = asked.cookies
    assert re.fullmatch(rf"{COOKIE}=[\w-]{{43}}; Path=/; Secure; HttpOnly; SameSite=Strict", cookie)
    mail = mails()[-1]
    assert (mail.subject, mail.destinations) == (TEXTS["en"].code_subject, {"ToAddresses": [TO]})
    assert ola.audio().error == (404, "NotFound")

    opened = ola.open(code(mail.body))

    assert opened.status == 200 and opened.cookies == []
    ends = datetime.fromisoformat(opened.json["expires"]) - clock()
    assert timedelta(minutes=29, seconds=50) < ends <= timedelta(minutes=30)
    first = ola.audio()
    assert (first.status, first.data) == (206, DATA[: 256 * 1024])
    wanted = {"content-range": f"bytes 0-{256 * 1024 - 1}/{len(DATA)}", "content-type": "audio/wav",
              "accept-ranges": "bytes", "cache-control": "private, no-store"}  # fmt: skip
    assert wanted.items() <= first.headers.items() and first.headers["etag"].startswith('"')
    assert ola.audio("bytes=-5").data == DATA[-5:]
    for kind in ("ShareCodeSent", "ShareOpened", "SharePlayed"):
        (event,) = recorded(cloud, kind)
        wanted_of = {"user": TO, "external": True, "share": ola.id, "call": call, "file": 0, "code": None}
        assert wanted_of.items() <= event.items()


def test_opening_lasts_thirty_minutes_in_one_browser(people: People, clock: Clock, ola: Recipient) -> None:
    assert ola.open(ola.code()).status == 200
    other = again(ola, people)
    assert other.audio().error == (404, "NotFound")
    clock.pass_by(minutes=29)
    assert ola.audio().status == 206
    # The other browser's code and opening end nothing here.
    assert other.open(other.code()).status == 200
    assert ola.audio().status == other.audio().status == 206
    clock.pass_by(minutes=1, seconds=1)
    assert ola.audio().error == (404, "NotFound")
    assert other.audio().status == 206


def test_one_browser_opens_two_shares(people: People, ola: Recipient) -> None:
    share(people.visitor("all"), people.call("2026/2_1", data=DATA))
    second = Recipient(ola.browser, *link(mails()[-1].body))
    assert ola.open(ola.code()).status == second.open(second.code()).status == 200
    assert ola.audio().status == second.audio().status == 206


@pytest.mark.parametrize("language", ["en", "nb", "de"])
def test_code_comes_in_the_language_of_the_share(people: People, call: str, language: str) -> None:
    share(people.visitor("all"), call, language=language)
    ola = Recipient(Visitor(people.handlers), *link(mails()[-1].body))
    assert ola.open(ola.code()).status == 200
    assert mails()[-1].subject == TEXTS[language].code_subject


def test_code_is_known_to_the_mail_alone(
    people: People, cloud: Stack, ola: Recipient, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = ola.ask()
    sent = code(mails()[-1].body)
    bodies = b"".join(request.body for request in network.requests if request.operation != "SendEmail").decode()
    cookie = ola.browser.cookies[COOKIE]
    for secret in (sent, ola.secret, cookie):
        assert secret not in bodies + reply.data.decode() + capsys.readouterr().out + str(cloud.audit())


def test_code_opens_once(cloud: Stack, ola: Recipient) -> None:
    right = ola.code()
    assert ola.open(right).status == 200
    assert ola.open(right).error == (403, "CodeRefused")
    assert len(recorded(cloud, "ShareOpened")) == 1


def test_code_opens_once_for_many_at_once(cloud: Stack, ola: Recipient) -> None:
    right = ola.code()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: ola.open(right).status, range(8)))
    assert Counter(replies) == {200: 1, 403: 7}
    assert len(recorded(cloud, "ShareOpened")) == 1


def test_code_that_another_request_took_meanwhile_opens_nothing(cloud: Stack, network: Network, ola: Recipient) -> None:
    right, between = ola.code(), list[int]()
    # After its try was counted and compared, and before it takes the code.
    network.before("UpdateItem", lambda _: between.append(ola.open(right).status), skip=1)
    assert ola.open(right).error == (403, "CodeRefused") and between == [200]
    assert len(recorded(cloud, "ShareOpened")) == 1


def test_code_ends_after_ten_minutes(clock: Clock, ola: Recipient) -> None:
    right = ola.code()
    clock.pass_by(minutes=10, seconds=1)
    assert ola.open(right).error == (403, "CodeRefused")


def test_new_code_kills_the_old_one(ola: Recipient) -> None:
    old, new = ola.code(), ola.code()
    assert ola.open(old).error == (403, "CodeRefused")
    assert ola.open(new).status == 200


def test_forwarded_code_opens_no_other_browser(people: People, cloud: Stack, ola: Recipient) -> None:
    right, other = ola.code(), again(ola, people)
    assert other.open(right).error == (403, "CodeRefused")
    other.browser.cookies[COOKIE] = "A" * 43
    for _ in range(6):
        assert other.open(right).error == (403, "CodeRefused")
    assert other.audio().error == (404, "NotFound")
    refused = recorded(cloud, "ShareCodeRefused")
    assert len(refused) == 7 and {(each["code"], each["user"], each["share"]) for each in refused} == {
        ("CodeRefused", TO, ola.id)
    }
    # They cost no tries of the browser that asked.
    assert ola.open(right).status == 200


def test_right_code_is_taken_at_the_fifth_try_and_not_at_the_sixth(ola: Recipient) -> None:
    right = ola.code()
    for _ in range(4):
        assert ola.open(wrong(right)).error == (403, "CodeRefused")
    assert ola.open(f"{right[:4]} {right[4:]}").status == 200
    right = ola.code()
    for _ in range(5):
        assert ola.open(wrong(right)).error == (403, "CodeRefused")
    assert ola.open(right).error == (403, "CodeRefused")


def test_at_most_five_of_fifty_guesses_at_once_are_compared(
    people: People, ola: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, compared = ola.code(), []
    from callseal.archive import serve_share

    def count(secret: str, share: str, browser: str, code: str) -> str:
        compared.append(code)
        return "0" * 64

    monkeypatch.setattr(serve_share, "code_mac", count)
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda number: ola.open(f"{number:08d}").error, range(50)))
    monkeypatch.undo()
    assert set(replies) == {(403, "CodeRefused")}
    assert len(compared) == 5
    assert ola.open(right).error == (403, "CodeRefused")
    assert state(people) == "active"


def test_three_dead_codes_lock_the_share(people: People, clock: Clock, ola: Recipient) -> None:
    for _ in range(2):
        bad = wrong(ola.code())
        for _ in range(5):
            assert ola.open(bad).error == (403, "CodeRefused")
    assert ola.open(ola.code()).status == 200
    clock.pass_by(minutes=25)
    clock.pass_by(minutes=36)
    right = ola.code()
    other = again(ola, people)
    for _ in range(5):
        assert state(people) == "active"
        assert ola.open(wrong(right)).error == (403, "CodeRefused")

    assert state(people) == "locked"
    assert ola.open(right).error == ola.ask().error == other.ask().error == (404, "NotFound")


def test_lock_ends_a_play(people: People, ola: Recipient) -> None:
    assert ola.open(ola.code()).status == 200 and ola.audio().status == 206
    for _ in range(2):
        bad = wrong(ola.code())
        for _ in range(5):
            ola.open(bad)
    assert ola.audio().status == 206
    # The third hour's worth of codes is used up, so the share is locked here as a third dead code would.
    people.cloud.dynamodb.update_item(
        TableName=people.cloud.environment["ARCHIVE_SHARES"], Key={"id": {"S": ola.id}},
        UpdateExpression="SET dead = dead + :one", ExpressionAttributeValues={":one": {"N": "1"}},
    )  # fmt: skip
    assert ola.audio().error == (404, "NotFound")


def test_codes_that_were_replaced_are_not_dead(people: People, clock: Clock, ola: Recipient) -> None:
    for _ in range(5):
        bad = wrong(ola.code())
        for _ in range(4):
            assert ola.open(bad).error == (403, "CodeRefused")
        clock.pass_by(minutes=21)
    right = ola.code()
    for _ in range(4):
        assert ola.open(wrong(right)).error == (403, "CodeRefused")
    assert ola.open(right).status == 200 and state(people) == "active"


def test_three_codes_an_hour_and_ten_in_all(people: People, clock: Clock, cloud: Stack, ola: Recipient) -> None:
    for _ in range(3):
        ola.code()
    assert again(ola, people).ask().error == ola.ask().error == (429, "TooMany")
    clock.pass_by(minutes=59)
    assert ola.ask().error == (429, "TooMany")
    clock.pass_by(minutes=1, seconds=1)
    for _ in range(2):
        for _ in range(3):
            ola.code()
        clock.pass_by(minutes=61)
    ola.code()
    refused = ola.ask()
    assert refused.error == (429, "TooMany") and refused.cookies == []
    clock.pass_by(days=1)
    assert ola.ask().error == (429, "TooMany")
    assert len(recorded(cloud, "ShareCodeSent")) == 10 and len(mails()) == 11


def test_many_requests_for_codes_at_once_send_three(cloud: Stack, ola: Recipient) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: ola.ask().status, range(12)))
    assert Counter(replies) == {200: 3, 429: 9}
    assert len(mails()) == 4 and len(recorded(cloud, "ShareCodeSent")) == 3


def test_terms_are_shown_and_their_present_version_is_accepted(
    people: People, cloud: Stack, clock: Clock, ola: Recipient
) -> None:
    people.access(ALL, terms={"version": "2026-11", "text": "Keep it to yourself."})
    reply = ola.ask()
    assert reply.json["terms"] == {"version": "2026-11", "text": "Keep it to yourself."}
    right = code(mails()[-1].body)
    for terms in (None, "2026-10"):
        for _ in range(4):
            assert ola.open(right, terms=terms).error == (403, "TermsNotAccepted")
    assert {each["code"] for each in recorded(cloud, "ShareCodeRefused")} == {"TermsNotAccepted"}
    assert ola.audio().error == (404, "NotFound")
    people.access(ALL, terms={"version": "2026-12", "text": "More."})
    clock.pass_by(seconds=61)
    assert ola.open(right, terms="2026-11").error == (403, "TermsNotAccepted")

    assert ola.open(right, terms="2026-12").status == 200

    assert [each["text"] for each in recorded(cloud, "ShareOpened")] == ["2026-12"]


def test_terms_that_are_not_there_need_not_be_accepted(ola: Recipient) -> None:
    assert ola.open(ola.code(), terms="old").status == 200


# ---- what does not exist, has ended or is not the recipient's ------------------------------------------------------
def unknown(ola: Recipient, _: People, __: Clock) -> Recipient:
    return Recipient(ola.browser, "f" * 32, ola.secret)


def misspelt(ola: Recipient, _: People, __: Clock) -> Recipient:
    return Recipient(ola.browser, "é" * 3000, ola.secret)


def false_secret(ola: Recipient, _: People, __: Clock) -> Recipient:
    return Recipient(ola.browser, ola.id, ola.secret[:-1] + ("A" if ola.secret[-1] != "A" else "B"))


def expired(ola: Recipient, _: People, clock: Clock) -> Recipient:
    clock.pass_by(days=7, seconds=1)
    return ola


def cancelled(ola: Recipient, people: People, _: Clock) -> Recipient:
    assert people.visitor("all").delete(f"/api/shares/{ola.id}").status == 204
    return ola


def locked(ola: Recipient, _: People, __: Clock) -> Recipient:
    lock(ola)
    return ola


ENDED = [unknown, misspelt, false_secret, expired, cancelled, locked]


@pytest.mark.parametrize("end", ENDED)
@pytest.mark.parametrize("route", ["code", "open"])
def test_all_that_is_not_there_has_one_answer_by_the_same_requests(
    people: People, cloud: Stack, clock: Clock, network: Network, ola: Recipient, end: Any, route: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    recipient = end(ola, people, clock)
    recipient.browser.cookies.clear()
    before = len(mails()), len(cloud.audit())
    at, waits = len(network.requests), waits_of(people, monkeypatch)

    reply = recipient.ask() if route == "code" else recipient.open("12345678")

    assert is_the_answer(reply)
    (asked,) = network.requests[at:]
    # DynamoDB refuses keys of over 2,048 bytes, which moto takes.
    assert asked.operation == "GetItem" and re.fullmatch("[0-9a-f]{32}", asked.members["Key"]["id"]["S"])
    assert len(waits) == 1 and 900 < waits[0] <= 1000
    assert (len(mails()), len(cloud.audit())) == before


@pytest.mark.parametrize("end", [unknown, misspelt, expired, cancelled, locked])
def test_audio_of_all_that_is_not_there_has_the_same_answer(
    people: People, clock: Clock, network: Network, ola: Recipient, end: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if end is not locked:
        assert ola.open(ola.code()).status == 200 and ola.audio().status == 206
    recipient = end(ola, people, clock)
    at, waits = len(network.requests), waits_of(people, monkeypatch)

    assert is_the_answer(recipient.audio())

    assert [each.operation for each in network.requests[at:]] == ["GetItem"]
    assert len(waits) == 1 and 900 < waits[0] <= 1000


def is_the_answer(reply: Reply) -> bool:
    """Return whether an answer is the one that all have. It has no cookie."""
    body = b'{"error": "NotFound", "message": "There is nothing here, or it is not yours."}'
    headers = {
        "cache-control": "private, no-store", "x-content-type-options": "nosniff", "content-type": "application/json",
    }  # fmt: skip
    return (reply.status, reply.data, reply.headers, reply.cookies) == (404, body, headers, [])


def waits_of(people: People, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list that gets each wait from now on, until 1,000 seconds after the request came."""
    waits: list[float] = []
    monkeypatch.setattr("callseal.archive.serve_share.ANSWER_SECONDS", 1000.0)
    monkeypatch.setattr("callseal.wiring.archive_container.sleep", waits.append)
    for handler in people.handlers:
        handler.routes.cache_clear()
    return waits


def test_refusal_of_a_code_does_not_wait(people: People, ola: Recipient, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = waits_of(people, monkeypatch)
    assert ola.open("12345678").error == (403, "CodeRefused") and waits == []


# ---- mail scanners and other visitors ------------------------------------------------------------------------------
def test_scanner_changes_nothing(people: People, cloud: Stack, network: Network, ola: Recipient) -> None:
    """A scanner follows links and posts forms. It has no secret, which no request for the link has."""
    scanner = Visitor(people.handlers)
    for method in ("GET", "HEAD"):
        with pytest.raises(LookupError):
            scanner.send(method, f"/s/{ola.id}")
    at, sent = len(network.requests), len(mails())
    assert scanner.get(f"/s/{ola.id}/audio").status == 404
    for path in ("code", "open"):
        assert scanner.post(f"/s/{ola.id}/{path}").error == (400, "InvalidRequest")
        assert scanner.post(f"/s/{ola.id}/{path}", {"secret": "", "code": "1"}).error == (400, "InvalidRequest")
        assert scanner.send("POST", f"/s/{ola.id}/{path}", "a=b", {"x-callseal": ""}).error == (403, "CsrfRefused")
    assert {each.operation for each in network.requests[at:]} == {"GetItem"}
    assert len(mails()) == sent and [each["detail-type"] for each in cloud.audit()] == ["ShareCreated"]


@pytest.mark.parametrize(
    "body",
    [
        {}, {"secret": 7}, {"secret": "x", "x": 1}, {"secret": None}, {"secret": "x" * 201}, [], "x",
        {"secret": "x", "code": 12345678, "terms": None}, {"secret": "x", "code": "1", "terms": 7},
    ],
    ids=str,
)  # fmt: skip
def test_body_that_is_none_is_refused(ola: Recipient, body: Any) -> None:
    for path in ("code", "open"):
        assert ola.browser.post(f"/s/{ola.id}/{path}", body).error == (400, "InvalidRequest")
        assert ola.browser.post(f"/s/{'f' * 32}/{path}", body).error == (400, "InvalidRequest")


def test_requests_of_the_page_only(ola: Recipient) -> None:
    for path in ("code", "open"):
        body = {"secret": ola.secret}
        assert ola.browser.post(f"/s/{ola.id}/{path}", body, {"x-callseal": ""}).error == (403, "CsrfRefused")
        plain = {"content-type": "text/plain"}
        assert ola.browser.post(f"/s/{ola.id}/{path}", body, plain).error == (415, "JsonRequired")


def test_cookie_of_another_form_is_replaced(ola: Recipient) -> None:
    ola.browser.cookies[COOKIE] = "guessable"
    right = ola.code()
    cookie = ola.browser.cookies[COOKIE]
    assert len(cookie) == 43
    ola.code()
    assert ola.browser.cookies[COOKIE] == cookie
    assert ola.open(right).error == (403, "CodeRefused")


# ---- the end of a play ---------------------------------------------------------------------------------------------
def test_cancelled_share_stops_playing_within_one_chunk(people: People, ola: Recipient) -> None:
    assert ola.open(ola.code()).status == 200
    assert ola.audio("bytes=0-").status == 206
    people.visitor("all").delete(f"/api/shares/{ola.id}")
    assert ola.audio(f"bytes={256 * 1024}-").error == (404, "NotFound")


def test_share_that_ends_during_an_opening_stops_playing(clock: Clock, ola: Recipient) -> None:
    clock.pass_by(days=6, hours=23, minutes=50)
    assert ola.open(ola.code()).status == 200 and ola.audio().status == 206
    clock.pass_by(minutes=11)
    assert ola.audio().error == (404, "NotFound")


def test_share_that_is_cancelled_between_code_and_opening_stays_closed(
    people: People, network: Network, ola: Recipient
) -> None:
    right, kari = ola.code(), people.visitor("all")
    # The second update of an opening is the one that opens. The first counts the try, the next takes the code.
    network.before("UpdateItem", lambda _: kari.delete(f"/api/shares/{ola.id}") and None, skip=2)
    assert ola.open(right).error == (404, "NotFound")
    assert ola.audio().error == (404, "NotFound")


@pytest.mark.parametrize(
    "change", ["SET erasure_pending = :yes", "REMOVE landed", "SET metadata = :yes"], ids=["pending", "erased", "other"]
)
def test_call_that_is_erased_stops_playing(cloud: Stack, call: str, ola: Recipient, change: str) -> None:
    assert ola.open(ola.code()).status == 200 and ola.audio().status == 206
    if change == "REMOVE landed":
        cloud.dynamodb.delete_item(
            TableName=cloud.environment["CALLS_TABLE"], Key={"tenant": {"S": "acme"}, "id": {"S": call}}
        )
    else:
        cloud.dynamodb.update_item(
            TableName=cloud.environment["CALLS_TABLE"], Key={"tenant": {"S": "acme"}, "id": {"S": call}},
            UpdateExpression="SET #name = :yes", ExpressionAttributeNames={"#name": change.split()[1]},
            ExpressionAttributeValues={":yes": {"N": "1"} if "pending" in change else {"S": "read"}},
        )  # fmt: skip
    # A change of another fact ends nothing.
    assert ola.audio().status == (206 if "metadata" in change else 404)


def test_other_object_of_the_same_name_is_not_sent(cloud: Stack, ola: Recipient) -> None:
    assert ola.open(ola.code()).status == 200 and ola.audio().status == 206
    for sealed, data in (
        ("none", DATA[::-1]), ("cms", DATA), ("none", DATA[1:]),
    ):  # fmt: skip
        cloud.s3.put_object(Bucket=ARCHIVE, Key=KEY, Body=data, Metadata={"callseal-sealed": sealed})
        assert ola.audio().error == (404, "NotFound")
    cloud.s3.delete_object(Bucket=ARCHIVE, Key=KEY)
    assert ola.audio().error == (404, "NotFound")


@pytest.mark.parametrize(
    ("span", "error"),
    [("bytes=9-5", (400, "InvalidRange")), ("bytes=0-1,5-6", (400, "InvalidRange")),
     (f"bytes={len(DATA)}-", (416, "InvalidRange"))],
)  # fmt: skip
def test_ranges_are_those_of_the_archive(ola: Recipient, span: str, error: tuple[int, str]) -> None:
    ola.open(ola.code())
    assert ola.audio(span).error == error


# ---- the audit -----------------------------------------------------------------------------------------------------
def test_play_is_recorded_once_an_opening(cloud: Stack, clock: Clock, ola: Recipient) -> None:
    for openings in (1, 2):
        ola.open(ola.code())
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(lambda _: ola.audio().status, range(6))) == {206}
        ola.audio()
        ids = {detail["id"] for detail in cloud.audit_details("SharePlayed")}
        assert len(ids) == openings
        trail = cloud.dynamodb.scan(TableName=cloud.environment["ACCESS_TRAIL"])["Items"]
        assert sum("SharePlayed" in each["event"]["S"] for each in trail) == openings
        clock.pass_by(minutes=31)


def test_later_ranges_record_nothing(cloud: Stack, network: Network, ola: Recipient) -> None:
    ola.open(ola.code())
    ola.audio("bytes=0-1")
    at = len(network.requests)
    assert ola.audio().status == ola.audio("bytes=-5").status == 206
    requests = network.requests[at:]
    assert [each.operation for each in requests] == ["GetItem", "GetItem", "GetObject"] * 2
    assert all(each.members["ConsistentRead"] for each in requests if each.operation == "GetItem")
    assert len(recorded(cloud, "SharePlayed")) == 1


def test_no_byte_is_sent_before_its_play_is_recorded(cloud: Stack, network: Network, ola: Recipient) -> None:
    ola.open(ola.code())
    network.fail("PutEvents", 503, "ServiceUnavailable", times=2)
    for _ in range(2):
        assert ola.audio().error == (503, "AuditUnavailable")
    assert recorded(cloud, "SharePlayed") == []
    assert ola.audio().status == 206
    assert len(recorded(cloud, "SharePlayed")) == 1


def test_without_audit_no_code_is_sent(cloud: Stack, network: Network, ola: Recipient) -> None:
    network.fail("PutEvents", 503, "ServiceUnavailable")
    reply = ola.ask()
    assert reply.error == (503, "AuditUnavailable") and reply.cookies == []
    assert len(mails()) == 1
    assert ola.open(ola.code()).status == 200


def test_without_audit_nothing_is_opened_and_the_code_stays_valid(network: Network, ola: Recipient) -> None:
    right = ola.code()
    network.fail("PutEvents", 503, "ServiceUnavailable", times=6)
    for _ in range(6):
        assert ola.open(right).error == (503, "AuditUnavailable")
    assert ola.audio().error == (404, "NotFound")
    assert ola.open(right).status == 200


def test_opening_is_recorded_before_the_share_is_open(network: Network, ola: Recipient) -> None:
    right = ola.code()
    seen: list[int] = []
    network.before("PutEvents", lambda _: seen.append(ola.audio().status))
    assert ola.open(right).status == 200 and seen == [404]


def test_try_counts_though_the_function_fails_after_it(
    network: Network, ola: Recipient, clock: Clock, people: People
) -> None:
    """A code whose fifth wrong try was counted, and not followed up, is dead as well."""
    for _ in range(3):
        bad = wrong(ola.code())
        for _ in range(4):
            ola.open(bad)
        network.fail("UpdateItem", 503, "ServiceUnavailable", skip=1)
        assert ola.open(bad).error == (503, "Unavailable")
        assert ola.open(bad).error == (403, "CodeRefused")
    clock.pass_by(minutes=61)
    ola.ask()
    assert state(people) == "locked"


def test_stack_whose_address_to_send_from_is_gone_sends_no_code(
    people: People, serve_share: ModuleType, cloud: Stack, ola: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARE_MAIL_FROM", "")
    serve_share.routes.cache_clear()
    assert ola.ask().error == (503, "Unavailable")
    assert recorded(cloud, "ShareCodeSent") == []


def test_failure_of_the_bucket_says_nothing_of_the_call(
    people: People, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    share(people.visitor("all"), people.call("2026/+4799112233_1"))
    ola = Recipient(Visitor(people.handlers), *link(mails()[-1].body))
    ola.open(ola.code())
    network.fail("GetObject", 503, "SlowDown", times=None)
    reply = ola.audio()
    assert reply.error == (503, "Unavailable") and "99112233" not in reply.data.decode() + capsys.readouterr().out


@pytest.mark.parametrize("extension", ["WAV", "mp3", "MP3"])
def test_recordings_of_every_kind_of_name_are_played(people: People, extension: str) -> None:
    call = people.call(data=DATA, extension=extension)
    assert share(people.visitor("all"), call).status == 201
    ola = Recipient(Visitor(people.handlers), *link(mails()[-1].body))
    assert ola.open(ola.code()).status == 200
    assert ola.audio().status == 206
