"""A stack in which keys are stored, challenged, proven and used: all functions, and their events."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from callseal.keys.register import encrypts_with
from tests.support.clock import Clock
from tests.support.events import VALIDATOR
from tests.support.keys import OpenPgpTenant, X509Tenant
from tests.support.register import feed
from tests.support.stack import LANDING, SFTP, STACK, Stack, failures, notification, sqs_event

SECRET = f"{STACK}/tenants/acme/public-key"
PROOF = {"require_key_proof": True}
CODE = re.compile(r"^ {4}([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})$", re.MULTILINE)


@dataclass
class Scene:
    """A stack with all functions, and the steps of operators and tenants."""

    cloud: Stack
    check_keys: ModuleType
    prove_keys: ModuleType
    register_keys: ModuleType
    encrypt_recording: ModuleType
    clock: Clock

    def paste(self, tenant: X509Tenant | OpenPgpTenant, name: str = "acme", **settings: Any) -> None:
        """Store a key and handle the event of its change."""
        self.cloud.tenant(name, tenant.public_text, PROOF | settings)
        check(self.check_keys, label_updated(f"{STACK}/tenants/{name}/public-key"))
        self.register()

    def register(self) -> None:
        feed(self.cloud, self.register_keys.lambda_handler)

    def challenge(self, name: str = "acme") -> tuple[str, bytes]:
        """Return the fingerprint and the sealed challenge in a tenant's SFTP area."""
        found = {key: data for key, data in self.cloud.objects(SFTP).items() if key.startswith(f"{name}/key-check/")}
        ((key, sealed),) = found.items()
        return key.rpartition("/")[2].partition(".")[0], sealed

    def answer(self, fingerprint: str, text: str | bytes, name: str = "acme") -> None:
        """Put an answer as the tenant does by SFTP, and handle its notification."""
        key = f"{name}/key-check/{fingerprint}.answer"
        data = text.encode() if isinstance(text, str) else text
        etag = self.cloud.s3.put_object(Bucket=SFTP, Key=key, Body=data)["ETag"].strip('"')
        self.announce(key, etag, len(data))
        assert not [one for one in self.cloud.objects(SFTP) if one.endswith(".answer")], "removed once it is read"

    def announce(self, key: str, etag: str = "e", size: int = 1) -> None:
        text = json.dumps(notification(key, etag, size)).replace(f'"{LANDING}"', f'"{SFTP}"')
        assert failures(self.prove_keys.lambda_handler(sqs_event(text), None)) == []
        self.register()

    def land(self, key: str = "acme/1.wav") -> str | None:
        """Land a recording, and return its reason if it is held."""
        event = sqs_event(self.cloud.land(key, b"said"))
        assert failures(self.encrypt_recording.lambda_handler(event, None)) == []
        return self.cloud.tags(key)["callseal-reason"] if key in self.cloud.objects(LANDING) else None

    def sealed_to(self, key: str = "acme/1.wav") -> list[str]:
        """Return the fingerprints that a delivered recording is sealed to, by its audit event."""
        details = [one for one in self.cloud.audit_details("RecordingDelivered") if one["source"]["key"] == key]
        return [encrypts_with(one) for one in details[-1]["recipients"]]

    def refused(self) -> list[dict[str, Any]]:
        return [detail for kind, detail in told(self.cloud) if kind == "KeyProofRefused"]

    def proven(self) -> list[dict[str, Any]]:
        return [detail for kind, detail in told(self.cloud) if kind == "KeyProven"]


def label_updated(name: str = SECRET) -> dict[str, Any]:
    detail = {"name": name, "labelUpdated": "AWSCURRENT", "versionId": "any"}
    return {"source": "aws.secretsmanager", "detail-type": "Secret Label Updated", "detail": detail}


def check(module: ModuleType, event: dict[str, Any] | None = None) -> dict[str, int]:
    return dict(module.lambda_handler(label_updated() if event is None else event, None))


def current(cloud: Stack) -> str:
    labels = cloud.secrets.describe_secret(SecretId=SECRET)["VersionIdsToStages"]
    return next(version for version, stages in labels.items() if "AWSCURRENT" in stages)


def told(cloud: Stack) -> list[tuple[str, dict[str, Any]]]:
    """Return the audit events so far, each checked against the schema."""
    events = [(event["detail-type"], event["detail"]) for event in cloud.audit()]
    for _, detail in events:
        VALIDATOR.validate(detail)
    return events
