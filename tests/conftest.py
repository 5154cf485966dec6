"""What all tests share."""

from collections.abc import Iterator

import pytest

from tests.support import keys

pytest_plugins = ["tests.template.permissions.plugin", "tests.security.privacy.plugin"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the storms and the fault runs first. They take longest, and at the end the other workers would be idle."""
    items.sort(key=lambda item: item.path.parent.name != "simulation")


@pytest.fixture(scope="session", autouse=True)
def _no_keys_left_behind() -> Iterator[None]:
    yield
    keys.clean_up()
