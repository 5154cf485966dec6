"""`callseal copy`: what is copied and sealed, what is refused, shares, and what an erasure finds of a copy."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
import pytest

from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.delivery.output_buckets import OutputBuckets
from callseal_cli.copies import Copies
from tests.e2e.cli.conftest import Operator
from tests.functions.test_call_policy import metadata
from tests.support import calls, functions, shares
from tests.support.clock import Clock
from tests.support.erasures import Desk
from tests.support.flow import Flow
from tests.support.keys import OpenPgpTenant, X509Tenant, openpgp_tenant, x509_tenant
from tests.support.recordings import recording
from tests.support.stack import ARCHIVE, ARCHIVE_URL, MAIL_FROM, SFTP, STACK

CALL = CallName("acme", "2026/4711_1")
WAV, XML = f"acme/{CALL.name}.wav", f"acme/{CALL.name}.xml"
NUMBER = "+4790000001"
# Over one part of an upload.
SAID = recording(9 * 1024**2)
ARCHIVED = {"deliver_to_archive": True, "archive_formats": ["wav"], "metadata_profile": "puzzel"}
SEALED_BY_SFTP = ARCHIVED | {"only_encrypt_sftp": True, "encrypt_metadata": True}
TO_SFTP = ("--to", "sftp")
TO_SHARE = ("--to", "share", "--recipient", shares.TO, "--days", "3")
Land = Callable[..., None]


@pytest.fixture(autouse=True)
def _person(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """One person, as the local cloud knows it, and a stack that sends mail."""
    monkeypatch.setattr("callseal_cli.stack._is_this_machine", lambda _: True)
    monkeypatch.setenv("CALLSEAL_USER", "kari@platform.example")
    cloudformation = boto3.client("cloudformation")
    template = json.loads(json.dumps(cloudformation.get_template(StackName=STACK)["TemplateBody"]))
    template = json.loads(template) if isinstance(template, str) else template
    template["Outputs"] |= {"ShareMailFrom": {"Value": MAIL_FROM}, "ArchiveUrl": {"Value": ARCHIVE_URL}}
    cloudformation.update_stack(StackName=STACK, TemplateBody=json.dumps(template))


@pytest.fixture
def land(operator: Operator) -> Land:
    """Return a function that lands a call of a tenant with these settings, and has it delivered and indexed."""
    index = functions.load("index_calls")

    def land(settings: dict[str, Any], key: str | None, name: str = CALL.name, data: bytes = b"what was said") -> None:
        operator.stack.tenant("acme", key, settings)
        # Functions that are loaded anew have no settings in their caches.
        flow = Flow(operator.stack, functions.load("encrypt_recording"), functions.load("read_metadata"))
        flow.land(f"acme/{name}.xml", metadata())
        flow.land(f"acme/{name}.wav", data)
        calls.index(operator.stack, index.lambda_handler)

    return land


def copied(operator: Operator, *subject: str, code: int = 0) -> dict[str, Any]:
    arguments = subject or ("--caller", NUMBER)
    found: dict[str, Any] = operator.json("copy", "acme", *arguments, *TO_SFTP, code=code)
    return found


def requested(operator: Operator, shown: dict[str, Any], folder: Path) -> dict[str, bytes]:
    """Save a request's folder, check its manifest with sha256sum, and return its files."""
    prefix = f"acme/{shown['folder']}/"
    files = {key.removeprefix(prefix): data for key, data in operator.stack.objects(SFTP).items() if prefix in key}
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        tags = operator.stack.s3.get_object_tagging(Bucket=SFTP, Key=prefix + name)["TagSet"]
        assert tags == [{"Key": "callseal-expires", "Value": "requests"}]
    subprocess.run(["sha256sum", "--strict", "-c", "manifest.sha256"], cwd=folder, check=True, capture_output=True)
    lines = (folder / "manifest.sha256").read_text().splitlines()
    assert len(lines) == len(files) - 1 == len(shown["files"])
    return files


