"""What the attempts run on: moto, the proxy in front of it, and the process to fork from, once in each process."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from multiprocessing.util import Finalize
from typing import Any, Generic, TypeVar

from simulation.fault_proxy import Fault, FaultProxy, Seen
from simulation.faults.cloud import Cloud
from simulation.faults.environment import start_server
from tests.support.stack import ARCHIVE, SFTP

AnyCloud = TypeVar("AnyCloud", bound=Cloud)


class Ground(Generic[AnyCloud]):
    """Runs until closed. `decide`, `before` and `after` belong to the proxy."""

    def __init__(self, make_cloud: Callable[[], AnyCloud], decide: Callable[[Seen], Fault | None], **more: Any) -> None:
        # A short path, for gpg's sockets. Killed processes leave their folders here.
        self._folder = tempfile.mkdtemp(prefix="cf-")
        # Runs after multiprocessing has removed its own folder in this one.
        Finalize(None, shutil.rmtree, (self._folder, True), exitpriority=-200)
        self._before = tempfile.tempdir, os.environ.get("TMPDIR")
        tempfile.tempdir = os.environ["TMPDIR"] = self._folder
        self.cloud = make_cloud()
        self.proxy = FaultProxy(self.cloud.endpoint_url, decide, output_buckets=(SFTP, ARCHIVE), **more)
        self.proxy.__enter__()
        start_server(self.proxy.endpoint_url)

    def close(self) -> None:
        """Stop everything that was started."""
        self.proxy.__exit__()
        self.cloud.close()
        tempfile.tempdir, before = self._before
        os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
