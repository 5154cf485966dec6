"""The page in real browsers: Chromium and Firefox, driven by Playwright, with what every test checks at its end."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string, policy
from pathlib import Path
from typing import Any
from unittest.mock import patch

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, sync_playwright

from tests.e2e.archive.conftest import Archive
from tests.support.keys import tool

BROWSERS = ("chromium", "firefox")
WIDE, PHONE = (1280, 800), (390, 844)
SUPPORT = Path(__file__).with_name("firefox_support.cjs")
# What the browsers would do by themselves besides the tests.
CHROMIUM = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-quic", "--no-first-run", "--autoplay-policy=user-gesture-required",
)  # fmt: skip
FIREFOX = {
    "services.settings.server": "data:,",
    "network.captive-portal-service.enabled": False,
    # The machine has no sound card, without which Firefox plays nothing.
    "media.cubeb.force_mock_context": True,
    "media.cubeb.sandbox": False,
    # Keys that a test presses are no person's, whose presence Firefox wants for sound.
    "media.autoplay.default": 0,
}
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PATIENCE_SECONDS = 180.0
# Events of violations come late, so they are collected from the first script on.
COLLECT = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@contextmanager
def browser_of(kind: str) -> Iterator[Browser]:
    """Run a browser."""
    with patch.dict(os.environ, {"NODE_OPTIONS": f"--require {SUPPORT}"}), sync_playwright() as playwright:
        options: dict[str, Any] = (
            {"executable_path": tool("chromium"), "args": [*CHROMIUM]}
            if kind == "chromium"
            else {"executable_path": tool("firefox-esr"), "channel": "moz-firefox", "firefox_user_prefs": FIREFOX}
        )
        browser = getattr(playwright, kind).launch(**options)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Person:
    """A person with a browser window of their own, who sees one page."""

    archive: Archive
    context: BrowserContext
    page: Page
    refused: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def part(self, name: str) -> Locator:
        """Return the element with this data-test."""
        return self.page.locator(f"[data-test={name}]")

    def go(self, path: str = "/") -> None:
        """Open a path of the archive."""
        self.page.goto(f"{self.archive.url}{path}")

    def sign_in(self, tenant: str = "acme", groups: str = "officers", path: str = "/", email: str = "") -> None:
        """Sign in through the issuer's form, beginning at a path."""
        self.go(path)
        self.part("sign-in").click()
        for name, value in {"email": email or f"kari@{tenant}.example", "tenant": tenant, "groups": groups}.items():
            self.page.locator(f"[name={name}]").fill(value)
        self.page.locator("button[type=submit]").click()
        self.page.wait_for_url(f"{self.archive.url}{path}")

    def open_call(self, name: str) -> None:
        """Open the page of a call by the name that the archive's fixture gives it."""
        self.go(f"/calls/{self.archive.calls[name]}")

    def asks(self, expression: str) -> Any:
        """Return the value of a JavaScript function in the page."""
        return self.page.evaluate(expression)

    def until(self, expression: str) -> Any:
        """Wait until a JavaScript function returns something true, and return that.

        Playwright's own way would compile a text in the page, which the page's policy forbids.
        """
        ends = time.monotonic() + PATIENCE_SECONDS
        while not (value := self.page.evaluate(expression)):
            assert time.monotonic() < ends, f"It did not come true: {expression}"
            self.page.wait_for_timeout(20)
        return value

    def plays_from(self, seconds: float) -> float:
        """Wait until the recording plays at or after a second, and return where."""
        where = f"!it.paused && it.currentTime >= {seconds} && it.currentTime"
        return float(self.until(f"() => {{ const it = document.querySelector('audio'); return it && {where} }}"))

    def check(self) -> None:
        """Check that the page violated no policy, asked no other host, and that axe finds nothing."""
        assert self.asks("() => window.violations") == []
        assert self.refused == [] and self.foreign == []
        results = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": LEVELS}})
        found = [(each["id"], [node["html"] for node in each["nodes"]]) for each in results.response["violations"]]
        assert found == []


@dataclass
class Crowd:
    """Gives each person a window."""

    archive: Archive
    browser: Browser
    kind: str
    people: list[Person] = field(default_factory=list)

    def person(self, size: tuple[int, int] = WIDE, locale: str = "en-GB", **options: Any) -> Person:
        """Return a new person."""
        settings: Any = {"viewport": {"width": size[0], "height": size[1]}, "locale": locale, **options}
        context = self.browser.new_context(**settings)
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        context.add_init_script(COLLECT)
        person = Person(self.archive, context, context.new_page())
        person.page.on("console", self._listener(person))
        person.page.on("request", lambda request: self._looks_elsewhere(person, request.url))
        self.people.append(person)
        return person

    def leave(self) -> None:
        """Close all windows."""
        for person in self.people:
            person.context.close()
        self.people.clear()

    @staticmethod
    def _listener(person: Person) -> Callable[[ConsoleMessage], None]:
        def heard(message: ConsoleMessage) -> None:
            if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
                person.refused.append(message.text)

        return heard

    def _looks_elsewhere(self, person: Person, url: str) -> None:
        ours = (self.archive.url, self.archive.outputs["OidcIssuer"], "blob:", "data:", self.archive.cloud.endpoint_url)
        if not url.startswith(ours):
            person.foreign.append(url)


def last_mail(archive: Archive, to: str) -> str:
    """Return the text of the last mail to an address."""
    mails = [message_from_string(mail, policy=policy.default) for mail in archive.mails()]
    body = [mail for mail in mails if mail["to"] == to][-1].get_body(("plain",))
    assert body
    return str(body.get_content())


def until_mail(archive: Archive, to: str, pattern: str, person: Person) -> str:
    """Wait until the last mail to an address has a pattern, and return its text."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        if any(f"to: {to}" in mail.lower() for mail in archive.mails()) and re.search(pattern, last_mail(archive, to)):
            return last_mail(archive, to)
        person.page.wait_for_timeout(50)
    raise AssertionError(f"no mail to {to} has {pattern}")
