"""localcloud's moto child without the log of its requests, which took most of its time."""

import json
import logging
import sys
from pathlib import Path

# A separate program that runs as localcloud.moto_process does: without PYTHONPATH.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from localcloud import moto_child

logging.getLogger("werkzeug").setLevel(logging.WARNING)

if __name__ == "__main__":
    moto_child.main(int(sys.argv[1]), json.loads(sys.argv[2]))
