"""One server and one browser for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.interop import lab
from tests.web.browser import Browser
from tests.web.chromium import chromium
from tests.web.site import Site, serve


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    yield
    lab.leave()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serve() as site:
        yield site


@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator[Browser]:
    """Chromium with the tests' page. No test may violate the page's policy."""
    with chromium(f"{site.url}/opener.html") as page:
        yield Browser(page, site)
        assert page.read("violations") == []
