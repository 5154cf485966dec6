"""localcloud's moto child without code that took most of its time and does not affect the tests.

At each request moto listed its own modules, and werkzeug wrote a line to the log. For each message that a queue
returned, moto counted all messages in the queue, to find out whether this one is days old.
"""

import logging
import sys
from pathlib import Path

# A separate program that runs as localcloud.moto_process does: without PYTHONPATH.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from moto import backends
from moto.sqs.models import SQSBackend

from localcloud import moto_child

_modules = list(backends.list_of_moto_modules())
backends.list_of_moto_modules = lambda: iter(_modules)
SQSBackend.is_message_valid_based_on_retention_period = lambda *_: True
logging.getLogger("werkzeug").setLevel(logging.WARNING)

if __name__ == "__main__":
    moto_child.main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
