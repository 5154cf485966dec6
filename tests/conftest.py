"""What all tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import keys

pytest_plugins = ["tests.permissions.plugin", "tests.privacy.plugin"]


def pytest_itemcollected(item: pytest.Item) -> None:
    if group := _group(item.path):
        item.add_marker(pytest.mark.xdist_group(group))


def _group(path: Path) -> str | None:
    """Name what shares a cloud, which takes seconds to start: one worker runs all of that, and starts it once."""
    folder = path.parent.name
    if folder == "sftp":
        return folder
    return f"{folder}/{path.stem}" if folder == "localcloud" or path.stem in ("test_flow", "test_fetching") else None


@pytest.fixture(scope="session", autouse=True)
def _no_keys_left_behind() -> Iterator[None]:
    yield
    keys.clean_up()
