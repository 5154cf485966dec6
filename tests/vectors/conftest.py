"""Removes what the interoperability tests leave behind."""

from collections.abc import Iterator

import pytest

from tests.interop import lab


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    yield
    lab.leave()
