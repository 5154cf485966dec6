"""A caller with 40 calls of all kinds, and another caller whose calls have almost the same names."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

DIGITS, NUMBER = "93174682", "+4793174682"
OTHER_NUMBER = "+4721930586"
SPOKEN, OTHER_SPOKEN = b"the caller's own words", b"another caller's words"
FOLDER = "2026/11"

SETTINGS = {
    "deliver_to_archive": True, "only_encrypt_sftp": True, "archive_formats": ["wav"], "call_index": "plain",
    "metadata_profile": "generic", "default_region": "NO", "denied_erase_after": "90d",
}  # fmt: skip
POLICY = {
    "schema": 1,
    "classes": {
        "default": {"delete_after": None},
        "orders": {"keep": "20d", "lock": "compliance", "basis": "Directive 2014/65/EU art. 16(7)"},
        "quality": {"keep": "30d", "lock": "governance", "basis": "GDPR art. 6(1)(f)"},
    },
    "rules": [
        {"rule": "orders", "when": {"queue": ["orders*"]}, "class": "orders", "record": "must"},
        {"rule": "quality", "when": {"queue": ["quality"]}, "class": "quality"},
        {"rule": "law", "when": {"queue": ["law"]}, "class": "default", "restricted": True},
        {"rule": "refused", "when": {"queue": ["refused"]}, "class": "default", "record": "never"},
    ],
    "default": {"class": "default"},
}
ACCESS = {
    "grants": [
        {"group": "officers", "may": ["search", "play", "download", "share", "audit", "hold", "erase"],
         "restricted": True},
    ]
}  # fmt: skip
# How many calls of each queue, 40 together. The calls of `claims` and `orders-claims` come under a hold, those of
# `orders*` are locked in mode COMPLIANCE, those of `quality` in mode GOVERNANCE. Calls of `law` are sealed in the
# archive, too, and those of `refused` never leave landing.
QUEUES = {"sales": 9, "law": 6, "claims": 6, "quality": 6, "orders": 6, "orders-claims": 2, "refused": 5}


@dataclass(frozen=True)
class LandedCall:
    """A call that lands: its recording and its metadata."""

    name: str
    queue: str
    number: str = NUMBER
    spoken: bytes = SPOKEN

    @property
    def recording(self) -> bytes:
        """A second of sound, which is the words and the call's name."""
        data, text = io.BytesIO(), self.spoken + b" in " + self.name.encode() + b". "
        with wave.open(data, "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes((text * (16000 // len(text) + 1))[:16000])
        return data.getvalue()

    @property
    def metadata(self) -> bytes:
        """What the platform says of the call."""
        facts = {
            "startTime": datetime.now(UTC).isoformat(), "durationSeconds": 1, "direction": "in",
            "caller": self.number, "queue": self.queue, "agent": "ola@acme.example",
        }  # fmt: skip
        return json.dumps(facts).encode()


def callers_calls() -> Iterator[LandedCall]:
    """Yield the caller's 40 calls."""
    queues = [queue for queue, count in QUEUES.items() for _ in range(count)]
    for number, queue in enumerate(queues):
        yield LandedCall(f"{FOLDER}/{number + 10}_1", queue)


def others_calls() -> Iterator[LandedCall]:
    """Yield calls of another caller, whose names begin or end as the caller's do."""
    for name, queue in {"10_11": "sales", "10_1b": "law", "10_1.2": "orders", "110_1": "quality", "1": "sales"}.items():
        yield LandedCall(f"{FOLDER}/{name}", queue, OTHER_NUMBER, OTHER_SPOKEN)


def land(cloud: Any, tenant: str, call: LandedCall) -> None:
    """Land a call."""
    s3, bucket = cloud.client("s3"), cloud.outputs["LandingBucketName"]
    s3.put_object(Bucket=bucket, Key=f"{tenant}/{call.name}.json", Body=call.metadata)
    s3.put_object(Bucket=bucket, Key=f"{tenant}/{call.name}.wav", Body=call.recording)
