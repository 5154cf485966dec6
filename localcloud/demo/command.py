"""The command `callseal`, as people call it on the local cloud."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import Any

from localcloud.cloud import PROJECT, LocalCloud

_PROGRAM = "import sys; from callseal_cli.__main__ import main; sys.exit(main())"


class CommandError(Exception):
    """The command `callseal` failed."""


def callseal(cloud: LocalCloud, *arguments: str, person: str = "", code: int = 0) -> Any:
    """Return the JSON that the command prints for a person. Raise CommandError if it ends with another exit code."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": cloud.endpoint_url,
        "AWS_REGION": cloud.region,
        "CALLSEAL_STACK": cloud.stack_name,
        "CALLSEAL_USER": person,
        "PYTHONPATH": os.pathsep.join((str(PROJECT / "cli"), str(PROJECT / "layers/callseal/python"))),
    }
    command = [sys.executable, "-c", _PROGRAM, *arguments, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != code:
        said = done.stderr.strip() or done.stdout.strip()
        raise CommandError(f"callseal {shlex.join(arguments)} ended with exit code {done.returncode}: {said}")
    return json.loads(done.stdout)
