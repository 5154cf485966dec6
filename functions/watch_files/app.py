"""watch_files: every hour, files that nobody has fetched are told of, before they expire and once they have."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.aws.meter import Meter
from callseal.watching import FilesUnwatchedError, samples
from callseal.wiring import wire_watch


def lambda_handler(_event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Tell of all that is due; counts what became of the files."""
    log = Logger()
    counts = wire_watch(os.environ, log).run()
    Meter(os.environ["STACK_NAME"]).put(samples(counts))
    log.info("files watched", extra={"counts": dict(counts)})
    if failed := counts["failed"]:
        raise FilesUnwatchedError(f"Of {failed} files nothing could be told.")
    return dict(counts)
