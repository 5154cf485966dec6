"""The person who calls the command, for what two people have to do."""

from __future__ import annotations

import os
from typing import Any

from callseal_cli.errors import CannotError
from callseal_cli.stack import Stack

VARIABLE = "CALLSEAL_USER"


def person(stack: Stack) -> str:
    """Return who calls the command: on AWS the ARN of the caller, on the local cloud CALLSEAL_USER.

    The local cloud accepts any credentials, so they name no person. Raise CannotError if none is named.
    """
    if stack.is_local:
        name = os.environ.get(VARIABLE, "").strip()
        if not name or not name.isprintable():
            raise CannotError(f"The local cloud knows no people. Set {VARIABLE} to your name, as kari@acme.example.")
        return name
    identity: Any = stack.client("sts").get_caller_identity()
    return str(identity["Arn"])
