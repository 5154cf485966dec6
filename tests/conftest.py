"""What all tests share."""

from collections.abc import Iterator

import pytest

from tests.support import keys

pytest_plugins = ["tests.permissions.plugin", "tests.privacy.plugin"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the storms, which take longest, begin first: at the end one worker has them, and the others wait for it."""
    items.sort(key=lambda item: item.path.parent.name != "storm")


@pytest.fixture(scope="session", autouse=True)
def _no_keys_left_behind() -> Iterator[None]:
    yield
    keys.clean_up()