@pytest.mark.parametrize("tenant", [x509_tenant, openpgp_tenant])
def test_a_plain_copy_is_sealed_on_its_way(
    operator: Operator, land: Land, tmp_path: Path, tenant: Callable[[], X509Tenant | OpenPgpTenant]
) -> None:
    land(SEALED_BY_SFTP, tenant().public_text, data=SAID)
    assert operator.stack.objects(ARCHIVE)[WAV] == SAID

    shown = copied(operator)

    files = requested(operator, shown, tmp_path / "copy")
    suffix = ".p7m" if tenant is x509_tenant else ".pgp"
    assert {*files} == {f"{CALL.name}.wav{suffix}", f"{CALL.name}.xml{suffix}", "manifest.sha256"}
    assert tenant().open(files[f"{CALL.name}.wav{suffix}"]) == SAID
    assert tenant().open(files[f"{CALL.name}.xml{suffix}"]) == metadata()
    assert SAID[:1000] not in files[f"{CALL.name}.wav{suffix}"]
    assert (shown["calls"], shown["not_copied"], {each["call"] for each in shown["files"]}) == (1, [], {CALL.id})
    assert operator.stack.unfinished_uploads(SFTP) == []
    (asked,) = operator.stack.audit_details("CopyRequested")
    assert asked["message"] == "kari@platform.example asked for a copy of calls to sftp."
    assert (asked["law"]["request"], asked["law"]["counts"]) == (shown["request"], {"calls": 1})
    assert NUMBER[1:] not in json.dumps(asked)


def test_what_is_sealed_stays_sealed(operator: Operator, land: Land, tmp_path: Path) -> None:
    land(ARCHIVED, x509_tenant().public_text)
    operator.stack.secrets.delete_secret(SecretId=f"{STACK}/tenants/acme/public-key", ForceDeleteWithoutRecovery=True)
    before = operator.stack.objects(ARCHIVE)

    files = requested(operator, copied(operator, "--call", CALL.id), tmp_path / "copy")

    assert files[f"{CALL.name}.wav.p7m"] == before[f"{WAV}.p7m"]
    assert x509_tenant().open(files[f"{CALL.name}.wav.p7m"]) == b"what was said"
    assert operator.stack.objects(ARCHIVE) == before


def test_a_tenant_of_plain_files_gets_plain_copies(operator: Operator, land: Land, tmp_path: Path) -> None:
    land(ARCHIVED | {"encrypt": False}, None)
    files = requested(operator, copied(operator, "--call", "4711"), tmp_path / "copy")
    assert (files[f"{CALL.name}.wav"], files[f"{CALL.name}.xml"]) == (b"what was said", metadata())


def test_no_card_has_the_hash_of_plain_metadata(operator: Operator, land: Land) -> None:
    land(ARCHIVED | {"encrypt": False}, None)
    shown = copied(operator)
    (card,) = calls.cards(operator.stack)
    hashes = {each["key"].rpartition(".")[2]: each["sha256"] for each in card["files"] if "/requests/" in each["key"]}
    assert hashes == {"wav": sha256(b"what was said").hexdigest(), "xml": None}
    assert {each["sha256"] for each in shown["files"]} == {hashes["wav"], sha256(metadata()).hexdigest()}


def test_without_a_usable_key_the_copy_is_refused(operator: Operator, land: Land) -> None:
    land(SEALED_BY_SFTP, x509_tenant().public_text)
    operator.stack.put_key("acme", x509_tenant("rsa1024").public_text)
    shown = operator.json("copy", "acme", "--call", CALL.id, *TO_SFTP, code=1)
    assert shown["refused"] == "KeyTooWeak"
    assert "KeyTooWeak" in operator("copy", "acme", "--call", CALL.id, *TO_SFTP).out
    assert not [key for key in operator.stack.objects(SFTP) if "/requests/" in key]
    assert operator.stack.audit_details("CopyRequested") == []


def test_a_call_that_waits_for_its_erasure(operator: Operator, land: Land) -> None:
    land(ARCHIVED, x509_tenant().public_text)
    land(ARCHIVED, x509_tenant().public_text, name="2026/4711_2")
    table = calls.table(operator.stack, Clock())
    assert table.apply({CALL: [lambda card: card.with_erasure(pending=True)]}) == {}

    for to in (TO_SFTP, TO_SHARE):
        assert operator.json("copy", "acme", "--call", CALL.id, *to, code=1)["refused"] == "ErasurePending"
    shown = copied(operator, code=1)

    assert shown["not_copied"] == [{"call": CALL.id, "file": None, "code": "ErasurePending"}]
    assert {each["call"] for each in shown["files"]} == {CallName("acme", "2026/4711_2").id}


