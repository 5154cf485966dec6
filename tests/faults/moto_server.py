"""localcloud's moto child, with moto's list of its own modules made once: at each request it took 40 % of the time."""

import sys
from pathlib import Path

# A program of its own, run as localcloud.moto_process runs it: without PYTHONPATH.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from moto import backends

from localcloud import moto_child

_modules = list(backends.list_of_moto_modules())
backends.list_of_moto_modules = lambda: iter(_modules)

if __name__ == "__main__":
    moto_child.main(int(sys.argv[1]))
