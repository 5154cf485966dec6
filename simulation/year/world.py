"""The stack in moto, in process, on a clock that is put to any moment, and the functions between their queues."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from io import StringIO
from threading import RLock
from types import ModuleType
from typing import Any
from unittest.mock import patch

from boto3.session import Session
from moto.core.models import botocore_stubber

from simulation.year import buckets
from simulation.year.plan import TENANTS, Tenant
from tests.support import functions, keys
from tests.support.clock import Clock
from tests.support.files import fetched
from tests.support.stack import REGION, STACK, Stack, failures, sqs_event, stack

FUNCTIONS = ("encrypt_recording", "read_metadata", "index_calls", "track_files", "lock_recordings",
             "dispose_recordings", "erase_recordings", "reconcile_archive")  # fmt: skip
# The functions that get each audit event, as the rules of template.yaml say.
READERS: Mapping[str, Sequence[str]] = {
    "RecordingDelivered": ("index_calls", "track_files", "lock_recordings"),
    "FileFetched": ("index_calls", "track_files"),
}
BATCH, TRIES = 10, 3
# Longer than the year. The keys are made at this machine's time, and used by the clock's.
VALID_DAYS, VALID_YEARS = "9000", "25y"


class World:
    """Everything but the people. `events` are the audit events, `log` what the functions wrote in the last run."""

    def __init__(self, cloud: Stack, clock: Clock) -> None:
        self.cloud, self.clock = cloud, clock
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.failed: list[str] = []
        self.log = StringIO()
        self._functions: dict[str, ModuleType] = {name: functions.load(name, watch=False) for name in FUNCTIONS}
        for tenant in TENANTS:
            cloud.tenant(tenant.name, _key_of(tenant), tenant.settings)

    def put_policy(self, tenant: str, policy: Mapping[str, Any]) -> None:
        """Store a tenant's policy."""
        name, text = f"/{STACK}/tenants/{tenant}/policy", json.dumps(policy)
        self.cloud.ssm.put_parameter(Name=name, Value=text, Type="String", Tier="Advanced", Overwrite=True)

    def land(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Land files, and do all that follows."""
        self._encrypt([json.dumps(self.cloud.land(key, data)) for key, data in files])
        self.settle()

    def fetch(self, keys: Sequence[str]) -> None:
        """Let recipients fetch files from their SFTP areas."""
        for reader in READERS["FileFetched"]:
            self._hand_over(reader, [fetched(self.clock, key) for key in keys])

    def function(self, name: str) -> ModuleType:
        """Return a function's module."""
        return self._functions[name]

    def keys(self, bucket: str) -> set[str]:
        """Return the keys in a bucket."""
        return buckets.keys(bucket)

    def run(self, function: str, event: Mapping[str, Any] | None = None) -> Any:
        """Invoke a function. An error is noted in `failed`, and None returned."""
        self.log.seek(0)
        self.log.truncate()
        try:
            with redirect_stdout(self.log):
                return self._functions[function].lambda_handler(event or {}, None)
        except Exception as exc:
            self.failed.append(f"{function}: {type(exc).__name__}: {exc}\n{self.log.getvalue()[-2000:]}")
            return None

    def settle(self) -> None:
        """Hand over what waits in the queues, until they are empty."""
        while True:
            told = [json.loads(body) for body in self._take(self.cloud.audit_queue_url)]
            self.events += [(each["detail-type"], each["detail"]) for each in told]
            for reader in ("index_calls", "track_files", "lock_recordings"):
                self._hand_over(reader, [each for each in told if reader in READERS.get(each["detail-type"], ())])
            locks = self._take(self.cloud.environment["LOCK_QUEUE_URL"])
            self._hand_over("lock_recordings", locks)
            if not told and not locks:
                return

    def _encrypt(self, bodies: list[str], tries: int = 1) -> None:
        """Deliver landed files. A file that fails comes again, as a recording before its metadata does."""
        again = list[str]()
        for some in _batches(bodies):
            answer = self.run("encrypt_recording", sqs_event(*some, receives=tries))
            again += [some[int(name[1:])] for name in failures(answer)] if answer else some
        self._hand_over("read_metadata", self._take(self.cloud.environment["METADATA_QUEUE_URL"]))
        if more := self._take(self.cloud.queue_url):
            self._encrypt(more)
        if again and tries < TRIES:
            self._encrypt(again, tries + 1)
        elif again:
            self.failed.append(f"encrypt_recording: {len(again)} messages failed {TRIES} times")

    def _take(self, url: str) -> list[str]:
        """Take all messages of a queue, if it has any."""
        return self.cloud.take(url) if buckets.has_messages(url) else []

    def _hand_over(self, function: str, bodies: Sequence[Any]) -> None:
        for some in _batches(bodies):
            answer = self.run(function, sqs_event(*some))
            if answer is None or failures(answer):
                self.failed.append(
                    f"{function}: {len(some)} messages, of which some failed\n{self.log.getvalue()[-2000:]}"
                )


@contextmanager
def world(brake_calls: int) -> Iterator[World]:
    """Make the world. Its functions, and moto's S3, have its clock. The brake acts above `brake_calls`."""
    clock = Clock()
    with ExitStack() as patches, stack() as cloud:
        for name, value in {
            "callseal.wiring.container.now": clock,
            "callseal.wiring.container.Session": _session_in_turn(),
            "callseal.wiring.disposal_container.sleep": lambda _: None,
            "callseal.retention.brake.FREE_CALLS": brake_calls,
            "callseal.retention.hold_messages.SETTLE_SECONDS": 0,
            "moto.s3.models.utcnow": lambda: clock().replace(tzinfo=None),
        }.items():
            patches.enter_context(patch(name, value))
        patches.enter_context(patch.dict("os.environ", {"AWS_REGION": REGION}))
        yield World(cloud, clock)


def _key_of(tenant: Tenant) -> str | None:
    if tenant.envelope == "x509":
        return keys.x509_tenant("rsa2048", "year", "-days", VALID_DAYS).public_text
    return keys.openpgp_tenant("cv25519", "year", VALID_YEARS).public_text if tenant.envelope else None


def _batches(bodies: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (bodies[first : first + BATCH] for first in range(0, len(bodies), BATCH))


def _session_in_turn() -> Any:
    """Return a replacement for boto3's Session. moto has no locks, so it takes the requests one at a time."""
    turn = RLock()

    def send(request: Any, event_name: str, **_: object) -> Any:
        with turn:
            return botocore_stubber(event_name, request)

    def session() -> Session:
        made = Session()
        made.events.unregister("before-send", botocore_stubber)
        made.events.register("before-send", send)
        return made

    return session
