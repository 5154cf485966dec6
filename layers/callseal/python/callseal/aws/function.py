"""Asynchronous invocation of another function of the stack. Lambda queues the event and retries it.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from callseal.aws.calls import calling


class LambdaClient(Protocol):
    """The part of boto3's client that Callseal uses."""

    # ruff: noqa: N803  # boto3's own names
    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> Any:
        """Invoke a function."""


class Function:
    """Invokes one function by its name."""

    def __init__(self, client: LambdaClient, name: str) -> None:
        self._client, self._name = client, name

    def invoke(self, event: Mapping[str, Any]) -> None:
        """Send an event. Lambda accepts it before the function has run. Raises TransientError."""
        with calling("Invoking a function"):
            self._client.invoke(FunctionName=self._name, InvocationType="Event", Payload=json.dumps(event).encode())
