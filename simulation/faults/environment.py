"""An execution environment: a real process that can be killed, forked from one that has imported everything.

The forkserver of multiprocessing imports this module once and forks a child for each attempt. This module shortens only
what costs time. Everything that decides the outcome is the functions' own code.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from http.client import HTTPConnection
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any
from unittest.mock import patch

import boto3
from botocore.retries.standard import ExponentialBackoff

from callseal.archive import serve_share
from callseal.aws import bus, calls, item_batches, upload
from callseal.crypto import gpg
from callseal.crypto.envelopes import openpgp
from callseal.crypto.recipients import openpgp as openpgp_keys
from callseal.crypto.recipients import x509
from callseal.delivery import commit, output_buckets, planning
from callseal.keys import announcements, check_keys, usage_table
from callseal.retention import hold_messages, hold_table, reconcile_findings
from callseal.sftp import authenticate_sftp
from callseal.tenants import directory
from callseal.wiring import container
from localcloud.environment import dummy_credentials
from simulation.fault_proxy import in_time
from tests.security.privacy.hooks import as_lambda_logs
from tests.support import functions

ATTEMPTS = 2
PART_BYTES = 64 * 1024
# The functions by their verb: `encrypt` is functions/encrypt_recording.
# By the first word of its name, or by its whole name if that word is not its own.
HANDLERS = {folder.partition("_")[0]: folder for folder in functions.NAMES} | {each: each for each in functions.NAMES}
# For a function that hangs, on a busy machine.
INVOCATION_SECONDS = 300.0
IMPORTED_FOR_THE_CHILDREN = (gpg, openpgp, openpgp_keys, x509)

_ahead = timedelta()


def _now() -> datetime:
    return datetime.now(UTC) + _ahead


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session()


_client = cache(lambda service: calls.client(_session(), service))


def _shorten() -> None:
    """Shorten waits, part sizes and start-up."""
    HTTPConnection.getresponse = in_time  # type: ignore[method-assign,assignment]
    calls.CONFIG.retries["total_max_attempts"] = ATTEMPTS  # type: ignore[attr-defined]
    ExponentialBackoff.delay_amount = lambda self, context: 0  # type: ignore[method-assign,assignment]
    bus.PAUSE_SECONDS = item_batches.PAUSE_SECONDS = usage_table.PAUSE_SECONDS = hold_table.PAUSE_SECONDS = 0.001
    hold_messages.SETTLE_SECONDS = reconcile_findings.CARD_SECONDS = 0
    # A function that waits for a claim still waits longer than the claim lasts.
    announcements.CLAIM, check_keys.CLAIM_PAUSE_SECONDS = timedelta(seconds=0.4), 0.01
    authenticate_sftp.ANSWER_SECONDS = serve_share.ANSWER_SECONDS = 0
    for module in (upload, planning, commit):
        module.PART_BYTES = PART_BYTES  # type: ignore[attr-defined]
    output_buckets.MAX_COPY_BYTES, output_buckets.COPY_PART_BYTES = 100_000, PART_BYTES
    # Treat every change of key and settings as old, unless a scenario overrides it.
    directory.CLOCK_SKEW = -timedelta(days=1)
    container.now = _now
    container.Session = _session  # type: ignore[misc,assignment]
    container.client = lambda _, service: _client(service)  # type: ignore[assignment]
    # Created once, before any request: a child process inherits the clients and opens its own connections.
    for service in ("s3", "sqs", "ssm", "secretsmanager", "events", "dynamodb", "lambda", "kms", "sesv2"):
        _client(service)


if "AWS_ENDPOINT_URL" in os.environ:
    _shorten()
    _LOADED = {folder: functions.load(folder) for folder in functions.NAMES}
    APPS: Mapping[str, Any] = {name: _LOADED[folder] for name, folder in HANDLERS.items()}


class DiedError(Exception):
    """The process is dead, or was killed because it did not answer."""


class Environment:
    """A child process that handles events until it is killed. `log` returns its output."""

    def __init__(
        self,
        variables: Mapping[str, str],
        break_it: Callable[[], None] | None = None,
        clock_skew: timedelta | None = None,
    ) -> None:
        context = get_context("forkserver")
        handle, name = tempfile.mkstemp(suffix=".log")
        os.close(handle)
        self._log = Path(name)
        # A thread of the proxy may kill the process at the same time as the waiting thread finds it dead.
        self._ending, self._ended = Lock(), False
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, dict(variables), name, break_it, clock_skew), daemon=True
        )
        with _without_main():
            self._process.start()
        theirs.close()

    def invoke(
        self, function: str, event: Mapping[str, Any], ahead: timedelta, seconds: float = INVOCATION_SECONDS
    ) -> Any:
        """Send an event, with the clock this far ahead. Return the answer, or None if the handler raised."""
        try:
            self._connection.send((function, event, ahead))
            if not self._connection.poll(seconds):
                self.kill()
                raise DiedError("no answer")
            return self._connection.recv()
        except (EOFError, OSError) as exc:
            raise DiedError("killed") from exc

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid or 0

    def kill(self) -> None:
        """Kill the process and any gpg that it started, as the end of a sandbox does."""
        with self._ending:
            if self._process.pid is None or self._ended:
                return
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            wait([self._process.sentinel])
            self._ended = True

    def log(self) -> str:
        """Return all its output."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """Kill the process and delete its log."""
        self.kill()
        self._connection.close()
        self._process.close()
        self._log.unlink()


def start_server(endpoint_url: str) -> None:
    """Start the process that the children are forked from. It inherits the current environment variables."""
    settings = {**dummy_credentials(), "AWS_DEFAULT_REGION": "eu-north-1"}
    context = get_context("forkserver")
    context.set_forkserver_preload(["simulation.faults.environment"])
    settings |= {"AWS_ENDPOINT_URL": endpoint_url, "PYTHONPATH": os.pathsep.join(sys.path)}
    with patch.dict(os.environ, settings):
        ensure_running()


@contextmanager
def _without_main() -> Iterator[None]:
    """Prevent each child from importing the program that was started here, which it does not need."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(
    connection: Connection,
    variables: Mapping[str, str],
    log: str,
    break_it: Callable[[], None] | None,
    clock_skew: timedelta | None,
) -> None:
    global _ahead
    os.setpgid(0, 0)
    writing = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.update(variables)
    directory.CLOCK_SKEW = clock_skew or directory.CLOCK_SKEW
    if break_it:
        break_it()
    while True:
        function, event, _ahead = connection.recv()
        try:
            answer = APPS[function].lambda_handler(event, None)
        except Exception as exc:
            print(as_lambda_logs(exc))
            answer = None
        connection.send(answer)
