"""Changes of secrets and parameters, which AWS announces on the default bus and moto does not.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html
https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from localcloud.events import native_event
from localcloud.stack import Stack

Announce = Callable[[Mapping[str, Any]], None]
_Secrets = dict[str, tuple[str, str]]  # name -> (version with the label AWSCURRENT, ARN)
_Parameters = dict[str, tuple[Any, str, str]]  # name -> (version and time, type, ARN)


class ChangeWatcher:
    """Compares secrets and parameters with their state at the last call, and announces each difference."""

    def __init__(self, stack: Stack, secrets: Any, parameters: Any, announce: Announce) -> None:
        self._stack, self._announce = stack, announce
        self._secrets_client, self._parameters_client = secrets, parameters
        self._lock = threading.Lock()
        self._secrets: _Secrets = {}
        self._parameters: _Parameters = {}

    def announce_changes(self) -> None:
        """Announce what has changed since the last call. It is thread-safe."""
        with self._lock:
            secrets, parameters = self._read_secrets(), self._read_parameters()
            events = [*self._secret_events(secrets), *self._parameter_events(parameters)]
            self._secrets, self._parameters = secrets, parameters
            # Within the lock: if another thread then finds no difference, the change has been announced.
            for event in events:
                self._announce(event)

    def _read_secrets(self) -> _Secrets:
        pages = self._secrets_client.get_paginator("list_secrets").paginate()
        secrets = (secret for page in pages for secret in page["SecretList"])
        return {
            secret["Name"]: (version, secret["ARN"])
            for secret in secrets
            for version, labels in secret.get("SecretVersionsToStages", {}).items()
            if "AWSCURRENT" in labels
        }

    def _read_parameters(self) -> _Parameters:
        pages = self._parameters_client.get_paginator("describe_parameters").paginate()
        parameters = (parameter for page in pages for parameter in page["Parameters"])
        return {
            p["Name"]: ((p["Version"], p.get("LastModifiedDate")), p["Type"], self._arn(p["Name"])) for p in parameters
        }

    def _arn(self, parameter: str) -> str:
        return self._stack.arn("ssm", f"parameter/{parameter.lstrip('/')}")

    def _secret_events(self, secrets: _Secrets) -> list[dict[str, Any]]:
        return [
            self._event(
                "aws.secretsmanager",
                "Secret Label Updated",
                {"name": name, "labelUpdated": "AWSCURRENT", "versionId": version},
                arn,
            )
            for name, (version, arn) in secrets.items()
            if self._secrets.get(name, ("", ""))[0] != version
        ]

    def _parameter_events(self, parameters: _Parameters) -> list[dict[str, Any]]:
        before = self._parameters
        created = [("Create", name) for name in parameters if name not in before]
        updated = [("Update", name) for name in parameters if name in before and parameters[name][0] != before[name][0]]
        deleted = [("Delete", name) for name in before if name not in parameters]
        known = before | parameters
        changed = created + updated + deleted
        return [self._parameter_event(operation, name, known[name]) for operation, name in changed]

    def _parameter_event(self, operation: str, name: str, parameter: tuple[Any, str, str]) -> dict[str, Any]:
        detail = {"operation": operation, "name": name, "type": parameter[1]}
        return self._event("aws.ssm", "Parameter Store Change", detail, parameter[2])

    def _event(self, source: str, detail_type: str, detail: Mapping[str, Any], arn: str) -> dict[str, Any]:
        return native_event(self._stack.account_id, self._stack.region, source, detail_type, detail, [arn])
