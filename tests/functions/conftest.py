"""A fresh stack, a fresh network and fresh functions for each test."""

from collections.abc import Iterator
from types import ModuleType

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
    # What one request that fails leads to is the question here, not that the SDK would try it again. By the Config, for
    # botocore writes what AWS_MAX_ATTEMPTS says into it for good.
    monkeypatch.setitem(CONFIG.retries, "total_max_attempts", 1)  # type: ignore[attr-defined]
    return network


@pytest.fixture
def encrypt_recording(cloud: Stack, network: Network, clock: Clock) -> ModuleType:
    return functions.load("encrypt_recording")


@pytest.fixture
def recheck_delivery(cloud: Stack, network: Network, clock: Clock) -> ModuleType:
    return functions.load("recheck_delivery")


@pytest.fixture
def sweep_landing(cloud: Stack, network: Network, clock: Clock) -> ModuleType:
    return functions.load("sweep_landing")


@pytest.fixture
def check_keys(cloud: Stack, network: Network, clock: Clock) -> ModuleType:
    return functions.load("check_keys")


@pytest.fixture
def register_keys(cloud: Stack, network: Network, clock: Clock) -> ModuleType:
    return functions.load("register_keys")


@pytest.fixture
def track_files(cloud: Stack, network: Network, clock: Clock) -> ModuleType:
    return functions.load("track_files")


@pytest.fixture
def watch_files(cloud: Stack, network: Network, clock: Clock) -> ModuleType:
    return functions.load("watch_files")


@pytest.fixture
def lock_audit(cloud: Stack, network: Network, clock: Clock) -> ModuleType:
    return functions.load("lock_audit")


@pytest.fixture
def reconcile_audit(cloud: Stack, network: Network, clock: Clock) -> ModuleType:
    return functions.load("reconcile_audit")


@pytest.fixture
def prove_keys(cloud: Stack, network: Network, clock: Clock) -> ModuleType:
    return functions.load("prove_keys")


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


@pytest.fixture
def authenticate_sftp(cloud: Stack, network: Network, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr("callseal.wiring.container.sleep", lambda _: None)
    monkeypatch.setenv("AWS_REGION", REGION)  # as Lambda itself sets it
    return functions.load("authenticate_sftp")


@pytest.fixture
def audit_sftp(cloud: Stack, network: Network) -> ModuleType:
    return functions.load("audit_sftp")
