"""Writes name no KMS key: the bucket's default applies, which is the only key that the buckets' policies accept."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.functions.scene import check
from tests.support.families import FAMILIES
from tests.support.network import Network
from tests.support.recordings import MIB, land_large, recording
from tests.support.stack import ARCHIVE, SFTP, Stack, failures, sqs_event

BOTH = {"deliver_to_archive": True, "archive_formats": ["wav"]}
WRITES = {"PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}


def assert_no_key_is_named(network: Network, *operations: str) -> None:
    writes = [one for one in network.requests if one.operation in WRITES and one.bucket in (SFTP, ARCHIVE)]
    assert {one.operation for one in writes} == set(operations)
    names = {name.lower() for one in writes for name in one.headers}
    assert not [name for name in names if "server-side-encryption" in name]


@pytest.mark.parametrize(
    ("settings", "size", "operations"),
    [
        (BOTH, 1000, ("PutObject", "CopyObject")),
        (BOTH, 17 * MIB, ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "CopyObject")),
        ({**BOTH, "encrypt": False}, 1000, ("CopyObject",)),
    ],
    ids=["sealed", "sealed in parts", "plain"],
)
def test_an_output_is_written_under_the_buckets_default_key(
    cloud: Stack,
    network: Network,
    encrypt_recording: ModuleType,
    settings: dict[str, Any],
    size: int,
    operations: tuple[str, ...],
) -> None:
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text, settings)
    landed = land_large(cloud, "acme/1.wav", recording(size))

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []

    assert_no_key_is_named(network, *operations)


def test_a_challenge_is_written_under_the_buckets_default_key(
    cloud: Stack, network: Network, check_keys: ModuleType
) -> None:
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text, {"require_key_proof": True})

    check(check_keys)

    assert_no_key_is_named(network, "PutObject")
