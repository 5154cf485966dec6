"""sign_in at the development issuer: sessions, terms, and the sign-ins that are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from localcloud.clock_file import ClockFile
from localcloud.http.client import Client as Browser
from localcloud.http.issuer import CLIENT_ID, Client, Issuer
from tests.support.archive import People, Reply, Visitor
from tests.support.clock import Clock
from tests.support.network import Network
from tests.support.stack import ARCHIVE_URL, STACK, Stack

SECRET = "the client's secret"
SESSION, LOGIN = "__Host-callseal", "__Host-callseal-login"


@pytest.fixture
def issuer(cloud: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    issuer = Issuer(ClockFile(tmp_path / "clock"))
    issuer.serve(Client(SECRET, f"{ARCHIVE_URL}/auth/callback"))
    monkeypatch.setenv("OIDC_ISSUER", issuer.url)
    monkeypatch.setenv("OIDC_CLIENT_ID", CLIENT_ID)
    cloud.secrets.create_secret(Name=f"{STACK}/oidc-client-secret", SecretString=f"{SECRET}\n")
    yield issuer
    issuer.close()


@pytest.fixture
def people(cloud: Stack, clock: Clock, issuer: Issuer, sign_in: ModuleType) -> People:
    return People(cloud, clock, [sign_in])


def enter(visitor: Visitor, **claims: str) -> dict[str, str]:
    """Go to the issuer, fill in its form, and return the parameters of its redirect."""
    login = visitor.get("/auth/login")
    assert login.status == 302, login.data
    form = {"email": "Kari@Acme.example", "tenant": "acme", "groups": "leads", **claims}
    granted = Browser(ARCHIVE_URL).authorize(login.headers["location"], form)
    assert granted.startswith(f"{ARCHIVE_URL}/auth/callback?")
    return {name: values[0] for name, values in parse_qs(urlsplit(granted).query).items()}


def signed_in(visitor: Visitor, **claims: str) -> Reply:
    return visitor.get("/auth/callback", **enter(visitor, **claims))


def recorded(cloud: Stack, kind: str) -> list[dict[str, Any]]:
    return [detail["archive"] for detail in cloud.audit_details(kind)]


def test_sign_in_starts_a_session_and_is_recorded(people: People, cloud: Stack) -> None:
    people.access({"group": "leads", "may": ["search"]})
    visitor = Visitor(people.handlers)

    assert signed_in(visitor, agent="kari.n", name="Kari").status == 200

    me = visitor.get("/api/me").json
    assert (me["user"], me["may"]) == ({"email": "kari@acme.example", "name": "Kari"}, ["search"])
    (event,) = recorded(cloud, "ArchiveSignedIn")
    assert (event["user"], event["external"]) == ("kari@acme.example", False)
    stored = cloud.dynamodb.scan(TableName=f"{STACK}-archive-sessions")["Items"]
    assert visitor.cookies[SESSION] not in str(stored) and len(stored) == 1


def test_platform_staff_are_external(people: People, cloud: Stack) -> None:
    signed_in(Visitor(people.handlers), groups="leads, platform")
    assert recorded(cloud, "ArchiveSignedIn")[0]["external"] is True


def test_one_sign_in_has_one_callback(people: People) -> None:
    visitor = Visitor(people.handlers)
    granted, cookies = enter(visitor), dict(visitor.cookies)
    assert visitor.get("/auth/callback", **granted).status == 200
    again = Visitor(people.handlers, cookies)
    assert again.get("/auth/callback", **granted).error == (400, "SignInFailed")
    assert again.get("/api/me").error == (401, "NotSignedIn")


def test_sign_in_has_ten_minutes(people: People, clock: Clock) -> None:
    visitor = Visitor(people.handlers)
    granted = enter(visitor)
    clock.pass_by(minutes=11)
    assert visitor.get("/auth/callback", **granted).error == (400, "SignInFailed")


def test_wrong_secret_of_the_client_is_refused(people: People, cloud: Stack) -> None:
    cloud.secrets.put_secret_value(SecretId=f"{STACK}/oidc-client-secret", SecretString="another")
    assert signed_in(Visitor(people.handlers)).error == (400, "SignInFailed")


def test_stack_without_an_issuer_says_so(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_CLIENT_ID", "")
    for handler in people.handlers:
        handler.routes.cache_clear()
    assert Visitor(people.handlers).get("/auth/login").error == (400, "SignInFailed")


def test_issuer_that_does_not_answer_is_no_refusal(people: People, issuer: Issuer) -> None:
    visitor = Visitor(people.handlers)
    granted = enter(visitor)
    issuer.close()
    assert visitor.get("/auth/callback", **granted).error == (503, "Unavailable")


@pytest.mark.parametrize("operation", ["PutEvents", "PutItem"])
def test_without_audit_there_is_no_session(people: People, network: Network, operation: str) -> None:
    visitor = Visitor(people.handlers)
    granted = enter(visitor)
    network.fail(operation, 503, "ServiceUnavailable")

    assert visitor.get("/auth/callback", **granted).error == (503, "AuditUnavailable")

    assert SESSION not in visitor.cookies


def test_terms_are_accepted_once_by_version(people: People, cloud: Stack, clock: Clock) -> None:
    people.access({"group": "leads", "may": ["search"]}, terms={"version": "1", "text": "Be kind."})
    visitor = Visitor(people.handlers)
    signed_in(visitor)
    assert visitor.get("/api/me").json["terms"] == {"version": "1", "text": "Be kind.", "accepted": False}

    for _ in range(2):
        assert visitor.post("/api/me/terms", {"version": "1"}).status == 204

    assert visitor.get("/api/me").json["terms"]["accepted"] is True
    assert [event["text"] for event in recorded(cloud, "TermsAccepted")] == ["1"]
    people.access({"group": "leads", "may": ["search"]}, terms={"version": "2", "text": "Be kinder."})
    clock.pass_by(seconds=61)
    assert visitor.get("/api/me").json["terms"]["accepted"] is False


def test_logout_deletes_the_session(people: People, cloud: Stack) -> None:
    visitor = Visitor(people.handlers)
    signed_in(visitor)
    kept = dict(visitor.cookies)

    assert visitor.post("/auth/logout").status == 204

    assert cloud.dynamodb.scan(TableName=f"{STACK}-archive-sessions")["Items"] == []
    assert Visitor(people.handlers, kept).get("/api/me").error == (401, "NotSignedIn")
