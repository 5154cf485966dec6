"""The archive's page in Chromium and Firefox: find, listen, download, share, and open sealed recordings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.archive.conftest import CALLER, HOUR_CALLER, Archive
from tests.e2e.archive.pages import BROWSERS, PHONE, Crowd, Person, browser_of, until_mail
from tests.support.keys import openpgp_tenant, run, tool, x509_tenant

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module", params=BROWSERS)
def all_people(request: pytest.FixtureRequest, archive: Archive) -> Iterator[Crowd]:
    with browser_of(request.param) as browser:
        yield Crowd(archive, browser, request.param)


@pytest.fixture
def people(all_people: Crowd) -> Iterator[Crowd]:
    yield all_people
    all_people.leave()


@pytest.fixture
def kari(people: Crowd) -> Person:
    """An officer of acme who has signed in."""
    kari = people.person()
    kari.sign_in()
    return kari


def results(person: Person) -> Any:
    return person.page.locator("main a[href^='/calls/']")


# ---- find and listen ------------------------------------------------------------------------------------------------


def test_sign_in_search_and_listen(kari: Person) -> None:
    kari.part("caller").fill(CALLER)
    kari.part("search").click()
    expect(results(kari)).to_have_count(1)
    assert "caller=" in kari.page.url
    kari.check()

    results(kari).first.click()
    kari.part("play").click()

    kari.plays_from(0.3)
    kari.until("() => document.querySelector('canvas')?.width > 0")
    kari.check()
    kari.part("play").click()
    kari.until("() => document.querySelector('audio').paused")


def test_seek_to_the_end_of_an_hour(kari: Person) -> None:
    kari.open_call("acme/9_1")
    kari.part("play").click()
    kari.plays_from(0.3)

    kari.part("position").fill(str(59 * 60))

    assert 59 * 60 <= kari.plays_from(59 * 60) < 3605
    kari.part("position").fill("600")
    assert 600 <= kari.plays_from(600) < 700
    text = kari.part("position").get_attribute("aria-valuetext")
    assert text and re.match(r"10 minutes", text)


def test_each_side_has_its_own_volume(kari: Person) -> None:
    kari.open_call("acme/1_1")
    kari.part("play").click()
    kari.plays_from(0.2)
    kari.part("left").fill("0")
    kari.part("right").fill("50")
    kari.part("skip-silence").check(force=True)
    kari.part("speed").select_option("1.5")

    state = kari.asks("() => { const it = document.querySelector('audio'); return [it.playbackRate, it.paused] }")
    assert state[0] == 1.5
    kari.check()


def test_filters_are_in_the_address_and_in_history(kari: Person) -> None:
    for queue, found in (("support", 1), ("sales", 3)):
        kari.part("queue").fill(queue)
        kari.part("search").click()
        expect(results(kari)).to_have_count(found)
        assert f"queue={queue}" in kari.page.url

    kari.asks("() => history.back()")

    expect(kari.part("queue")).to_have_value("support")
    expect(results(kari)).to_have_count(1)
    kari.go("/?queue=sales")
    expect(kari.part("queue")).to_have_value("sales")


def test_filter_that_cannot_be_used_is_explained(kari: Person) -> None:
    kari.part("caller").fill("anonymous")
    kari.part("search").click()
    expect(kari.part("problem")).to_be_visible()
    assert kari.part("problem").get_attribute("role") == "alert"
    kari.check()


def test_restricted_call_is_refused_with_its_reason(people: Crowd) -> None:
    lead = people.person()
    lead.sign_in(groups="leads")
    lead.open_call("acme/3_1")
    expect(lead.part("problem")).to_contain_text("restricted")
    lead.check()


def test_reason_is_asked_once_for_a_recording(people: Crowd) -> None:
    person = people.person()
    person.sign_in("globex")
    person.open_call("globex/1_1")
    person.part("play").click()
    expect(person.part("reason")).to_have_attribute("aria-invalid", "true")
    expect(person.part("reason")).to_be_focused()

    person.part("reason").fill("Complaint 4711")
    person.part("play").click()

    person.plays_from(0.2)
    person.check()


def test_terms_are_accepted_before_anything_else(people: Crowd) -> None:
    person = people.person()
    person.sign_in("strict", email=f"kari@{people.kind}.example")
    expect(person.page.get_by_text("Recordings are confidential.")).to_be_visible()
    person.part("accept").click()
    accept = person.page.locator("main button").first
    if not person.part("caller").is_visible():
        accept.click()
    expect(person.part("caller")).to_be_visible()


def test_download_comes_as_a_file(kari: Person, tmp_path: Path) -> None:
    kari.open_call("acme/1_1")
    with kari.page.expect_download() as download:
        kari.part("download").first.click()
    download.value.save_as(tmp_path / "call.wav")
    assert (tmp_path / "call.wav").read_bytes()[:4] == b"RIFF"
    assert download.value.suggested_filename == "1_1.wav"


def test_audit_shows_who_did_what(kari: Person) -> None:
    kari.go("/audit")
    expect(kari.page.get_by_text("kari@acme.example").first).to_be_visible()
    kari.check()


def test_expired_session_leads_to_the_sign_in_and_back(kari: Person) -> None:
    kari.open_call("acme/1_1")
    expect(kari.part("play")).to_be_visible()
    kari.context.clear_cookies()
    kari.part("play").click()
    expect(kari.part("sign-in")).to_be_visible()
    kari.check()


# ---- sealed ---------------------------------------------------------------------------------------------------------


def key_files(tmp_path: Path) -> dict[str, tuple[Path, str]]:
    """Return a key file and its passphrase for each kind of tenant."""
    x509, openpgp = x509_tenant(), openpgp_tenant()
    bundle, secret = tmp_path / "our.p12", tmp_path / "our.asc"
    run(tool("openssl"), "pkcs12", "-export", "-inkey", x509.private_key, "-in", x509.certificate,
        "-passout", "pass:tøp secret", "-out", bundle)  # fmt: skip
    secret.write_bytes(run(tool("gpg"), "--homedir", openpgp.home, "--batch", "--armor", "--export-secret-keys"))
    return {"cms": (x509.private_key, ""), "cms in PKCS #12": (bundle, "tøp secret"), "pgp": (secret, "")}


@pytest.mark.parametrize("kind", ["cms", "cms in PKCS #12", "pgp"])
def test_sealed_recording_is_opened_by_its_owner(people: Crowd, tmp_path: Path, kind: str) -> None:
    tenant = kind.partition(" ")[0]
    person = people.person()
    person.sign_in(tenant)
    person.open_call(f"{tenant}/1_1")
    expect(person.part("sealed")).to_be_visible()
    expect(person.part("command")).to_contain_text("openssl cms -decrypt" if tenant == "cms" else "gpg --output")
    person.check()
    key, passphrase = key_files(tmp_path)[kind]

    person.part("key-file").set_input_files(key)
    person.part("passphrase").fill(passphrase)
    person.part("open-key").click()
    person.part("play").click()

    person.plays_from(0.2)
    assert person.asks("() => document.querySelector('audio').src.startsWith('blob:')")
    assert person.asks("() => [localStorage.length, sessionStorage.length]")[0] == 0
    person.check()


@pytest.mark.parametrize("wrong", ["another key", "a wrong passphrase", "no key at all"])
def test_key_that_does_not_open_is_explained(people: Crowd, tmp_path: Path, wrong: str) -> None:
    person = people.person()
    person.sign_in("cms")
    person.open_call("cms/1_1")
    files = {
        "another key": (x509_tenant("rsa3072", "other").private_key, ""),
        "a wrong passphrase": (key_files(tmp_path)["cms in PKCS #12"][0], "guess"),
        "no key at all": (Path(__file__), ""),
    }
    person.part("key-file").set_input_files(files[wrong][0])
    person.part("passphrase").fill(files[wrong][1])
    person.part("open-key").click()
    expect(person.part("problem")).to_be_visible()
    assert person.asks("() => document.querySelector('audio')") is None
    person.check()


# ---- share ----------------------------------------------------------------------------------------------------------


def test_share_is_opened_in_another_browser_and_cancelled_in_mid_play(people: Crowd, archive: Archive) -> None:
    kari, ola = people.person(), people.person(PHONE)
    kari.sign_in()
    kari.open_call("acme/9_1")
    to = f"ola@{people.kind}.example"
    kari.part("share").click()
    kari.part("share-to").fill(to)
    # By keys: in Firefox, Playwright's fill adds to a number.
    kari.part("share-days").press("Control+a")
    kari.page.keyboard.type("3")
    kari.check()
    kari.part("share-send").click()
    kari.until("() => !document.querySelector('[data-test=share-send]')?.disabled")
    link = re.search(r"http://\S+/s/\S+", until_mail(archive, to, "/s/", kari))
    assert link

    ola.page.goto(link[0])
    ola.part("send-code").click()
    code = re.search(r"\b\d{8}\b", until_mail(archive, to, r"\b\d{8}\b", ola))
    assert code
    ola.check()
    ola.part("code").fill(code[0])
    ola.part("open").click()
    ola.part("play").click()
    ola.plays_from(0.2)
    ola.check()

    kari.go("/shares")
    kari.check()
    kari.page.on("dialog", lambda dialog: dialog.accept())
    row = kari.page.locator("main :is(li, tr)").filter(has_text=to).first
    row.locator("[data-test=share-cancel]").click()
    expect(row).to_contain_text(re.compile("cancelled", re.IGNORECASE))
    assert ola.asks("async () => (await fetch(document.querySelector('audio').src)).status") == 404
    if people.kind == "chromium":  # Firefox has read all of an hour's few megabytes by now
        ola.part("position").fill("3000")
        ola.until("() => document.querySelector('[data-test=problem]')?.innerText")


# ---- everybody ------------------------------------------------------------------------------------------------------


def test_by_keyboard_alone(people: Crowd) -> None:
    person = people.person()
    person.go()
    person.part("sign-in").focus()
    person.page.keyboard.press("Enter")
    person.page.locator("[name=email]").wait_for()
    for value in ("kari@acme.example", "acme", "officers"):
        _tab_to_input(person)
        person.page.keyboard.type(value)
    person.page.keyboard.press("Enter")
    person.part("caller").wait_for()
    _tab_until(person, "[data-test=caller]")
    person.page.keyboard.type(HOUR_CALLER)
    person.page.keyboard.press("Enter")
    expect(results(person)).to_have_count(1)
    _tab_until(person, "main a[href^='/calls/']")
    person.page.keyboard.press("Enter")
    person.part("play").wait_for()
    expect(person.page.locator("h1")).to_be_focused()
    _tab_until(person, "[data-test=play]")
    person.page.keyboard.press("Enter")
    person.plays_from(0.2)
    person.page.keyboard.press("l")
    person.plays_from(9)
    _tab_until(person, "[data-test=position]", "Shift+Tab")
    person.page.keyboard.press("End")
    person.until("() => document.querySelector('audio').currentTime > 3000")


def _tab_to_input(person: Person) -> None:
    person.page.keyboard.press("Tab")
    person.until("() => document.activeElement.tagName === 'INPUT'")


def _tab_until(person: Person, selector: str, key: str = "Tab") -> None:
    for _ in range(60):
        if person.asks(f"() => document.activeElement.matches({selector!r})"):
            return
        person.page.keyboard.press(key)
    raise AssertionError(f"The keyboard does not reach {selector}")


@pytest.mark.parametrize(("locale", "words"), [("nb-NO", "Samtaler"), ("de-DE", "Gespräche"), ("fr-FR", "Calls")])
def test_page_speaks_the_readers_language(people: Crowd, locale: str, words: str) -> None:
    if people.kind == "firefox":
        pytest.skip("Playwright sets no languages of the stock Firefox")
    person = people.person(locale=locale)
    person.sign_in()
    expect(person.page.locator("h1")).to_contain_text(words)
    assert person.asks("() => document.documentElement.lang") == ("en" if locale[:2] == "fr" else locale[:2])
    person.check()


@pytest.mark.parametrize("path", ["/", "call", "/shares", "/audit"])
def test_phone_and_narrow_window_need_no_scrolling_sideways(people: Crowd, path: str) -> None:
    person = people.person(PHONE)
    person.sign_in()
    person.go(path) if path != "call" else person.open_call("acme/1_1")
    person.page.locator("h1").wait_for()
    person.page.wait_for_load_state("networkidle")
    for width, height in (PHONE, (320, 640)):
        person.page.set_viewport_size({"width": width, "height": height})
        inner, content = person.asks("() => [innerWidth, document.documentElement.scrollWidth]")
        assert inner == width >= content
        person.check()
