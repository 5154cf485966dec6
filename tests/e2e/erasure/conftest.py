"""A local cloud on which an erasure is carried out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import LocalCloud, Pace
from tests.e2e.erasure.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    (tmp_path / "desk").mkdir()
    # The schedules are run by hand.
    with LocalCloud(state_dir=tmp_path / "state", pace=Pace(schedule=86_400, change_poll=0.2)) as cloud:
        yield Scene(cloud, tmp_path / "desk")
