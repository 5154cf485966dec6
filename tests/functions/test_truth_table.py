"""The documented truth table, row by row: the outputs of each file, opened with the tenant's own tools."""

from itertools import product
from types import ModuleType

import pytest

from tests.support.keys import openpgp_tenant, x509_tenant
from tests.support.stack import ARCHIVE, LANDING, SFTP, Stack, failures, sqs_event

FAMILIES = {"x509": (x509_tenant, ".p7m", "cms"), "openpgp": (openpgp_tenant, ".pgp", "openpgp")}
PLAIN, SEALED = "plain", "sealed"
# (encrypt, only_encrypt_sftp, encrypt_metadata): SFTP recording, archive recording, SFTP XML, archive XML
ROWS = {
    (False, False, True): (PLAIN, PLAIN, PLAIN, PLAIN),
    (False, False, False): (PLAIN, PLAIN, PLAIN, PLAIN),
    (False, True, True): (PLAIN, PLAIN, PLAIN, PLAIN),
    (False, True, False): (PLAIN, PLAIN, PLAIN, PLAIN),
    (True, False, True): (SEALED, SEALED, SEALED, SEALED),
    (True, False, False): (SEALED, SEALED, PLAIN, PLAIN),
    (True, True, True): (SEALED, PLAIN, SEALED, PLAIN),
    (True, True, False): (SEALED, PLAIN, PLAIN, PLAIN),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(str(int(flag)) for flag in row))
@pytest.mark.parametrize("extension", ["wav", "mp3", "xml", "json", "WAV", "Mp3", "XML", "Json"])
def test_row(cloud: Stack, encrypt_recording: ModuleType, family: str, row: tuple[bool, ...], extension: str) -> None:
    make, suffix, envelope = FAMILIES[family]
    tenant = make()
    settings = dict(zip(("encrypt", "only_encrypt_sftp", "encrypt_metadata"), row, strict=True))
    cloud.tenant(
        "acme",
        tenant.public_text,
        {**settings, "deliver_to_archive": True, "archive_formats": ["wav", "mp3"], "call_index": "off"},
    )
    data = b"RIFF what was said" * 50
    event = sqs_event(cloud.land(f"acme/2026/4711_1.{extension}", data))

    assert failures(encrypt_recording.lambda_handler(event, None)) == []

    sftp_recording, archive_recording, sftp_xml, archive_xml = ROWS[row]
    is_metadata = extension.lower() in ("xml", "json")
    expected = {
        SFTP: sftp_xml if is_metadata else sftp_recording,
        ARCHIVE: archive_xml if is_metadata else archive_recording,
    }
    key = f"acme/2026/4711_1.{extension}"
    for bucket, state in expected.items():
        name = key + suffix if state == SEALED else key
        stored = cloud.objects(bucket)
        assert list(stored) == [name]
        assert (tenant.open(stored[name]) if state == SEALED else stored[name]) == data
        metadata = cloud.metadata(bucket, name)
        assert metadata["callseal-sealed"] == (envelope if state == SEALED else "none")
        assert ("callseal-recipients" in metadata) == (state == SEALED)
    assert cloud.objects(LANDING) == {}
    (detail,) = cloud.audit_details("RecordingDelivered")
    assert [(one["destination"], one["sealed"] != "none") for one in detail["outputs"]] == [
        ("archive", expected[ARCHIVE] == SEALED),
        ("sftp", expected[SFTP] == SEALED),
    ]


@pytest.mark.parametrize(
    ("sftp", "archive", "formats"), list(product((True, False), (True, False), ([], ["mp3"], ["wav"])))
)
@pytest.mark.parametrize("extension", ["wav", "mp3", "xml", "json"])
def test_destinations_drop_out_when_off(
    cloud: Stack, encrypt_recording: ModuleType, sftp: bool, archive: bool, formats: list[str], extension: str
) -> None:
    settings = {
        "encrypt": False, "deliver_to_sftp": sftp, "deliver_to_archive": archive, "archive_formats": formats,
        "call_index": "off",
    }  # fmt: skip
    cloud.tenant("acme", None, settings)
    key = f"acme/4711_1.{extension}"
    encrypt_recording.lambda_handler(sqs_event(cloud.land(key, b"data")), None)

    takes = archive and (extension in ("xml", "json") or extension in formats)
    assert list(cloud.objects(SFTP)) == ([key] if sftp else [])
    assert list(cloud.objects(ARCHIVE)) == ([key] if takes else [])
    if not sftp and not takes:
        assert cloud.tags(key) == {"callseal-state": "held", "callseal-reason": "NothingToDeliver"}
        assert [held["reason"] for held in cloud.audit_details("RecordingHeld")] == ["NothingToDeliver"]
    else:
        assert cloud.objects(LANDING) == {}