def test_a_file_that_is_another_one_is_not_copied(operator: Operator, land: Land) -> None:
    land(ARCHIVED | {"encrypt": False}, None)
    operator.stack.s3.put_object(Bucket=ARCHIVE, Key=WAV, Body=b"another file.")
    shown = copied(operator, code=1)
    assert [each["code"] for each in shown["not_copied"]] == ["FileMissing"]
    assert [each["name"] for each in shown["files"]] == [f"{CALL.name}.xml"]


def test_a_call_without_a_recording_in_the_archive_is_named(operator: Operator, land: Land) -> None:
    land(ARCHIVED, x509_tenant().public_text)
    land(ARCHIVED | {"archive_formats": ["mp3"]}, x509_tenant().public_text, name="2026/4711_2")
    missing = {"call": CallName("acme", "2026/4711_2").id, "file": None, "code": "FileMissing"}
    assert copied(operator, code=1)["not_copied"] == [missing]
    assert missing in operator.json("copy", "acme", "--caller", NUMBER, *TO_SHARE, code=1)["not_shared"]


@pytest.mark.parametrize(("change", "code"), [
    (lambda card: card.with_erasure(pending=True), "ErasurePending"),
    (lambda card: card.ended_by("erased", "2099-01-01T00:00:00.000Z"), "FileMissing"),
    (lambda card: card.ended_by("disposed", "2026-01-01T00:00:00.000Z"), "FileMissing"),
], ids=["erasure pending", "erased", "disposed of"])  # fmt: skip
@pytest.mark.parametrize("after", [(OutputBuckets, "copy"), (Copies, "_put_manifest")], ids=["a file", "the manifest"])
def test_a_call_that_ends_meanwhile_keeps_no_copy(
    operator: Operator, land: Land, monkeypatch: pytest.MonkeyPatch, after: tuple[type, str],
    change: Callable[[Card], Card], code: str,
) -> None:  # fmt: skip
    land(ARCHIVED, x509_tenant().public_text)
    land(ARCHIVED, x509_tenant().public_text, name="2026/4711_2")
    write, table = getattr(*after), calls.table(operator.stack, Clock())

    def then_change(*arguments: Any) -> Any:
        written = write(*arguments)
        table.apply({CALL: [change]})
        return written

    monkeypatch.setattr(*after, then_change)
    shown = copied(operator, code=1)

    assert {(each["call"], each["code"]) for each in shown["not_copied"]} == {(CALL.id, code)}
    assert {each["call"] for each in shown["files"]} == {CallName("acme", "2026/4711_2").id}
    stored = {key: data for key, data in operator.stack.objects(SFTP).items() if "/requests/" in key}
    manifest = stored.pop(f"acme/{shown['folder']}/manifest.sha256").decode()
    assert {line.partition("  ")[2] for line in manifest.splitlines()} == {each["name"] for each in shown["files"]}
    assert {key.partition(f"{shown['request']}/")[2] for key in stored} == {each["name"] for each in shown["files"]}
    card = table.get(CALL)
    assert card is not None
    assert (card.gone, card.erasure_pending) == (change(card).gone, change(card).erasure_pending)


@pytest.mark.parametrize(("arguments", "sentence"), [
    (TO_SFTP, "either --caller or --call"), (("--call", "1", "--caller", NUMBER, *TO_SFTP), "either"),
    (("--caller", "anonymous", *TO_SFTP), "no number"), (("--call", "1", "--to", "disk"), "--to"),
    (("--call", "1", "--to", "share"), "--recipient and --days"), (("--call", "1", *TO_SFTP, "--days", "3"), "are for"),
    (("--call", "1", "--to", "share", "--recipient", "ola", "--days", "3"), "no e-mail address"),
])  # fmt: skip
def test_wrong_use(operator: Operator, arguments: tuple[str, ...], sentence: str) -> None:
    operator.stack.tenant("acme", None, ARCHIVED)
    assert sentence in operator.refused("copy", "acme", *arguments)


