"""Recordings and metadata that harm a program that parses them, and objects that change during processing.

No function of the sealing path parses a file's content: the bytes that go in come out. Only `calls/metadata_reader.py`,
which none of these functions imports, reads metadata (test_metadata.py).
"""

from __future__ import annotations

import ast
import gzip
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import ClassVar
from xml.etree import ElementTree as ET

import pytest

from tests.security.abuse.outside import assert_delivered, assert_held, bounded, hand_over
from tests.support.families import FAMILIES
from tests.support.network import Network, Request
from tests.support.stack import ARCHIVE, LANDING, SFTP, STACK, Stack

ROOT = Path(__file__).resolve().parents[3]
MARK = "lol-4711-bomb"


def billion_laughs() -> bytes:
    levels = [f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12)]
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "{MARK}">{"".join(levels)}]><x>&l11;</x>'.encode()


def zip_of_death(levels: int = 5, width: int = 8) -> bytes:
    """Return nested archives of zeros: 80 MB in each of the innermost 8 ** 4, in a few KB."""
    data, name = bytes(80_000_000), "0"
    for level in range(levels):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for number in range(1 if level == 0 else width):
                archive.writestr(f"{name}{number}.zip", data)
        data = packed.getvalue()
    return data


METADATA = {
    "billion laughs": billion_laughs(),
    "quadratic": f'<!DOCTYPE x [<!ENTITY a "{MARK * 4000}">]><x>{"&a;" * 4000}</x>'.encode(),
    "a foreign entity": f'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;{MARK}</x>'.encode(),
    "a foreign DTD": f'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/{MARK}"><x/>'.encode(),
    "XInclude": f'<x xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="/etc/passwd"/>{MARK}</x>'.encode(),
    "a stylesheet": f'<?xml-stylesheet href="http://127.0.0.1:9/{MARK}"?><x/>'.encode(),
    "deep": b"<x>" * 100_000 + MARK.encode(),
    "no XML": MARK.encode() + bytes(range(256)),
    "UTF-16": f"<?xml version='1.0' encoding='UTF-16'?><x>{MARK}</x>".encode("utf-16"),
    "a wrong encoding": f"<?xml version='1.0' encoding='UTF-7'?><x>{MARK}\xff</x>".encode("latin-1"),
    "empty": b"",
}


class Watched(ET.XMLParser):
    """Records what is parsed by the SDK's only parser, which it needs for S3's own answers."""

    fed: ClassVar[list[bytes]] = []

    def feed(self, data: str | bytes) -> None:  # type: ignore[override]
        self.fed.append(data if isinstance(data, bytes) else data.encode())
        super().feed(data)


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    monkeypatch.setattr(ET, "XMLParser", Watched)
    monkeypatch.setattr(Watched, "fed", [])
    return Watched.fed


@pytest.mark.parametrize("settings", [{}, {"encrypt_metadata": False}, {"encrypt": False}], ids=str)
def test_no_parser_ever_sees_metadata(
    cloud: Stack, encrypt_recording: ModuleType, fed: list[bytes], settings: dict[str, bool]
) -> None:
    tenant = FAMILIES["x509"].make("tenant")
    cloud.tenant("acme", tenant.public_text, {**settings, "deliver_to_archive": True, "call_index": "off"})
    contents = {f"acme/{number}.xml": data for number, data in enumerate(METADATA.values())}
    landed = [cloud.land(key, data) for key, data in contents.items()]
    fed.clear()

    with bounded(seconds=20):
        assert hand_over(encrypt_recording, *landed) == []

    stored, archived = cloud.objects(SFTP), cloud.objects(ARCHIVE)
    suffix = "" if settings else ".p7m"
    for key, data in contents.items():
        for there in (stored, archived):
            assert (there[key] if settings else tenant.open(there[key + suffix])) == data
    assert len(stored) == len(archived) == len(contents)
    assert fed  # S3's answers prove that the watch works
    assert not [piece for piece in fed if MARK.encode() in piece or MARK.encode("utf-16-le") in piece]


