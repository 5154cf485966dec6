"""A fresh stack and fresh functions for each test."""

from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.support import functions
from tests.support.stack import Stack, stack


@pytest.fixture
def cloud() -> Iterator[Stack]:
    with stack() as made:
        yield made


@pytest.fixture
def encrypt_recording(cloud: Stack) -> ModuleType:
    return functions.load("encrypt_recording")


@pytest.fixture
def sweep_landing(cloud: Stack) -> ModuleType:
    return functions.load("sweep_landing")