def test_a_tenant_without_an_archive_or_a_person(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.stack.tenant("acme", None, {})
    assert "no archive" in operator.refused("copy", "acme", "--call", "1", *TO_SFTP)
    monkeypatch.delenv("CALLSEAL_USER")
    assert "CALLSEAL_USER" in operator.refused("copy", "acme", "--call", "1", *TO_SFTP)


def test_no_such_call(operator: Operator, land: Land) -> None:
    land(ARCHIVED, x509_tenant().public_text)
    for subject in (("--call", "0" * 32), ("--caller", "+4790000002"), ("--call", CALL.id, "--call", "0" * 32)):
        assert operator("copy", "acme", *subject, *TO_SFTP).code == 1
    assert not [key for key in operator.stack.objects(SFTP) if "/requests/" in key]


def test_plain_recordings_are_shared_and_sealed_ones_listed(operator: Operator, land: Land) -> None:
    land(SEALED_BY_SFTP, x509_tenant().public_text)
    land(ARCHIVED, x509_tenant().public_text, name="2026/4711_2")

    shown = operator.json("copy", "acme", "--caller", NUMBER, *TO_SHARE, code=1)

    sealed = {"call": CallName("acme", "2026/4711_2").id, "code": "SealedRecording"}
    assert [{name: each[name] for name in sealed} for each in shown["not_shared"]] == [sealed]
    (share,) = shown["shares"]
    assert (share["call"], share["to"], share["state"]) == (CALL.id, shares.TO, "active")
    (mail,) = shares.mails()
    assert (mail.source, "kari@platform.example has shared" in mail.body) == (MAIL_FROM, True)
    assert shares.link(mail.body)[0] == share["id"]
    (created,) = operator.stack.audit_details("ShareCreated")
    assert (created["archive"]["user"], created["archive"]["external"]) == ("kari@platform.example", True)
    assert len(operator.stack.audit_details("CopyRequested")) == 1


def test_a_stack_without_mail_shares_nothing(operator: Operator, land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    land(SEALED_BY_SFTP, x509_tenant().public_text)
    outputs = {"Resources": {}, "Outputs": {name: {"Value": name} for name in ("AuditBusName", "ArchiveUrl")}}
    boto3.client("cloudformation").update_stack(StackName=STACK, TemplateBody=json.dumps(outputs))
    assert "ShareMailFrom" in operator.refused("copy", "acme", "--call", CALL.id, *TO_SHARE)


def test_a_fetched_copy_is_of_its_call_and_an_erasure_finds_it(operator: Operator, land: Land) -> None:
    land(ARCHIVED, x509_tenant().public_text)
    shown = copied(operator)
    key = f"acme/{shown['folder']}/{CALL.name}.wav.p7m"
    source = {"bucket": SFTP, "key": key, "etag": None, "size": 1}
    detail = {"tenant": "acme", "time": "2099-01-01T00:00:00.000Z", "source": source, "outputs": None, "id": "f" * 32}
    fetched = {"source": "callseal", "detail-type": "FileFetched", "detail": detail}
    calls.index(operator.stack, functions.load("index_calls").lambda_handler, fetched)

    (card,) = calls.cards(operator.stack)
    (file,) = [each for each in card["files"] if each["key"] == key]
    assert (file["state"], file["sha256"] in {each["sha256"] for each in shown["files"]}) == ("fetched", True)
    start = operator.json("erase", "start", "acme", "--call", CALL.id, "--basis", "GDPR, article 17")
    # In the archive, in the area and in the request's folder: the recording and the metadata; and the manifest.
    assert start["counts"] == {"pending": 7}
    # The recipient has fetched the manifest, too, and is asked to erase it.
    desk = Desk(operator.stack, functions.load("erase_recordings"), Clock())
    desk.approve(start["request"])
    desk.run()
    sealed = operator.stack.objects(SFTP)[f"acme/notices/erasure-{start['request']}.json.p7m"]
    names = {each["name"]: each["fetched"] for each in json.loads(x509_tenant().open(sealed))["files"]}
    of_request = {f"{shown['folder']}/{name}" for name in (*(f["name"] for f in shown["files"]), "manifest.sha256")}
    assert {name for name in names if name.startswith("requests/")} == of_request
    assert names[key.partition("/")[2]] is True
