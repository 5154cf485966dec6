"""A folder for each test, and clouds shared by the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import LocalCloud
from tests.localcloud.support import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def shared_cloud(shared_site: Site) -> Iterator[LocalCloud]:
    with shared_site.cloud() as cloud:
        yield cloud


@pytest.fixture
def cloud(shared_cloud: LocalCloud, shared_site: Site) -> Iterator[LocalCloud]:
    """Give the module's cloud with empty queues and an empty journal."""
    shared_cloud.pause()
    for url in shared_cloud.outputs.values():
        shared_cloud.client("sqs").purge_queue(QueueUrl=url)
    shared_site.forget()
    shared_cloud.resume()
    yield shared_cloud
