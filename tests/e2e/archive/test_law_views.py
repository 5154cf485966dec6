"""Holds and erasures in the archive's page, by two people with a browser each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.archive.conftest import PLAIN, PROFILE, WAV, Archive, metadata
from tests.e2e.archive.pages import BROWSERS, PATIENCE_SECONDS, PHONE, Crowd, Person, browser_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
TENANT = "law-views"
ACCESS = {
    "grants": [
        {"group": "officers", "may": ["search", "play", "hold", "erase", "audit", "share", "download"]},
        {"group": "agents", "may": ["search", "play"]},
    ]
}
# Each browser has callers of its own, because a call is erased once.
CALLERS = {"chromium": 10, "firefox": 20}
HELD, ERASED, BOTH = "+47910000{}1", "+47910000{}2", "+47910000{}3"


@pytest.fixture(scope="module")
def office(archive: Archive) -> Archive:
    """A tenant of its own, with three calls for each browser."""
    archive.parameter(TENANT, "settings", PLAIN | PROFILE)
    archive.parameter(TENANT, "access", ACCESS)
    for first in CALLERS.values():
        for place, caller in enumerate((HELD, ERASED, BOTH)):
            archive.land(TENANT, f"2026/11/{first}{place}_1", WAV, metadata(caller=caller.format(first), queue="sales"))
    archive.cloud.wait_until_idle(120)
    return archive


@pytest.fixture(scope="module", params=BROWSERS)
def all_people(request: pytest.FixtureRequest, office: Archive) -> Iterator[Crowd]:
    # What the views show takes several functions of the local cloud.
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with browser_of(request.param) as browser:
        yield Crowd(office, browser, request.param)
    expect.set_options(timeout=5_000)


@pytest.fixture
def people(all_people: Crowd) -> Iterator[Crowd]:
    yield all_people
    all_people.leave()


def officer(people: Crowd, name: str, path: str, groups: str = "officers") -> Person:
    """Return a person who has signed in at a path."""
    person = people.person()
    person.sign_in(TENANT, groups, path, f"{name}@{TENANT}.example")
    person.page.locator("h1").wait_for()
    return person


def caller(people: Crowd, number: str) -> str:
    return number.format(CALLERS[people.kind])


def case_of(person: Person, kind: str, text: str) -> Locator:
    return person.part(f"{kind}-case").filter(has_text=text)


def state_of(case: Locator) -> Locator:
    return case.locator("[data-test=state]")


def reaches(case: Locator, state: str) -> None:
    """Wait until a case has a state, by a pattern."""
    expect(state_of(case)).to_have_attribute("data-state", re.compile(f"^({state})$"))


def refused(person: Person, sentence: str) -> None:
    """Check that the page shows a refusal as an alert."""
    expect(person.part("problem")).to_contain_text(sentence)
    assert person.part("problem").get_attribute("role") == "alert"


def place_hold(person: Person, name: str, number: str) -> Locator:
    person.part("hold-name").fill(name)
    person.part("hold-reason").fill("Complaint 4711")
    person.part("hold-caller").fill(number)
    person.part("hold-create").click()
    return case_of(person, "hold", name)


def start_erasure(person: Person, number: str) -> Locator:
    """Start an erasure, and return its case, which has the focus."""
    person.part("erasure-caller").fill(number)
    person.part("erasure-basis").fill("GDPR, article 17")
    person.part("erasure-start").click()
    person.until("() => document.activeElement.matches('.case h2')")
    request = person.asks("() => document.activeElement.closest('[data-request]').dataset.request")
    return person.page.locator(f"[data-request='{request}']")


def test_hold_is_placed_and_released_by_two_people(people: Crowd) -> None:
    kari, ola = officer(people, "kari", "/holds"), officer(people, "ola", "/holds")
    name = f"case {people.kind}"
    case = place_hold(kari, name, caller(people, HELD))
    reaches(case, "held")
    expect(case).to_contain_text("1 call")
    expect(case).to_contain_text(f"kari@{TENANT}.example")
    kari.check()

    case.locator("[data-test=hold-release]").click()
    reaches(case, "release_asked")
    case.locator("[data-test=hold-approve]").click()
    refused(kari, "A second person has to do this")
    kari.check()

    ola.page.reload()
    theirs = case_of(ola, "hold", name)
    theirs.locator("[data-test=hold-approve]").click()
    reaches(theirs, "released")
    expect(theirs).to_contain_text("0 calls")
    ola.check()


def test_hold_that_cannot_be_placed_is_explained(people: Crowd) -> None:
    kari = officer(people, "kari", "/holds")
    kari.part("hold-name").fill("nothing")
    kari.part("hold-reason").fill("Complaint 4711")
    kari.part("hold-create").click()
    refused(kari, "Say which calls")
    expect(kari.part("hold-caller")).to_be_focused()
    kari.part("hold-caller").fill("anonymous")
    kari.part("hold-create").click()
    refused(kari, "The archive does not accept this: The caller is withheld")
    assert kari.part("hold-case").filter(has_text="nothing").count() == 0


def test_erasure_is_started_and_approved_by_two_people(people: Crowd, tmp_path: Path) -> None:
    kari, ola = officer(people, "kari", "/erasures"), officer(people, "ola", "/erasures")
    case = start_erasure(kari, caller(people, ERASED))
    reaches(case, "requested")
    expect(state_of(case)).to_have_text("Waits for approval")
    expect(case.locator("[data-test=counts]")).to_contain_text("4 files would be erased")
    kari.check()
    case.locator("[data-test=erasure-approve]").click()
    refused(kari, "A second person has to do this")

    request = str(case.get_attribute("data-request"))
    ola.page.reload()
    theirs = ola.page.locator(f"[data-request='{request}']")
    expect(theirs.locator("[data-test=counts]")).to_contain_text("4 files would be erased")
    theirs.locator("[data-test=erasure-approve]").click()
    reaches(theirs, "done")
    expect(theirs.locator("[data-test=counts] li").first).to_contain_text(re.compile("files (are erased|were gone)"))
    theirs.locator("[data-test=erasure-files]").click()
    expect(theirs.get_by_role("row")).to_have_count(5)
    ola.check()

    files = {}
    for part in ("certificate", "signature"):
        with ola.page.expect_download() as download:
            theirs.locator(f"[data-test={part}]").click()
        download.value.save_as(tmp_path / download.value.suggested_filename)
        files[part] = tmp_path / download.value.suggested_filename
    assert files["certificate"].name == f"erasure-{request}.json"
    assert json.loads(files["certificate"].read_bytes())["request"] == request
    assert files["signature"].read_bytes()[:1] == b"\x30"


def test_call_says_that_it_is_held_or_waits_for_its_erasure(people: Crowd, office: Archive) -> None:
    kari, ola = officer(people, "kari", "/"), officer(people, "ola", "/erasures")
    number = caller(people, BOTH)
    kari.part("caller").fill(number)
    kari.part("search").click()
    found = kari.page.locator("main a[href^='/calls/']")
    expect(found).to_have_count(1)
    found.click()
    kari.part("hold").click()
    kari.part("hold-name").fill(f"call {people.kind}")
    kari.part("hold-reason").fill("Complaint 4711")
    kari.check()
    kari.part("hold-create").click()
    expect(kari.page.locator("#hold-panel")).to_contain_text("is being placed")
    path = kari.page.url.removeprefix(office.url)
    ola.go("/holds")
    reaches(case_of(ola, "hold", f"call {people.kind}"), "held")

    kari.go(path)
    expect(kari.part("notice-held")).to_contain_text(f"call {people.kind}")
    kari.check()
    kari.go("/erasures")
    case = start_erasure(kari, number)
    expect(case.locator("[data-test=counts]")).to_contain_text("on hold")
    ola.go("/erasures")
    theirs = ola.page.locator(f"[data-request='{case.get_attribute('data-request')}']")
    theirs.locator("[data-test=erasure-approve]").click()
    reaches(theirs, "partly|refused")
    ola.check()
    kari.go(path)
    expect(kari.part("notice-erasing")).to_be_visible()
    assert kari.part("play").count() == 0
    kari.check()


def test_only_those_with_the_right_are_offered_the_views(people: Crowd) -> None:
    agent = officer(people, "per", "/", groups="agents")
    paths = "() => [...document.querySelectorAll('#header nav a')].map((each) => each.getAttribute('href'))"
    assert agent.asks(paths) == ["/"]
    agent.page.locator("main a[href^='/calls/']").first.click()
    agent.part("play").wait_for()
    assert agent.part("hold").count() == 0
    agent.go("/holds")
    refused(agent, "Your groups do not allow this")


@pytest.mark.parametrize("path", ["/holds", "/erasures"])
def test_narrow_windows_need_no_scrolling_sideways(people: Crowd, path: str) -> None:
    person = officer(people, "kari", path)
    person.part("hold-case" if path == "/holds" else "erasure-case").first.wait_for()
    for width, height in ((1280, 800), (1020, 700), (800, 700), PHONE, (320, 640)):
        person.page.set_viewport_size({"width": width, "height": height})
        inner, content = person.asks("() => [innerWidth, document.documentElement.scrollWidth]")
        assert inner == width >= content
    person.check()


@pytest.mark.parametrize("locale", ["nb-NO", "de-DE"])
@pytest.mark.parametrize("path", ["/holds", "/erasures"])
def test_views_speak_the_readers_language(people: Crowd, path: str, locale: str) -> None:
    if people.kind == "firefox":
        pytest.skip("Playwright sets no languages of the stock Firefox")
    person = people.person((320, 640), locale, color_scheme="dark")
    person.sign_in(TENANT, path=path)
    person.part("state").first.wait_for()
    text = person.page.locator("body").inner_text()
    assert not re.findall(r"\b(?:hold|holds|law|erasure|erasures|nav|call)\.[a-zA-Z_.]+\b", text)
    assert person.asks("() => document.documentElement.scrollWidth") == 320
    person.check()
