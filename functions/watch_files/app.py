"""watch_files: every hour, files that nobody has fetched are told of, before they expire and once they have."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.sftp.watch_files import FilesUnwatchedError, Watch, samples
from callseal.wiring.container import Parts, now


def lambda_handler(_event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Tell of all that is due; counts what became of the files."""
    parts, log = Parts(os.environ), Logger()
    counts = Watch(parts.files, parts.bus, parts.rendezvous, os.environ["SFTP_BUCKET"], now, log).run()
    parts.meter.put(samples(counts))
    log.info("files watched", extra={"counts": dict(counts)})
    if failed := counts["failed"]:
        raise FilesUnwatchedError(f"Of {failed} files nothing could be told.")
    return dict(counts)
