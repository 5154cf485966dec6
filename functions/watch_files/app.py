"""watch_files: every hour, files that nobody has fetched are told of, before they expire and once they have."""

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
    """Tell of all that is due; counts what became of the files."""
    env, log = read_env(Env, os.environ), Logger()
    parts = Container(env)
    counts = Watch(parts.files, parts.bus, parts.window, env.sftp_bucket, parts.clock, log).run()
    parts.metrics.put(metrics_of(counts))
    log.info("files watched", extra={"counts": dict(counts)})
    if failed := counts["failed"]:
        raise FilesUnwatchedError(f"Of {failed} files nothing could be told.")
    return dict(counts)
