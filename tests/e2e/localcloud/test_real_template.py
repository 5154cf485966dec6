"""The project's own template makes a complete stack, and reports every resource that is left out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.template import load_template
from tests.e2e.localcloud.support import PROJECT, eventually
from tests.security.privacy.watch import WATCH

OUTPUTS = {
    "LandingBucketName", "SftpBucketName", "ArchiveBucketName", "AuditBusName", "AuditLogGroupName", "AuditBucketName",
    "EncryptQueueUrl", "EncryptDeadLetterQueueUrl", "SftpEndpoint", "SftpHost", "SftpPort", "GnupgBuild", "ArchiveUrl",
    "ArchiveWebBucketName", "MaximumComplianceYears",
}  # fmt: skip


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    state = tmp_path_factory.mktemp("state")
    on_line = lambda _, line: WATCH.log(line)  # noqa: E731
    with LocalCloud(state_dir=state, parameters={"SftpRetentionDays": "3"}, on_line=on_line) as cloud:
        cloud.pause()
        yield cloud


def test_every_resource_is_created_or_left_out(cloud: LocalCloud) -> None:
    declared = load_template(PROJECT / "template.yaml", "eu-north-1")["Resources"]
    created = {one.logical_id for one in cloud.created}
    left_out = {one.what for one in cloud.left_out if "." not in one.what}
    assert created | left_out == set(declared)


def test_each_omitted_resource_is_named_with_its_reason(cloud: LocalCloud) -> None:
    declared = load_template(PROJECT / "template.yaml", "eu-north-1")["Resources"]
    types = {
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::IAM::Role",
        "AWS::Lambda::Permission",
        "AWS::Logs::ResourcePolicy",
    }
    expected = {logical_id for logical_id, resource in declared.items() if resource["Type"] in types}
    for bucket in ("Landing", "Sftp", "Archive", "Audit"):
        expected.add(f"{bucket}BucketPolicy.PolicyDocument.TlsOnly")
    expected |= {f"{bucket}BucketPolicy.PolicyDocument.NeverOverwrite" for bucket in ("Sftp", "Archive")}
    expected |= {
        f"{bucket}BucketPolicy.PolicyDocument.{sid}"
        for bucket in ("Landing", "Sftp", "Archive")
        for sid in ("StackKeyOnly", "NoKeyOfTheUploader")
    }
    expected |= {
        "AuditRule.Targets[0].DeadLetterConfig",
        "AuditRule.Targets[1].DeadLetterConfig",
        "AuditStream.ExtendedS3DestinationConfiguration.BufferingHints",
        "ArchiveDistribution.DistributionConfig",
        "ViewPathsFunction.FunctionCode",
    }
    names = {one.what for one in cloud.left_out}
    assert expected <= names
    assert any(name.startswith("GnupgLayer") for name in names)
    assert all(one.why for one in cloud.left_out)
    assert not any(name.startswith("CallsealLayer") for name in names)


def test_outputs_are_exactly_the_public_ones(cloud: LocalCloud) -> None:
    assert set(cloud.outputs) >= OUTPUTS
    assert cloud.outputs["AuditLogGroupName"] == "/callseal-local/audit"


def test_cloudformation_returns_the_same_outputs(cloud: LocalCloud) -> None:
    (stack,) = cloud.client("cloudformation").describe_stacks(StackName="callseal-local")["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    # The SFTP front's address is not an output of the stack, because it exists on this machine only.
    assert outputs == {name: value for name, value in cloud.outputs.items() if name not in ("SftpHost", "SftpPort")}
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_buckets_are_as_declared(cloud: LocalCloud) -> None:
    s3, landing, sftp = cloud.client("s3"), cloud.outputs["LandingBucketName"], cloud.outputs["SftpBucketName"]
    rules = s3.get_bucket_lifecycle_configuration(Bucket=sftp)["Rules"]
    assert {"Days": 3} in [rule.get("Expiration") for rule in rules]
    assert {"DaysAfterInitiation": 1} in [rule.get("AbortIncompleteMultipartUpload") for rule in rules]
    (rule,) = s3.get_bucket_encryption(Bucket=landing)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert rule["BucketKeyEnabled"] is True
    block = s3.get_public_access_block(Bucket=landing)["PublicAccessBlockConfiguration"]
    assert block == dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    (owner,) = s3.get_bucket_ownership_controls(Bucket=landing)["OwnershipControls"]["Rules"]
    assert owner == {"ObjectOwnership": "BucketOwnerEnforced"}
    assert s3.get_bucket_location(Bucket=landing)["LocationConstraint"] == "eu-north-1"


def test_archive_bucket_takes_locks_and_puts_none(cloud: LocalCloud) -> None:
    s3, bucket = cloud.client("s3"), cloud.outputs["ArchiveBucketName"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    lock = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    assert lock["ObjectLockEnabled"] == "Enabled"
    assert not (lock.get("Rule") or {}).get("DefaultRetention", {}).get("Mode")
    rules = {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}
    backstop = rules["ExpireNoncurrentVersions"]
    assert backstop["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert backstop["Expiration"] == {"ExpiredObjectDeleteMarker": True}


def test_sftp_bucket_expires_by_tag(cloud: LocalCloud) -> None:
    s3, bucket = cloud.client("s3"), cloud.outputs["SftpBucketName"]
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    tags = {rule["Filter"]["Tag"]["Value"]: rule["Expiration"]["Days"] for rule in rules if "Expiration" in rule}
    assert tags == {"files": 3, "requests": 7}


def test_audit_bucket_is_locked(cloud: LocalCloud) -> None:
    bucket, s3 = cloud.outputs["AuditBucketName"], cloud.client("s3")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    lock = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    # No default retention, because AWS does not document that Firehose can write under one. lock_audit locks each
    # object.
    assert (lock["ObjectLockEnabled"], lock.get("Rule")) == ("Enabled", None)
    variables = cloud.functions["LockAuditFunction"].environment
    assert (variables["AUDIT_LOCK_MODE"], variables["AUDIT_RETENTION_DAYS"]) == ("GOVERNANCE", "2557")


def test_queue_is_as_declared(cloud: LocalCloud) -> None:
    sqs, url = cloud.client("sqs"), cloud.outputs["EncryptQueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "4680"
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 5
    assert "LandingBucketNotifies" in attributes["Policy"]


def test_landed_file_is_announced_on_the_queue(cloud: LocalCloud) -> None:
    cloud.client("s3").put_object(Bucket=cloud.outputs["LandingBucketName"], Key="acme/a b.wav", Body=b"x")
    bodies = eventually(lambda: landed(cloud))
    assert bodies[0]["Records"][0]["s3"]["bucket"]["name"] == cloud.outputs["LandingBucketName"]


def landed(cloud: LocalCloud) -> list[dict[str, Any]]:
    answer = cloud.client("sqs").receive_message(QueueUrl=cloud.outputs["EncryptQueueUrl"], MaxNumberOfMessages=10)
    bodies = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
    return [body for body in bodies if "Records" in body]


def test_audit_event_arrives_in_the_log_group(cloud: LocalCloud) -> None:
    def entry(source: str, detail: str) -> dict[str, str]:
        bus = cloud.outputs["AuditBusName"]
        return {"EventBusName": bus, "Source": source, "DetailType": "RecordingDelivered", "Detail": detail}

    entries = [entry("somebody.else", '{"id": "other"}'), entry("callseal", '{"id": "ours"}')]
    assert cloud.client("events").put_events(Entries=entries)["FailedEntryCount"] == 0
    events = cloud.client("logs").filter_log_events(logGroupName=cloud.outputs["AuditLogGroupName"])["events"]
    assert [json.loads(event["message"])["detail"] for event in events] == [{"id": "ours"}]


def test_function_runs_with_its_declared_environment(cloud: LocalCloud) -> None:
    function = cloud.functions["EncryptRecordingFunction"]
    assert function.environment["TENANTS_PREFIX"] == "callseal-local/tenants"
    assert function.environment["SFTP_BUCKET"] == cloud.outputs["SftpBucketName"]
    assert function.environment["ENCRYPT_QUEUE_URL"] == cloud.outputs["EncryptQueueUrl"]
    assert function.timeout == 780
    assert function.log_level is None
    assert function.code == PROJECT / "functions" / "encrypt_recording"
    assert PROJECT / "layers" / "callseal" / "python" in function.layers


def test_template_is_translated_without_a_configured_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert "LandingBucket" in load_template(PROJECT / "template.yaml", "eu-north-1")["Resources"]
