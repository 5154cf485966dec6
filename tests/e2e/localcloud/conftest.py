"""A folder for each test, and clouds shared by the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import LocalCloud, Pace
from tests.e2e.localcloud.console import Console
from tests.e2e.localcloud.support import Site, empty


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def shared_cloud(shared_site: Site) -> Iterator[LocalCloud]:
    with shared_site.cloud() as cloud:
        # On a busy machine, a slow start of a process must not take longer than the queue's visibility timeout of 1 s.
        cloud.prewarm()
        yield cloud


@pytest.fixture
def cloud(shared_cloud: LocalCloud, shared_site: Site) -> LocalCloud:
    """Return the module's cloud with empty queues and an empty journal."""
    shared_cloud.resume()
    shared_cloud.wait_until_idle()
    empty(shared_cloud, shared_cloud.outputs["DeadUrl"])
    shared_site.forget()
    return shared_cloud


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Run the project's own template, with events of keys."""
    with LocalCloud(state_dir=tmp_path_factory.mktemp("state"), pace=Pace(change_poll=0.2)) as cloud:
        cloud.prewarm()
        yield Console(cloud)
