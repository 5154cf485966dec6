"""Checks from outside on an attacked file: held with its event, or delivered to its own tenant only."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from tests.support.keys import OpenPgpTenant, X509Tenant
from tests.support.stack import ARCHIVE, LANDING, SFTP, Stack, failures, sqs_event

MIB = 1024**2


def hand_over(function: ModuleType, *notified: Mapping[str, Any] | str) -> list[str]:
    """Deliver messages ten at a time, as Lambda does, and return the numbers of the failed ones."""
    failed = []
    for first in range(0, len(notified), 10):
        answer = function.lambda_handler(sqs_event(*notified[first : first + 10]), None)
        failed += [f"m{first + int(name[1:])}" for name in failures(answer)]
    return failed


def assert_held(cloud: Stack, contents: Mapping[str, bytes], reason: str) -> list[dict[str, Any]]:
    """Check that files are held, untouched, with their events, and that no other object exists."""
    assert cloud.objects(LANDING) == contents
    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == {}
    assert {event["detail-type"] for event in cloud.audit()} == {"RecordingHeld"}
    details = cloud.audit_details("RecordingHeld")
    assert sorted(detail["source"]["key"] for detail in details) == sorted(contents)
    for detail in details:
        assert detail["reason"] == reason
        assert detail["outputs"] is None
        assert cloud.tags(detail["source"]["key"])["callseal-reason"] == reason
    return details


def assert_delivered(
    cloud: Stack, contents: Mapping[str, bytes], owners: Mapping[str, X509Tenant | OpenPgpTenant]
) -> None:
    """Check that files are delivered to SFTP under their own keys.

    Their own tenant opens them, and no other object exists.
    """
    stored = cloud.objects(SFTP)
    suffixes = {name: ".p7m" if isinstance(owner, X509Tenant) else ".pgp" for name, owner in owners.items()}
    names = {key: key.partition("/")[0] for key in contents}
    assert sorted(stored) == sorted(key + suffixes[names[key]] for key in contents)
    for key, data in contents.items():
        assert owners[names[key]].open(stored[key + suffixes[names[key]]]) == data
    assert cloud.objects(ARCHIVE) == cloud.objects(LANDING) == {}
    details = cloud.audit_details("RecordingDelivered")
    assert sorted((detail["source"]["key"], detail["tenant"]) for detail in details) == sorted(names.items())
    assert all(len(detail["recipients"]) == 1 for detail in details)


@contextmanager
def bounded(seconds: float, mib: float | None = None) -> Iterator[None]:
    """Fail if the block takes longer in CPU time, or more memory at its peak than this many MiB."""
    if mib is not None:
        tracemalloc.start()
    started = _spent()
    try:
        yield
        taken = _spent() - started
        peak = tracemalloc.get_traced_memory()[1] / MIB if mib is not None else 0
    finally:
        tracemalloc.stop()
    assert taken < seconds, f"it took {taken:.2f} s"
    assert peak <= (mib or 0), f"it took {peak:.1f} MiB"


def _spent() -> float:
    """Return the CPU time of this process and of its ended children, such as gpg.

    The load of other processes does not count.
    """
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
