"""A fresh stack, a fresh network and fresh functions for each test."""

from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.support import functions
from tests.support.clock import Clock
from tests.support.network import Network
from tests.support.stack import Stack, stack


@pytest.fixture
def cloud() -> Iterator[Stack]:
    with stack() as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("callseal.wiring.now", clock)
    return clock


@pytest.fixture
def network(cloud: Stack, monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network(cloud.s3)
    monkeypatch.setattr("callseal.wiring.Session", network.session)
    # What one request that fails leads to is the question here; that the SDK would try it again is not.
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return network


@pytest.fixture
def encrypt_recording(cloud: Stack, network: Network, clock: Clock) -> ModuleType:
    return functions.load("encrypt_recording")


@pytest.fixture
def sweep_landing(cloud: Stack, network: Network, clock: Clock) -> ModuleType:
    return functions.load("sweep_landing")
