"""The archive of a storm: the local cloud's gateway and issuer in front of the storm's processes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any

from localcloud.clock_file import ClockFile
from localcloud.http.client import Client, Reply, SignInError
from localcloud.http.front import Front
from localcloud.http.gateway import Gateway
from localcloud.http.issuer import CLIENT_ID, Issuer
from localcloud.http.issuer import Client as IssuersClient
from localcloud.http.routes import Route
from localcloud.runtime import Result
from localcloud.template import load_template
from simulation.faults.cloud import STACK
from simulation.storm.access_judge import OK, AccessJudge
from simulation.storm.calls import DAY
from simulation.storm.cloud import StormCloud
from simulation.storm.people import Person
from simulation.storm.roles import TERMS, Identity
from simulation.storm.shares import AHEAD
from simulation.storm.workers import Workers
from tests.support.stack import REGION

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
SECRET = "a secret of the archive as the issuer's client"  # of a run on this machine
_FUNCTION = re.compile(r"\$\{([A-Z][a-z]+)\w*Function[.]Arn\}")


@dataclass(frozen=True)
class Answering:
    """A function of the API, as the gateway calls it."""

    workers: Workers
    function: str

    def invoke(self, event: Any) -> Result:
        """Answer a request, by the clock that its sender asks for."""
        ahead = timedelta(seconds=int(event["headers"].get(AHEAD, 0)))
        self.workers.counts["requests of people"] += 1
        return self.workers.serve_archive(self.function, event, ahead)


class Archive:
    """Listens from its creation on, and answers from `serve` on, until closed."""

    def __init__(self, cloud: StormCloud) -> None:
        """Take the cloud, which learns where the archive is."""
        clock = ClockFile(Path(__file__).with_name("no clock"))
        self._gateway = Gateway(0, TEMPLATE.parent, clock, lambda _: None)
        self._issuer = Issuer(clock)
        self.environment = {"OIDC_ISSUER": self._issuer.url, "OIDC_CLIENT_ID": CLIENT_ID}
        cloud.put_archive(self._gateway.url, f"{STACK}/oidc-client-secret", SECRET)

    def serve(self, workers: Workers) -> None:
        """Serve the template's routes with the storm's processes."""
        routes = list(routes_of_template())
        runtimes: Any = {route.function_arn: Answering(workers, route.function_arn) for route in routes}
        self._issuer.serve(IssuersClient(SECRET, f"{self._gateway.url}/auth/callback"))
        # At its first request the issuer imports its library, for which a function does not wait.
        Client(self._issuer.url).get("/.well-known/openid-configuration")
        self._gateway.serve(Front("storm", "storm.example", routes), runtimes, "123456789012")

    def browser(self) -> Client:
        """Return a browser without cookies."""
        return Client(self._gateway.url)

    def close(self) -> None:
        """Stop serving."""
        self._gateway.close()
        self._issuer.close()


def routes_of_template() -> Iterator[Route]:
    """Yield the routes of the API, each with its function's verb in place of an ARN."""
    body = load_template(TEMPLATE, REGION)["Resources"]["ArchiveApi"]["Properties"]["Body"]
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            found = _FUNCTION.search(str(operation["x-amazon-apigateway-integration"]["uri"]))
            assert found, path
            yield Route(method.upper(), path, found[1].lower())


def sign_in(person: Person, browser: Client) -> bool:
    """Sign a person in at the issuer, and accept the terms. Return whether that worked."""
    identity, judge = person.identity, person.judge
    login = person.ask("the login", lambda: browser.get("/auth/login"), {OK})
    if not login.is_ok:
        return False
    fields = {"email": identity.email, "tenant": identity.tenant, "groups": ",".join(identity.groups),
              "name": identity.email, "agent": identity.agent}  # fmt: skip
    try:
        url = browser.authorize(login.reply.headers["location"], fields)
    except (SignInError, OSError, HTTPException) as exc:
        judge.complain("X", f"{person.name}: the issuer", f"it does not answer: {exc}")
        return False
    # A callback that is repeated because its answer was lost finds the sign-in completed.
    expected = {OK} if judge.calm else {OK, "SignInFailed"}
    callback = person.ask("the callback", lambda: browser.send("GET", url), expected)
    if not callback.is_ok:
        return False
    person.recorded("a session began", "ArchiveSignedIn", callback.sent)
    person.forget_session()
    judge.count("sign-ins")
    return _accept_terms(person)


def _accept_terms(person: Person) -> bool:
    """Read the terms, and accept them. Return whether they are accepted."""
    if not person.identity.needs_terms:
        return True
    known = bool(person.judge.accepted(person.name, "TermsAccepted"))
    if not known:
        search = {"from": DAY, "to": DAY}
        person.ask("a search before the terms", lambda: person.browser.get("/api/calls", **search),
                   {"TermsNotAccepted"})  # fmt: skip
    me = person.persist("me", lambda: person.browser.get("/api/me"), {OK})
    if me.is_ok and me.reply.json["terms"]["accepted"]:
        person.recorded("the terms count as accepted", "TermsAccepted", text=TERMS["version"])
        return True
    body = {"version": TERMS["version"]}
    answer = person.persist("the terms", lambda: person.browser.post("/api/me/terms", body), {OK})
    if answer.is_ok:
        person.recorded("the terms were accepted", "TermsAccepted", text=TERMS["version"])
    return answer.is_ok


class Member:
    """A person with a browser and a session that begins when it is needed."""

    def __init__(self, identity: Identity, judge: AccessJudge, archive: Archive, random: Random) -> None:
        """Take who it is."""
        self._browser, self._is_there = archive.browser(), False
        self.person, self.random = Person(identity, self._browser, judge, random, fetch), random

    def is_there(self) -> bool:
        """Sign the person in, unless there is a session. Return whether there is one."""
        self._is_there = self._is_there or sign_in(self.person, self._browser)
        return self._is_there

    def leave(self) -> None:
        """End the session, and check that it opens nothing any more."""
        if not self._is_there:
            return
        cookies = {host: dict(jar) for host, jar in self._browser.cookies.items()}
        answer = self.person.persist("the logout", lambda: self._browser.post("/auth/logout"), {OK})
        if answer.is_ok:
            self._browser.cookies = cookies  # a copy of the cookie that was deleted
            self.person.ask("a search after the logout", lambda: self._browser.get("/api/calls"), {"NotSignedIn"})
            self._browser.cookies, self._is_there = {}, False


def fetch(url: str) -> Reply | None:
    """Return the answer of a URL, or None if the connection broke."""
    try:
        return Client(url).send("GET", url)
    except (OSError, HTTPException):
        return None