def test_package_and_functions_name_no_parser_or_unpacker() -> None:
    """Parsers of XML, HTML, archives, pickles, YAML and media."""
    forbidden = {"xml", "lxml", "html", "bs4", "xmltodict", "defusedxml", "zipfile", "tarfile", "gzip", "zlib", "bz2",
                 "lzma", "pickle", "marshal", "shelve", "yaml", "wave", "audioop", "mutagen", "pydub"}  # fmt: skip
    sources = [*(ROOT / "layers/callseal/python").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
    assert len(sources) > 30
    found = []
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{source.name}: {name}" for name in names if name.partition(".")[0] in forbidden]
    # For the strict reader of metadata, the CRC-32 that S3 requires, the server log from CloudWatch, the audit objects
    # that Firehose wrote, the records of disposals, the sign-in page's escaping of text, and the sweep's own position.
    assert sorted(found) == [
        "disposal_record.py: gzip", "metadata_reader.py: xml.parsers", "objects.py: gzip", "objects.py: zlib",
        "server_log.py: zlib", "sign_in.py: html", "sweep_position.py: zlib", "upload.py: zlib",
    ]  # fmt: skip
    upload = (ROOT / "layers/callseal/python/callseal/aws/upload.py").read_text()
    assert upload.count("zlib.") == upload.count("zlib.crc32")


_PARSERS = """
import sys
def parsers(): return {name for name in sys.modules if "xml" in name.lower() or "expat" in name or "html" in name}
sys.path[:0] = ["functions/%s", "layers/callseal/python"]
import boto3, botocore.session, botocore.config, gnupg, aws_lambda_powertools.logging, aws_lambda_powertools.metrics
for service in ("s3", "sqs", "ssm", "secretsmanager", "events"):
    boto3.client(service, region_name="eu-north-1")
before = parsers()
import app, callseal.crypto.recipients.x509, callseal.crypto.recipients.openpgp
import callseal.crypto.envelopes.openpgp, callseal.crypto.envelopes.cms
print(sorted(before), sorted(parsers() - before))
"""


@pytest.mark.parametrize("function", ["encrypt_recording", "sweep_landing"])
def test_functions_load_only_the_parser_of_the_sdk(function: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _PARSERS % function], cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, ours = ran.stdout.strip().rsplit(" [", 1)
    assert "xml.etree" in before
    assert ours == "]"


_SEALING_PATH = """
import sys
sys.path[:0] = ["functions/%s", "layers/callseal/python"]
before = set(sys.modules)
import app, callseal.wiring.container
import callseal.delivery, callseal.crypto, importlib, pkgutil
for package in (callseal.delivery, callseal.crypto):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name != "callseal.delivery.read_metadata":
            importlib.import_module(module.name)
imported = {name for name in set(sys.modules) - before if name.startswith(("callseal.calls", "phonenumbers"))}
print("callseal.crypto.envelopes.openpgp" in sys.modules, sorted(
    name for name in imported if "metadata" in name or "phonenumbers" in name or "profiles" in name))
"""


@pytest.mark.parametrize("function", ["encrypt_recording", "sweep_landing", "recheck_delivery"])
def test_sealing_path_imports_neither_the_metadata_reader_nor_phonenumbers(function: str) -> None:
    """With every module of `delivery` and `crypto`, whether the function imports it at its start or later.

    `delivery.read_metadata` is the work of the function that parses metadata, and only that function names it.
    """
    apps = (ROOT / "functions").glob("*/app.py")
    assert [app.parent.name for app in apps if "delivery.read_metadata" in app.read_text()] == ["read_metadata"]
    ran = subprocess.run(
        [sys.executable, "-c", _SEALING_PATH % function], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "True []\n"


@pytest.mark.parametrize("family", FAMILIES)
def test_recordings_that_unpack_to_terabytes_are_sealed_byte_for_byte(
    cloud: Stack, encrypt_recording: ModuleType, family: str
) -> None:
    tenant = FAMILIES[family].make("tenant")
    cloud.tenant("acme", tenant.public_text)
    contents = {
        "acme/zip.wav": zip_of_death(),
        "acme/gzip.mp3": gzip.compress(bytes(50_000_000)),
        "acme/riff-that-lies.wav": b"RIFF\xff\xff\xff\xffWAVEfmt " + b"\xff" * 60,
        "acme/pgp.wav": b"\xa3\x01" + bytes(1000),  # would be a compressed packet of OpenPGP
        "acme/armour.wav": b"-----BEGIN PGP MESSAGE-----\n\nxxxx\n-----END PGP MESSAGE-----\n",
        "acme/empty.wav": b"",
    }
    assert max(len(data) for data in contents.values()) < 1024**2
    landed = [cloud.land(key, data) for key, data in contents.items()]

    with bounded(seconds=10, mib=32):
        assert hand_over(encrypt_recording, *landed) == []

    for key, sealed in cloud.objects(SFTP).items():
        assert len(sealed) < len(contents[key.rpartition(".")[0]]) + 2048
    assert_delivered(cloud, contents, {"acme": tenant})


# ---- objects that change --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["GetObject", "HeadObject", "CopyObject"])
def test_object_that_changes_between_event_and_read(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, operation: str
) -> None:
    """The event's own bytes are delivered, or none. The new bytes have their own event."""
    plain = operation == "CopyObject"
    tenant = FAMILIES["x509"].make("tenant")
    cloud.tenant(
        "acme", tenant.public_text, {"encrypt": not plain, "deliver_to_archive": True, "archive_formats": ["wav"]}
    )
    first, newer = cloud.land("acme/1.wav", b"what was said first"), {}

    def change(_: Request) -> None:
        newer.update(cloud.land("acme/1.wav", b"what was said instead"))

    network.before(operation, change)
    assert hand_over(encrypt_recording, first) == []
    assert newer
    seen = [*cloud.objects(SFTP).values(), *cloud.objects(ARCHIVE).values()]
    assert seen == []
    assert cloud.audit() == []
    assert cloud.objects(LANDING) == {"acme/1.wav": b"what was said instead"}

    assert hand_over(encrypt_recording, newer) == []
    (sealed,) = cloud.objects(SFTP).values()
    assert (sealed if plain else tenant.open(sealed)) == b"what was said instead"
    assert cloud.objects(LANDING) == {}


def test_deleted_version_is_acknowledged(cloud: Stack, encrypt_recording: ModuleType) -> None:
    """In a versioned landing bucket, the newer version with the same key is neither read nor deleted."""
    cloud.s3.put_bucket_versioning(Bucket=LANDING, VersioningConfiguration={"Status": "Enabled"})
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text)
    landed = cloud.land("acme/1.wav", b"what was said")
    version = cloud.s3.head_object(Bucket=LANDING, Key="acme/1.wav")["VersionId"]
    landed["Records"][0]["s3"]["object"]["versionId"] = version
    cloud.land("acme/1.wav", b"what was said later")
    cloud.s3.delete_object(Bucket=LANDING, Key="acme/1.wav", VersionId=version)

    assert hand_over(encrypt_recording, landed, landed) == []

    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == {}
    assert cloud.audit() == []
    assert cloud.objects(LANDING) == {"acme/1.wav": b"what was said later"}


@pytest.mark.parametrize("version", ["null", "../../beta", "x&acl", "x\r\nHost: y", "v" * 5000])
def test_version_that_never_existed_is_acknowledged_or_fails(
    cloud: Stack, encrypt_recording: ModuleType, version: str
) -> None:
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text)
    landed = cloud.land("acme/1.wav", b"what was said")
    landed["Records"][0]["s3"]["object"]["versionId"] = version

    hand_over(encrypt_recording, landed)

    assert cloud.objects(ARCHIVE) == {}
    assert cloud.objects(SFTP).keys() <= {"acme/1.wav.p7m"}
    assert cloud.objects(SFTP) or cloud.objects(LANDING) == {"acme/1.wav": b"what was said"}


