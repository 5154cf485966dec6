"""Landed files on their way through encrypt_recording and read_metadata, with the queues between the two."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from tests.support.stack import STACK, Stack, failures, sqs_event


@dataclass
class Flow:
    """Passes messages to both functions until the queues are empty. `failed` has the messages that failed."""

    cloud: Stack
    encrypt_recording: ModuleType
    read_metadata: ModuleType
    failed: list[str] = field(default_factory=list)

    def policy(self, policy: dict[str, Any] | str, tenant: str = "acme") -> None:
        """Write a tenant's policy."""
        text = policy if isinstance(policy, str) else json.dumps(policy)
        name = f"/{STACK}/tenants/{tenant}/policy"
        self.cloud.ssm.put_parameter(Name=name, Value=text, Type="String", Tier="Advanced", Overwrite=True)

    def land(self, key: str, data: bytes = b"said", *, receives: int = 1) -> None:
        """Land a file and process it; `receives` counts the deliveries of its message."""
        self.process(json.dumps(self.cloud.land(key, data)), receives=receives)

    def process(self, *bodies: str, receives: int = 1) -> None:
        """Process messages of the encrypt queue, and all that follow from them."""
        waiting = list(bodies)
        while waiting:
            for body in waiting:
                if failures(self.encrypt_recording.lambda_handler(sqs_event(body, receives=receives), None)):
                    self.failed.append(body)
            for body in self.cloud.take(self.cloud.environment["METADATA_QUEUE_URL"]):
                assert failures(self.read_metadata.lambda_handler(sqs_event(body), None)) == []
            waiting, receives = self.cloud.take(self.cloud.queue_url), 1
