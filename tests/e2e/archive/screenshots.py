"""Draw the screenshots of docs/archive.md: `python -m tests.e2e.archive.screenshots` writes docs/images/archive-*.jpg.

They show the real page on a local cloud, in Chromium. Run it after a change of the page, and look at them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from localcloud import LocalCloud, Pace
from tests.e2e.archive.conftest import ACCESS, PLAIN, PROFILE, SEALED, WAV, Archive, metadata
from tests.e2e.archive.pages import PHONE, WIDE, Crowd, Person, browser_of, last_mail, until_mail
from tests.support.keys import x509_tenant

IMAGES = Path(__file__).resolve().parents[3] / "docs" / "images"
QUALITY = 72
AGENTS, QUEUES = ("kari", "ola", "per"), ("sales", "support", "invoice_no")


@contextmanager
def office() -> Iterator[Archive]:
    """Run a local cloud with a morning's calls of two tenants."""
    with TemporaryDirectory() as folder, LocalCloud(state_dir=Path(folder), pace=Pace(change_poll=3600.0)) as cloud:
        archive = Archive(cloud, Path(folder))
        for tenant, settings in {"acme": PLAIN, "nordlys": SEALED}.items():
            archive.parameter(tenant, "settings", settings | PROFILE)
            archive.parameter(tenant, "access", ACCESS | {"reason_for": ["play"]})
            for number in range(9):
                flags = {"restricted": number == 4, "sensitive": number == 6}
                facts = {"agent": AGENTS[number % 3], "queue": QUEUES[number % 3], "caller": f"+47223344{number:02}"}
                archive.land(tenant, f"2026/11/{number}_1", WAV, metadata(callee="+4721000000", **facts, **flags))
        archive.key("nordlys", x509_tenant().public_text)
        cloud.wait_until_idle()
        yield archive


def main() -> int:
    """Write the screenshots."""
    IMAGES.mkdir(exist_ok=True)
    with office() as archive, browser_of("chromium") as browser:
        for name, size in {"": WIDE, "-phone": PHONE}.items():
            crowd = Crowd(archive, browser, "chromium")
            kari, vera, ola = (crowd.person(size) for _ in range(3))
            _search_and_play(kari, name)
            _open_sealed(vera, name)
            _share(archive, kari, ola, name)
            crowd.leave()
        _hold_and_erase(crowd.person(), crowd.person())
        crowd.leave()
    return 0


def _search_and_play(person: Person, name: str) -> None:
    person.sign_in()
    person.page.locator("main a[href^='/calls/']").nth(2).wait_for()
    _shoot(person, f"search{name}")
    person.page.locator("main a[href^='/calls/']").nth(2).click()
    person.part("reason").fill("Complaint 4711")
    person.part("play").click()
    person.plays_from(4)
    person.until("() => document.querySelector('canvas')?.width > 0")
    person.page.wait_for_load_state("networkidle")
    _shoot(person, f"call{name}")


def _open_sealed(person: Person, name: str) -> None:
    person.sign_in("nordlys")
    person.page.locator("main a[href^='/calls/']").nth(1).click()
    person.part("command").wait_for()
    _shoot(person, f"sealed{name}")
    person.part("reason").fill("Complaint 4711")
    person.part("key-file").set_input_files(x509_tenant().private_key)
    person.part("open-key").click()
    person.part("play").click()
    person.plays_from(3)
    _shoot(person, f"opened{name}")


def _share(archive: Archive, sender: Person, recipient: Person, name: str) -> None:
    to = f"ola{name or '-wide'}@court.example"
    sender.part("share").click()
    sender.part("share-to").fill(to)
    sender.part("share-days").fill("3")
    sender.part("share-send").click()
    until_mail(archive, to, "/s/", sender)
    link = re.search(r"http://\S+/s/\S+", last_mail(archive, to))
    assert link
    recipient.page.goto(link[0])
    recipient.part("send-code").click()
    code = re.search(r"\b\d{8}\b", until_mail(archive, to, r"\b\d{8}\b", recipient))
    assert code
    recipient.part("code").fill(code[0])
    recipient.part("open").click()
    recipient.part("play").click()
    recipient.plays_from(3)
    _shoot(recipient, f"share{name}")


def _hold_and_erase(kari: Person, ola: Person) -> None:
    for person, email in ((kari, "kari@acme.example"), (ola, "ola@acme.example")):
        person.sign_in(groups="officers,governors", path="/holds", email=email)
        person.part("hold-create").wait_for()
    _hold(kari, "Case 2026-117", "Complaint about an order, letter of 3 November", queue="sales")
    _hold(kari, "Case 2026-121", "Court order", caller="+4722334402")
    ola.page.reload()
    ola.part("hold-release").first.click()
    ola.part("hold-approve").wait_for()
    kari.page.reload()
    kari.part("hold-approve").wait_for()
    _shoot_top(kari, "holds")
    kari.go("/erasures")
    _erase(kari, "+4722334404")
    ola.go("/erasures")
    ola.part("erasure-approve").click()
    ola.part("certificate").wait_for()
    kari.page.reload()
    kari.part("certificate").wait_for()
    _erase(kari, "+4722334400")
    _shoot_top(kari, "erasures")


def _hold(person: Person, name: str, reason: str, **scope: str) -> None:
    fields = {"name": name, "reason": reason, **scope}
    for each, value in fields.items():
        person.part(f"hold-{each}").fill(value)
    person.part("hold-create").click()
    person.page.locator(f"[data-name='{name}'] [data-state=held]").wait_for()


def _erase(person: Person, caller: str) -> None:
    person.part("erasure-caller").fill(caller)
    person.part("erasure-basis").fill("GDPR, article 17, letter of 12 November")
    person.part("erasure-start").click()
    person.part("erasure-approve").wait_for()


def _shoot_top(person: Person, name: str) -> None:
    """Shoot the form at the top of the page and the first case under it."""
    person.page.set_viewport_size({"width": WIDE[0], "height": 1000})
    person.asks("() => scrollTo(0, 0)")
    _shoot(person, name)


def _shoot(person: Person, name: str) -> None:
    person.page.screenshot(path=IMAGES / f"archive-{name}.jpg", type="jpeg", quality=QUALITY)


if __name__ == "__main__":
    sys.exit(main())
