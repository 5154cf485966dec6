"""The real Firefox, by WebDriver BiDi, which it speaks itself: no geckodriver is needed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.keys import tool
from tests.web.websocket import WebSocket

TIMEOUT = 120.0
# Firefox asks its vendor's servers for nothing.
PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}


class Firefox:
    """A page. `call` calls a function of the page's `page` object with JSON arguments, and returns its result."""

    def __init__(self, connection: WebSocket) -> None:
        self._connection, self._numbers = connection, count(1)
        self._send("session.new", capabilities={})
        self._context = self._send("browsingContext.getTree")["contexts"][0]["context"]

    def go(self, url: str) -> None:
        self._send("browsingContext.navigate", context=self._context, url=url, wait="complete")
        ready = "new Promise(done => { const look = () => document.documentElement.dataset.ready ? done() : "
        self._run(f"() => {ready} requestAnimationFrame(look); look(); }})")

    def call(self, name: str, *arguments: Any) -> Any:
        return self._run(f"async text => JSON.stringify(await page.{name}(...JSON.parse(text)) ?? null)", arguments)

    def read(self, name: str) -> Any:
        return self._run(f"() => JSON.stringify(page.{name})")

    def _run(self, function: str, arguments: Any = None) -> Any:
        answer = self._send(
            "script.callFunction", functionDeclaration=function, awaitPromise=True, target={"context": self._context},
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
        )  # fmt: skip
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"].get("value", "null"))

    def _send(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.receive())
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                return answer["result"]


@contextmanager
def firefox(url: str) -> Iterator[Firefox]:
    with TemporaryDirectory(prefix="firefox-") as profile:
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
        with open(f"{profile}/user.js", "w") as file:
            file.writelines(lines)
        command = [
            tool("firefox-esr"),
            "--headless",
            "--no-remote",
            "--profile",
            profile,
            "--remote-debugging-port",
            "0",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            with closing(WebSocket("127.0.0.1", _port(process), "/session", TIMEOUT)) as connection:
                page = Firefox(connection)
                page.go(url)
                yield page
        finally:
            process.terminate()
            process.communicate()


def _port(process: subprocess.Popen[str]) -> int:
    """Return the port that Firefox prints once it listens."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"WebDriver BiDi listening on ws://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError(f"firefox-esr ended: {''.join(said)}")
