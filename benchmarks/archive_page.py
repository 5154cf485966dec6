"""The archive's page: what it asks for until the first sound of an hour-long recording, and what it weighs.

Chromium opens the page on the local cloud. All figures are counts, so they do not depend on the machine.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

from benchmarks.measure import Row
from callseal.tenants.names import access_parameter, settings_parameter, tenants_prefix
from localcloud import LocalCloud
from tests.support.keys import tool

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "web"
# The sample has 7.416 s at a constant bit rate, and no header that says how long it is.
SAMPLE, TIMES, SECONDS = ROOT / "tests/samples/4711000000000002_1.mp3", 486, 3_604
TENANT = "acme"
SETTINGS = {"encrypt": False, "deliver_to_archive": True, "archive_formats": ["mp3"], "metadata_profile": "generic"}
ACCESS = {"grants": [{"group": "officers", "may": ["search", "play", "download", "share", "audit"]}]}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--disable-quic", "--no-first-run"]  # fmt: skip
PATIENCE_SECONDS = 120
# The routes by their last segments. Another last segment is a call's id.
ROUTES = ("me", "calls", "access", "audio", "waveform", "played", "audit")
# Media events do not bubble, but they are captured. The page's policy does not concern scripts of the browser's driver.
# Chromium sends this event when it has decoded enough to play, and plays.
NOTE_SOUND = """
document.addEventListener("playing", () => {
  window.firstSound ??= (performance.timeOrigin + performance.now()) / 1000;
}, true);
"""
SOUND = "() => window.firstSound ?? null"


@dataclass(frozen=True)
class Sent:
    """A request to the archive's API that the page sent, when (in seconds since 1970), and the bytes of its answer."""

    route: str
    time: float
    size: int


def requests_to_first_sound() -> Row:
    """Count the requests to the API from the click on a result to the first sound."""
    sent = to_first_sound()
    note = f"an hour-long mp3 in Chromium; {', '.join(each.route for each in sent)}"
    return Row("requests_to_first_sound", len(sent), 4, "requests", len(sent), "<= 4", note)


def audio_kb_to_first_sound() -> Row:
    """Count the bytes of the recording that were asked for until the first sound."""
    ranges = [each.size for each in to_first_sound() if each.route == "audio"]
    size = round(sum(ranges) / 1024, 1)
    note = f"of {len(SAMPLE.read_bytes()) * TIMES // 1024:,} KiB, in {len(ranges)} ranges"
    return Row("audio_kb_to_first_sound", size, 512, "KiB", size, "<= 512", note)


def page_kb() -> Row:
    """Measure the page's own files, each compressed by itself."""
    files = [path for path in WEB.rglob("*") if path.is_file() and path.relative_to(WEB).parts[0] != "vendor"]
    size = round(sum(len(gzip.compress(path.read_bytes(), 9)) for path in files) / 1024, 1)
    return Row("page_kb", size, 100, "KiB", size, "<= 100", f"{len(files)} files, gzip -9, without web/vendor")


@cache
def to_first_sound() -> list[Sent]:
    """Return the requests that the page sends from the click on a result until the recording sounds."""
    with tempfile.TemporaryDirectory(prefix="cs-") as name, LocalCloud(state_dir=Path(name) / "state") as cloud:
        land(cloud)
        with signed_in(cloud.outputs["ArchiveUrl"]) as page:
            sent = listen(page)
            begun = time.time()
            page.locator("[data-test=call]").first.click()
            page.locator("[data-test=play]").click()
            sounded = wait_for_sound(page)
    return sorted((each for each in sent() if begun <= each.time <= sounded), key=lambda each: each.time)


def land(cloud: LocalCloud) -> None:
    """Add a tenant, and deliver an hour-long call to its archive."""
    ssm, prefix = cloud.client("ssm"), tenants_prefix(cloud.stack_name)
    for parameter, value in ((settings_parameter, SETTINGS), (access_parameter, ACCESS)):
        ssm.put_parameter(Name=parameter(prefix, TENANT), Type="String", Value=json.dumps(value))
    facts = {"startTime": datetime.now(UTC).isoformat(), "durationSeconds": SECONDS, "direction": "in"}
    files = {"json": json.dumps(facts).encode(), "mp3": SAMPLE.read_bytes() * TIMES}
    for extension, data in files.items():
        cloud.client("s3").put_object(
            Bucket=cloud.outputs["LandingBucketName"], Key=f"{TENANT}/1_1.{extension}", Body=data
        )
    cloud.wait_until_idle(PATIENCE_SECONDS)


@contextmanager
def signed_in(url: str) -> Iterator[Any]:
    """Open the page, and sign in as someone who may listen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tool("chromium"), args=ARGUMENTS)
        try:
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_SECONDS * 1000)
            page.add_init_script(NOTE_SOUND)
            page.goto(url)
            page.locator("[data-test=sign-in]").click()
            for field, value in (("email", "kari@acme.example"), ("tenant", TENANT), ("groups", "officers")):
                page.fill(f"#{field}", value)
            page.click("button[type=submit]")
            page.locator("[data-test=call]").first.wait_for()
            yield page
        finally:
            browser.close()


def listen(page: Any) -> Any:
    """Record the page's requests to the API. Return a function that returns them."""
    begun: dict[str, tuple[str, float]] = {}
    sizes: dict[str, int] = {}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")

    def asked(event: Any) -> None:
        path = urlsplit(event["request"]["url"]).path
        if path.startswith("/api/"):
            last = path.rpartition("/")[2]
            begun[event["requestId"]] = (last if last in ROUTES else "card"), event["wallTime"]

    def answered(event: Any) -> None:
        headers = {name.lower(): value for name, value in event["response"]["headers"].items()}
        sizes[event["requestId"]] = int(headers.get("content-length", 0))

    session.on("Network.requestWillBeSent", asked)
    session.on("Network.responseReceived", answered)
    return lambda: [Sent(route, moment, sizes.get(name, 0)) for name, (route, moment) in begun.items()]


def wait_for_sound(page: Any) -> float:
    """Return when the recording sounded first, in seconds since 1970."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    # wait_for_function evaluates a text, which the page's policy forbids.
    while (sounded := page.evaluate(SOUND)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError("The recording does not sound.")
        page.wait_for_timeout(50)
    return float(sounded)
