"""The real Chromium, by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import sync_playwright

from tests.support.keys import tool

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip


class Chromium:
    """A page. `call` calls a function of the page's `page` object with JSON arguments, and returns its result."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def call(self, name: str, *arguments: Any) -> Any:
        return self._page.evaluate(f"arguments => page.{name}(...arguments)", list(arguments))

    def evaluate(self, function: str, argument: Any = None) -> Any:
        return self._page.evaluate(function, argument)

    @contextmanager
    def without(self, pattern: str) -> Iterator[None]:
        """Let every request for a URL fail that matches the pattern."""
        self._page.route(pattern, lambda route: route.abort())
        try:
            yield
        finally:
            self._page.unroute(pattern)

    def read(self, name: str) -> Any:
        return self._page.evaluate(f"() => page.{name}")


@contextmanager
def chromium(url: str) -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tool("chromium"), args=ARGUMENTS)
        try:
            page = browser.new_page()
            page.goto(url)
            page.wait_for_selector("html[data-ready]", state="attached")
            yield Chromium(page)
        finally:
            browser.close()
