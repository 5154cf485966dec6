"""Files of all sizes arrive byte for byte.

A file that fits one part is one PutObject, and no upload stays unfinished.
"""

from types import ModuleType

import pytest

from tests.support.families import FAMILIES
from tests.support.network import Network
from tests.support.recordings import MIB, land_large, recording
from tests.support.stack import ARCHIVE, LANDING, SFTP, Stack, failures, sqs_event

PART = 8 * 1024**2
WAYS = {
    "gcm": ("x509", {"cms_profile": "authenveloped-gcm"}),
    "cbc": ("x509", {"cms_profile": "enveloped-cbc"}),
    "openpgp": ("openpgp", {}),
}


def envelope_bytes(cloud: Stack, encrypt_recording: ModuleType, suffix: str, size: int) -> int:
    """Return how many bytes longer a sealed file of about that size is than its content."""
    overhead = 0
    for attempt in range(3):  # OpenPGP's lengths take one, two or five bytes, so the first result may be slightly off
        plain = size - overhead
        event = sqs_event(cloud.land(f"acme/probe{attempt}.wav", recording(plain)))
        encrypt_recording.lambda_handler(event, None)
        head = cloud.s3.head_object(Bucket=SFTP, Key=f"acme/probe{attempt}.wav{suffix}")
        overhead = head["ContentLength"] - plain
    return overhead


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 65_535, 65_536])
def test_small_file_is_one_put(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, way: str, size: int
) -> None:
    family, settings = WAYS[way]
    tenant = FAMILIES[family].make("tenant")
    cloud.tenant("acme", tenant.public_text, {**settings, "deliver_to_archive": True, "archive_formats": ["wav"]})
    event = sqs_event(cloud.land("acme/4711_1.wav", recording(size)))

    assert failures(encrypt_recording.lambda_handler(event, None)) == []

    for bucket in (ARCHIVE, SFTP):
        ((key, sealed),) = cloud.objects(bucket).items()
        assert key == "acme/4711_1.wav" + FAMILIES[family].suffix
        assert tenant.open(sealed) == recording(size)
    assert len(network.asked("PutObject")) == 1
    assert not network.asked("CreateMultipartUpload")
    (detail,) = cloud.audit_details("RecordingDelivered")
    assert detail["source"]["size"] == size


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("which", ["plain size", "sealed size"])
def test_around_the_part_size(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, way: str, extra: int, which: str
) -> None:
    family, settings = WAYS[way]
    tenant, suffix = FAMILIES[family].make("tenant"), FAMILIES[family].suffix
    cloud.tenant("acme", tenant.public_text, settings)
    size = PART + extra
    if which == "sealed size":
        size -= envelope_bytes(cloud, encrypt_recording, suffix, size)
    network.requests.clear()
    event = sqs_event(cloud.land("acme/4711_1.wav", recording(size)))

    assert failures(encrypt_recording.lambda_handler(event, None)) == []

    stored = cloud.s3.get_object(Bucket=SFTP, Key=f"acme/4711_1.wav{suffix}")
    sealed = stored["Body"].read()
    assert tenant.open(sealed) == recording(size)
    if which == "sealed size" and way != "cbc":  # its padding changes in steps of 16
        assert len(sealed) == PART + extra
    parts = 1 if len(sealed) <= PART else 2
    assert (len(network.asked("PutObject")), len(network.asked("UploadPart"))) == ((1, 0) if parts == 1 else (0, 2))
    assert stored["ETag"].endswith('-2"') == (parts == 2)
    assert cloud.unfinished_uploads(SFTP) == []
    assert cloud.objects(LANDING) == {}


@pytest.mark.parametrize("way", WAYS)
def test_hundred_mebibytes(cloud: Stack, network: Network, encrypt_recording: ModuleType, way: str) -> None:
    family, settings = WAYS[way]
    tenant, suffix = FAMILIES[family].make("tenant"), FAMILIES[family].suffix
    cloud.tenant("acme", tenant.public_text, settings)
    data = recording(100 * MIB)
    event = sqs_event(land_large(cloud, "acme/4711_1.wav", data))

    assert failures(encrypt_recording.lambda_handler(event, None)) == []

    stored = cloud.s3.get_object(Bucket=SFTP, Key=f"acme/4711_1.wav{suffix}")
    assert stored["ETag"].endswith('-13"')
    assert tenant.open(stored["Body"].read()) == data
    assert [len(network.asked(name)) for name in ("UploadPart", "CompleteMultipartUpload", "PutObject")] == [13, 1, 0]
    assert cloud.unfinished_uploads(SFTP) == []
    (detail,) = cloud.audit_details("RecordingDelivered")
    assert detail["outputs"][0]["size"] == stored["ContentLength"]
