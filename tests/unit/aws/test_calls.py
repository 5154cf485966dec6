"""Clients of AWS: an answer that was cut off is an error, and never one without members."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from boto3.session import Session

from callseal.aws import calls
from callseal.core.errors import TransientError

ANSWER = json.dumps({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}).encode()
ENTRIES: Any = [{"Source": "s", "DetailType": "d", "Detail": "{}"}]


class Cutting(BaseHTTPRequestHandler):
    """Announces the whole answer, and sends a part of it."""

    sent = len(ANSWER)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER[: self.sent])

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Cutting) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        session = Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="eu-north-1")
        yield calls.client(session, "events")
        server.shutdown()


def test_whole_answer_is_read(events: Any) -> None:
    assert events.put_events(Entries=ENTRIES)["Entries"] == [{"EventId": "1"}]


@pytest.mark.parametrize("sent", [0, 1, len(ANSWER) // 2, len(ANSWER) - 1])
def test_answer_that_was_cut_off_is_an_error(events: Any, monkeypatch: pytest.MonkeyPatch, sent: int) -> None:
    monkeypatch.setattr(Cutting, "sent", sent)
    with pytest.raises(TransientError, match="IncompleteReadError"), calls.calling("Putting events"):
        events.put_events(Entries=ENTRIES)
