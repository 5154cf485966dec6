"""What all tests share."""

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.support import keys

pytest_plugins = ["tests.template.permissions.plugin", "tests.security.privacy.plugin"]


# Folders with slow tests. The tests of a module share a cloud, so they go to one worker, as do those of ONE_CLOUD.
SLOW_FOLDERS = ("simulation", "docs", "cli", "flow", "localcloud", "sftp", "archive", "web")
ONE_CLOUD = ("sftp", "archive")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the slow modules to the workers, each followed by quick tests, so that no worker ends with a slow one.

    pytest-xdist's worksteal gives each worker a block of the list, of about the same length, and then moves tests from
    the ends of the blocks.
    """
    units, quick = dict[Path, list[pytest.Item]](), list[pytest.Item]()
    for item in items:
        folder = item.path.parent
        slow = folder.name in SLOW_FOLDERS and "unit" not in folder.parts
        unit = folder if folder.name in ONE_CLOUD else item.path
        (units.setdefault(unit, []) if slow else quick).append(item)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    hands = [list(chain.from_iterable(list(units.values())[number::workers])) for number in range(workers)]
    dealt, count = list[pytest.Item](), len(items)
    for number, hand in enumerate(hands):
        left = (count - len(dealt)) // (workers - number)
        few = max(0, left - len(hand))
        dealt += hand + quick[:few]
        del quick[:few]
    items[:] = dealt + quick


@pytest.fixture(scope="session", autouse=True)
def _no_keys_left_behind() -> Iterator[None]:
    yield
    keys.clean_up()
