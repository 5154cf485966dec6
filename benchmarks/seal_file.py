"""Seal one file in a whole process: `python -m benchmarks.seal_file cms <certificate> <file> <profile>`.

It prints nothing, and writes the envelope to /dev/null, as the peer does.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from callseal.crypto.envelopes import cms
from callseal.crypto.recipients import CmsRecipients, judge


def main() -> None:
    """Seal the file of the command line."""
    _, certificate, file, profile = sys.argv[1:]
    recipients = judge(Path(certificate).read_text(), datetime.now(UTC), lambda: None)  # type: ignore[arg-type,return-value]
    assert isinstance(recipients, CmsRecipients)
    with open(file, "rb", buffering=0) as source, open("/dev/null", "wb", buffering=0) as sink:
        cms.seal(source, Path(file).stat().st_size, recipients.members, profile, sink.write)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