# ---- tags -----------------------------------------------------------------------------------------------------------

LIES = {
    "callseal-state": "held",
    "callseal-reason": "OutputConflict script +46701234567",
    "callseal-held-days": "9" * 200,
    "callseal-hold": "9" * 200 + " - released",
    **{f"platform-{number}": "x" * 250 for number in range(6)},
}


def put_tags(cloud: Stack, key: str, tags: dict[str, str]) -> None:
    pairs = [{"Key": name, "Value": value} for name, value in tags.items()]
    cloud.s3.put_object_tagging(Bucket=LANDING, Key=key, Tagging={"TagSet": pairs})


def test_ten_forged_tags_do_not_prevent_delivery(cloud: Stack, encrypt_recording: ModuleType) -> None:
    tenant = FAMILIES["x509"].make("tenant")
    cloud.tenant("acme", tenant.public_text)
    landed = cloud.land("acme/1.wav", b"what was said")
    put_tags(cloud, "acme/1.wav", LIES)

    assert hand_over(encrypt_recording, landed) == []

    assert_delivered(cloud, {"acme/1.wav": b"what was said"}, {"acme": tenant})
    assert cloud.s3.get_object_tagging(Bucket=SFTP, Key="acme/1.wav.p7m")["TagSet"] == [
        {"Key": "callseal-expires", "Value": "files"}
    ]


def test_ten_forged_tags_are_corrected_when_held(cloud: Stack, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", "no key")
    landed = cloud.land("acme/1.wav", b"what was said")
    put_tags(cloud, "acme/1.wav", LIES)

    assert hand_over(encrypt_recording, landed) == []

    assert_held(cloud, {"acme/1.wav": b"what was said"}, "KeyUnreadable")
    assert len(cloud.tags("acme/1.wav")) == 10


def test_sweep_does_not_copy_forged_tags_into_events(
    cloud: Stack, sweep_landing: ModuleType, encrypt_recording: ModuleType
) -> None:
    tenant = FAMILIES["x509"].make("tenant")
    cloud.tenant("acme", tenant.public_text)
    cloud.land("acme/1.wav", b"what was said")
    put_tags(cloud, "acme/1.wav", LIES)

    sweep_landing.lambda_handler({}, None)

    (released,) = cloud.audit_details("RecordingReleased")
    assert released["reason"] is None
    assert "script" not in json.dumps(cloud.audit())
    messages = cloud.sqs.receive_message(QueueUrl=cloud.queue_url)["Messages"]
    assert hand_over(encrypt_recording, *(message["Body"] for message in messages)) == []
    assert list(cloud.objects(SFTP)) == ["acme/1.wav.p7m"]


@pytest.mark.parametrize(
    "name",
    ["", "/", "//acme/x", f"{STACK}/tenants/../acme/x", f"/{STACK}/tenants/\u0430cme/settings", "acme", "x" * 10**6],
)
def test_change_with_an_unknown_name_sweeps_all(
    cloud: Stack, sweep_landing: ModuleType, name: str, network: Network
) -> None:
    """The sweep never covers less than what is pending: an odd name only makes it take longer."""
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text)
    cloud.land("acme/1.wav", b"what was said")
    put_tags(cloud, "acme/1.wav", {"callseal-state": "held", "callseal-reason": "KeyMissing"})

    with bounded(seconds=5):
        assert sweep_landing.lambda_handler({"detail": {"name": name}}, None)["released"] == 1
