"""The output of `sam build` seals recordings under Lambda's own runtime: function, layers and the layer's gpg."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rie
from house_rules import Template
from rie_cloud import Cloud, label_updated, moto_cloud, sqs_record
from rie_receivers import CmsReceiver, OpenPgpReceiver, Receiver, openpgp_receiver

RECORDING = (rie.ROOT / "tests/samples/4711000000000001_1.wav").read_bytes()
METADATA = (rie.ROOT / "tests/samples/4711000000000001_1.xml").read_bytes()
NOTHING_FAILED: dict[str, list[str]] = {"batchItemFailures": []}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with moto_cloud() as made:
        yield made


@pytest.fixture(scope="module")
def function(
    cloud: Cloud, template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[rie.RunningFunction]:
    folder = rie.built_function("EncryptRecordingFunction", rie.ROOT / "functions/encrypt_recording")
    with rie.running(folder, tmp_path_factory.mktemp("rie"), variables(folder.name, cloud, template)) as running:
        yield running


@pytest.fixture
def sweep(cloud: Cloud, template: Template, tmp_path: Path) -> Iterator[rie.RunningFunction]:
    folder = rie.built_function("SweepLandingFunction", rie.ROOT / "functions/sweep_landing")
    with rie.running(folder, tmp_path, variables(folder.name, cloud, template)) as running:
        yield running


@pytest.fixture(scope="module")
def cms_tenant(tmp_path_factory: pytest.TempPathFactory) -> CmsReceiver:
    return CmsReceiver(tmp_path_factory.mktemp("cms"))


@pytest.fixture(scope="module")
def openpgp_tenant() -> Iterator[OpenPgpReceiver]:
    with openpgp_receiver() as receiver:
        yield receiver


def variables(name: str, cloud: Cloud, template: Template) -> dict[str, str]:
    """Return exactly the variables that template.yaml sets for a function."""
    declared: dict[str, Any] = template["Resources"][name]["Properties"]["Environment"]["Variables"]
    constant = {variable: value for variable, value in declared.items() if isinstance(value, str)}
    values = {**constant, **cloud.environment(), "LOG_LEVEL": "INFO", "GPG_BINARY": str(rie.gpg_layer() / "bin/gpg")}
    missing = set(declared) - set(values)
    assert not missing, f"template.yaml sets {missing}, which tests/template/sam/rie_cloud.py gives no value."
    return {variable: values[variable] for variable in declared}


def seal(
    cloud: Cloud, function: rie.RunningFunction, tenant: str, receiver: Receiver, key: str, content: bytes
) -> None:
    """Land a file of a tenant whose settings seal everything, and let the function process it."""
    settings = {"deliver_to_archive": True, "archive_formats": ["wav"], "call_index": "off"}
    cloud.add_tenant(tenant, settings, receiver.public_key)
    landed = cloud.land(key, content)
    assert function.invoke(landed.as_sqs_event()) == NOTHING_FAILED, function.log.read_text()


def assert_delivered(cloud: Cloud, key: str, suffix: str, kind: str, receiver: Receiver, content: bytes) -> None:
    for bucket in ("sftp", "archive"):
        sealed, metadata = cloud.fetch(bucket, key + suffix)
        assert receiver.open(sealed) == content
        assert content[:64] not in sealed
        assert metadata["callseal-sealed"] == kind
    assert key not in cloud.keys("landing")
    (event,) = cloud.audit_events(key)
    assert event["detail-type"] == "RecordingDelivered"
    assert {output["destination"] for output in event["detail"]["outputs"]} == {"sftp", "archive"}


def test_a_recording_is_sealed_when_the_tenant_has_a_certificate(
    cloud: Cloud, function: rie.RunningFunction, cms_tenant: CmsReceiver
) -> None:
    key = "cms-tenant/2026/11/4711000000000001_1.wav"
    seal(cloud, function, "cms-tenant", cms_tenant, key, RECORDING)
    assert_delivered(cloud, key, ".p7m", "cms", cms_tenant, RECORDING)


def test_a_recording_is_sealed_by_the_layers_gpg_when_the_tenant_has_an_openpgp_key(
    cloud: Cloud, function: rie.RunningFunction, openpgp_tenant: OpenPgpReceiver
) -> None:
    key = "pgp-tenant/2026/11/4711000000000001_1.wav"
    seal(cloud, function, "pgp-tenant", openpgp_tenant, key, RECORDING)
    assert_delivered(cloud, key, ".pgp", "openpgp", openpgp_tenant, RECORDING)


def test_metadata_is_sealed_like_its_recording(
    cloud: Cloud, function: rie.RunningFunction, openpgp_tenant: OpenPgpReceiver
) -> None:
    key = "xml-tenant/4711000000000001_1.xml"
    seal(cloud, function, "xml-tenant", openpgp_tenant, key, METADATA)
    assert_delivered(cloud, key, ".pgp", "openpgp", openpgp_tenant, METADATA)


def test_a_recording_is_held_and_nothing_delivered_when_the_tenant_has_no_key(
    cloud: Cloud, function: rie.RunningFunction
) -> None:
    cloud.add_tenant("keyless", {"deliver_to_archive": True, "archive_formats": ["wav"]}, None)
    landed = cloud.land("keyless/1_1.wav", RECORDING)

    assert function.invoke(landed.as_sqs_event()) == NOTHING_FAILED

    assert landed.key in cloud.keys("landing")
    assert not [key for bucket in ("sftp", "archive") for key in cloud.keys(bucket) if key.startswith("keyless/")]
    (event,) = cloud.audit_events(landed.key)
    assert (event["detail-type"], event["detail"]["reason"]) == ("RecordingHeld", "KeyMissing")


def test_held_recording_is_requeued_when_its_tenant_gets_a_key(
    cloud: Cloud, function: rie.RunningFunction, sweep: rie.RunningFunction, cms_tenant: CmsReceiver
) -> None:
    cloud.add_tenant("late-key", {}, None)
    landed = cloud.land("late-key/1_1.wav", RECORDING)
    function.invoke(landed.as_sqs_event())
    sweep.invoke(label_updated("late-key"))
    assert landed.key not in cloud.put_back()

    cloud.add_key("late-key", cms_tenant.public_key)
    sweep.invoke(label_updated("late-key"))

    assert landed.key in cloud.put_back()


@pytest.mark.parametrize("level", ["INFO", "WARN", "ERROR"])
def test_log_level_filters_lines_but_not_metrics_and_shows_no_secret(
    cloud: Cloud, template: Template, cms_tenant: CmsReceiver, tmp_path: Path, level: str
) -> None:
    folder = rie.built_function("EncryptRecordingFunction", rie.ROOT / "functions/encrypt_recording")
    environment = variables(folder.name, cloud, template) | {"LOG_LEVEL": level}
    with rie.running(folder, tmp_path, environment) as function:
        seal(cloud, function, f"at-{level.lower()}", cms_tenant, f"at-{level.lower()}/1_1.xml", METADATA)
        log = function.log.read_text()
    assert ('"RecordingsDelivered":[1' in log, '"message":"recording delivered"' in log) == (True, level == "INFO")
    secrets = ["Authorization", "SecretString", *cms_tenant.public_key.splitlines(), *METADATA.decode().splitlines()]
    assert not [secret for secret in secrets if secret in log]


def test_every_log_level_is_tested(template: Template) -> None:
    assert template["Parameters"]["LogLevel"]["AllowedValues"] == ["INFO", "WARN", "ERROR"]


def test_malformed_notification_fails_alone(cloud: Cloud, function: rie.RunningFunction) -> None:
    record = sqs_record('{"not": "a notification"}')
    failed = {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
    assert function.invoke({"Records": [record]}) == failed
