"""watch_files: report unfetched files every hour, before they expire and after they have."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.sftp.watch_files import FilesUnwatchedError, Watch, metrics_of
from callseal.wiring.container import Container
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    audit_bus: str
    file_register: str
    sftp_bucket: str
    stack_name: str


def lambda_handler(_event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Report all files that are due. Return the number of files by state."""
    env, log = read_env(Env, os.environ), Logger()
    container = Container(env)
    counts = Watch(container.files, container.bus, container.window, env.sftp_bucket, container.clock, log).run()
    container.metrics.put(metrics_of(counts))
    log.info("files watched", extra={"counts": dict(counts)})
    if failed := counts["failed"]:
        raise FilesUnwatchedError(f"{failed} files could not be reported. They stay due for the next run, in an hour.")
    return dict(counts)
