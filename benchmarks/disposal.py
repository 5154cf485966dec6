"""Requests to AWS for a call that is disposed of, in a full batch and one by one, and calls a second of a worker."""

from __future__ import annotations

from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from time import process_time
from unittest.mock import patch

from botocore.awsrequest import AWSResponse

from benchmarks.measure import Row
from callseal.retention.due_calls import BATCH
from tests.support import functions
from tests.support.disposal import put_call
from tests.support.network import Network, Request
from tests.support.stack import stack

ONE_BY_ONE = 20
# 10 million calls that end in one day.
CALLS_A_DAY = 10_000_000
# What a request to AWS takes within a region, from the function's side. Measured on no stack of ours: an estimate.
REQUEST_SECONDS = 0.02


class TimedNetwork(Network):
    """A network that adds up the seconds of CPU that moto takes, which are none of the function's."""

    carried = 0.0

    def _carry(self, request: Request, event_name: str) -> AWSResponse | None:
        started = process_time()
        try:
            return super()._carry(request, event_name)
        finally:
            self.carried += process_time() - started


def disposal_requests_per_call() -> list[Row]:
    """Count the requests of a run with one full batch, and time its own work. The peer deletes call by call."""
    (ours, own), (peer, _) = _run(BATCH, BATCH), _run(ONE_BY_ONE, 1)
    each, single = ours.total() / BATCH, peer.total() / ONE_BY_ONE
    most = ", ".join(f"{operation} {number}" for operation, number in ours.most_common())
    note = (
        f"{BATCH} calls of a recording and its metadata on moto, the run's own requests and its record included: {most}"
    )
    rate, needed = BATCH / (own + ours.total() * REQUEST_SECONDS), CALLS_A_DAY / 86400
    return [
        Row("disposal_requests_per_call", each, round(single, 2), "requests", round(each / single, 4), "<= 0.1", note),
        Row(
            "disposal_calls_a_second", round(rate), round(needed), "calls/s", round(rate / needed, 2), ">= 2",
            f"one worker: its own {own / BATCH * 1000:.2f} ms a call, and {REQUEST_SECONDS * 1000:g} ms a request by "
            f"estimate; the peer is {CALLS_A_DAY:,} calls a day",
        ),
    ]  # fmt: skip


def _run(calls: int, batch: int) -> tuple[Counter[str], float]:
    """Dispose of calls in batches. Return the count of each request, and the seconds of CPU without moto's."""
    with (
        stack() as cloud,
        redirect_stdout(StringIO()),
        patch("callseal.retention.due_calls.BATCH", batch),
        patch("callseal.retention.brake.FREE_CALLS", calls),
        patch("callseal.wiring.container.Session", (network := TimedNetwork(cloud.s3)).session),
    ):
        for number in range(calls):
            put_call(cloud, str(number))
        handler = functions.load("dispose_recordings", watch=False).lambda_handler
        network.requests.clear()
        started = process_time()
        handler({}, None)
        taken = process_time() - started
        return Counter(request.operation for request in network.requests), taken - network.carried
