"""What all tests share."""

from collections.abc import Iterator

import pytest

from tests.support import keys

pytest_plugins = ["tests.permissions.plugin", "tests.privacy.plugin"]


@pytest.fixture(scope="session", autouse=True)
def _no_keys_left_behind() -> Iterator[None]:
    yield
    keys.clean_up()
