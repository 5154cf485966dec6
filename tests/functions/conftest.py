"""A fresh stack, a fresh network and fresh functions for each test."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from callseal.aws.calls import CONFIG
from tests.functions.scene import Scene
from tests.support import functions
from tests.support.clock import Clock
from tests.support.network import Network
from tests.support.stack import REGION, Stack, stack


@pytest.fixture
def cloud() -> Iterator[Stack]:
    with stack() as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("callseal.wiring.container.now", clock)
    return clock


@pytest.fixture
def network(cloud: Stack, monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network(cloud.s3)
    monkeypatch.setattr("callseal.wiring.container.Session", network.session)
    # Make the SDK try each request once: the tests are about the result of a failure, not about the SDK's retry. This
    # uses the Config, because botocore writes the value of AWS_MAX_ATTEMPTS into it permanently.
    monkeypatch.setitem(CONFIG.retries, "total_max_attempts", 1)  # type: ignore[attr-defined]
    return network


def _function(name: str) -> Any:
    @pytest.fixture(name=name)
    def load(cloud: Stack, network: Network, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        for module in ("container", "archive_container"):
            monkeypatch.setattr(f"callseal.wiring.{module}.sleep", lambda _: None)
        monkeypatch.setenv("AWS_REGION", REGION)  # as Lambda itself sets it
        return functions.load(name)

    return load


# Each function's handler module is a fixture with the function's name.
globals().update({name: _function(name) for name in functions.NAMES})


@pytest.fixture
def scene(
    cloud: Stack,
    check_keys: ModuleType,
    prove_keys: ModuleType,
    register_keys: ModuleType,
    encrypt_recording: ModuleType,
    clock: Clock,
) -> Scene:
    return Scene(cloud, check_keys, prove_keys, register_keys, encrypt_recording, clock)
