"""The house rules of the translated template: each takes the template, and raises AssertionError if it is broken."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from callseal.tenants.directory import CACHE_TIME, CLOCK_SKEW

Template = dict[str, Any]
Resource = dict[str, Any]

OUTPUTS = {
    "LandingBucketName", "SftpBucketName", "ArchiveBucketName", "AuditBusName", "AuditLogGroupName", "AuditBucketName",
    "EncryptQueueUrl", "EncryptDeadLetterQueueUrl", "SftpEndpoint", "GnupgBuild", "ArchiveUrl", "ArchiveWebBucketName",
    "MaximumComplianceYears", "ShareMailFrom",
}  # fmt: skip
PRIVATE = {"BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True, "RestrictPublicBuckets": True}
ENCRYPT_ON_LANDING = {
    "s3:GetObject", "s3:DeleteObject", "s3:GetObjectTagging", "s3:PutObjectTagging", "s3:ListBucket",
}  # fmt: skip
SWEEP_ON_LANDING = {"s3:ListBucket", "s3:GetObjectTagging", "s3:PutObjectTagging"}
# The kinds of events that the command puts.
OF_THE_COMMAND = [
    "CallsSearched", "CopyRequested", "ErasureRequested", "HoldReleaseAsked", "ShareCancelled", "ShareCreated",
]  # fmt: skip
ANSWERS = ("key-check/*.answer", "notices/*.done")
ERASE_IN_ARCHIVE = {
    "s3:ListBucket", "s3:ListBucketVersions", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention",
    "s3:GetObjectVersion", "s3:GetObjectRetention", "s3:GetObjectLegalHold",
}  # fmt: skip
VIA_S3 = {"StringEquals": {"kms:ViaService": {"Fn::Sub": "s3.${AWS::Region}.amazonaws.com"}}}
ERASE_ON_LANDING = {"s3:ListBucket", "s3:GetObjectTagging", "s3:DeleteObject", "s3:GetObject"}
OF_THE_CARDS = {
    "StringEquals": {
        "kms:ViaService": {"Fn::Sub": "dynamodb.${AWS::Region}.amazonaws.com"},
        "kms:EncryptionContext:aws:dynamodb:tableName": {"Fn::Sub": "${AWS::StackName}-calls"},
    }
}
# Creating a multipart upload and uploading its parts accept no condition; its completion does.
UNCONDITIONAL = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
UNDER_ANOTHER_KEY = {
    "Null": {"s3:x-amz-server-side-encryption": "false"},
    "StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": {"Fn::GetAtt": ["StackKey", "Arn"]}},
}
UNDER_THE_UPLOADERS_KEY = {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}}
# Kept when it is removed from the stack, but deleted when the deployment that created it fails, because the next
# deployment uses the same names.
KEPT = ("RetainExceptOnCreate", "Retain")
TLS_MISSING = {"Bool": {"aws:SecureTransport": "false"}}
STACK_NAME = {"Ref": "AWS::StackName"}
NOTIFIES = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
# https://docs.aws.amazon.com/transfer/latest/userguide/security-policies.html
NEWEST_SECURITY_POLICY = "TransferSecurityPolicy-2025-03"
# What the dashboard searches for: the type, the property with the name, the dimension with that name, the schema of the
# search, and metrics that must be among the results.
SEARCHED = [
    ("AWS::Lambda::Function", "FunctionName", "FunctionName", "AWS/Lambda,FunctionName",
     {"Errors", "Throttles", "Duration", "ConcurrentExecutions"}),
    ("AWS::SQS::Queue", "QueueName", "QueueName", "AWS/SQS,QueueName",
     {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"}),
    ("AWS::DynamoDB::Table", "TableName", "TableName", "AWS/DynamoDB,TableName,Operation", {"ThrottledRequests"}),
    ("AWS::DynamoDB::Table", "TableName", "TableName", "AWS/DynamoDB,TableName", {"ConsumedWriteCapacityUnits"}),
    ("AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName", "DeliveryStreamName",
     "AWS/Firehose,DeliveryStreamName", {"DeliveryToS3.DataFreshness"}),
]  # fmt: skip
RUNBOOK = Path(__file__).resolve().parents[3] / "docs/operations.md"


def of_type(template: Template, kind: str) -> dict[str, Resource]:
    """Return the resources of a type by logical id. Fail if there are none, because a rule would then check nothing."""
    found = {name: each for name, each in template["Resources"].items() if each["Type"] == kind}
    assert found, f"the template has no {kind}"
    return found


def properties(template: Template, name: str) -> Resource:
    found: Resource = template["Resources"][name]["Properties"]
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def referred(value: Any) -> set[str]:
    """Return the resources that a value refers to, by Ref, GetAtt or Sub, at any depth."""
    if isinstance(value, list):
        return set().union(*(referred(each) for each in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    if "Fn::Sub" in value:
        return {part.split("}")[0].split(".")[0] for part in as_list(value["Fn::Sub"])[0].split("${")[1:]}
    if "Ref" in value or "Fn::GetAtt" in value:
        return {as_list(value.get("Ref") or value["Fn::GetAtt"])[0]}
    return referred(list(value.values()))


def bucket_denials(template: Template, bucket: str) -> Iterator[Resource]:
    """Yield the statements that deny every principal an action on a bucket."""
    for policy in of_type(template, "AWS::S3::BucketPolicy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            everybody = (statement["Effect"], statement["Principal"]) == ("Deny", "*")
            if everybody and policy["Properties"]["Bucket"] == {"Ref": bucket}:
                yield statement


def role_statements(template: Template, role: str) -> list[Resource]:
    policies = properties(template, role).get("Policies", [])
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def lifecycle_rules(template: Template, bucket: str) -> list[Resource]:
    rules: list[Resource] = properties(template, bucket)["LifecycleConfiguration"]["Rules"]
    return [rule for rule in rules if rule["Status"] == "Enabled"]


def actions_on(template: Template, role: str, target: str) -> set[str]:
    statements = [each for each in role_statements(template, role) if target in referred(each["Resource"])]
    return {action for statement in statements for action in as_list(statement["Action"])}


def queue_waits_six_timeouts(template: Template) -> None:
    for mapping in of_type(template, "AWS::Lambda::EventSourceMapping").values():
        (queue,) = referred(mapping["Properties"]["EventSourceArn"])
        (function,) = referred(mapping["Properties"]["FunctionName"])
        timeout = properties(template, function)["Timeout"]
        # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
        # A batch first waits for its window.
        window = mapping["Properties"].get("MaximumBatchingWindowInSeconds", 0)
        assert properties(template, queue)["VisibilityTimeout"] >= 6 * timeout + window, queue


def what_could_be_delivered_can_be_rechecked(template: Template) -> None:
    """A recheck may read a file's outputs: it needs as much time as writing them took, and handles only one file."""
    timeouts = [properties(template, f"{name}Function")["Timeout"] for name in ("RecheckDelivery", "EncryptRecording")]
    assert timeouts[0] >= timeouts[1]
    mappings = [each["Properties"] for each in of_type(template, "AWS::Lambda::EventSourceMapping").values()]
    (mine,) = (each for each in mappings if referred(each["EventSourceArn"]) == {"RecheckQueue"})
    assert mine["BatchSize"] == 1


def functions_that_run_again_anyway_are_not_retried(template: Template) -> None:
    """Every scheduled function except check_keys: a change is announced to it once, and its next run is a day away."""
    configured = {
        name: each["Properties"]["MaximumRetryAttempts"]
        for each in of_type(template, "AWS::Lambda::EventInvokeConfig").values()
        for name in referred(each["Properties"]["FunctionName"])
    }
    rules = [each["Properties"] for each in of_type(template, "AWS::Events::Rule").values()]
    scheduled = referred(
        [target["Arn"] for rule in rules if "ScheduleExpression" in rule for target in rule["Targets"]]
    )
    assert scheduled >= {
        "SweepLandingFunction", "WatchFilesFunction", "EraseRecordingsFunction", "ReconcileAuditFunction",
        "CheckKeysFunction",
    }  # fmt: skip
    assert configured == dict.fromkeys(scheduled - {"CheckKeysFunction"}, 0)


def one_policy_lets_services_write_logs_of_this_account(template: Template) -> None:
    (policy,) = of_type(template, "AWS::Logs::ResourcePolicy").values()
    statements = json.loads(policy["Properties"]["PolicyDocument"]["Fn::Sub"])["Statement"]
    own = {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}}
    assert [statement.get("Condition") for statement in statements] == [own] * len(statements)
    assert template["Resources"]["SftpServer"]["DependsOn"] == "LogPolicy"


def rechecks_come_when_no_worker_can_be_left(template: Template) -> None:
    """A worker with cached values of a tenant ends before a recheck searches for its outputs."""
    longest = properties(template, "EncryptRecordingFunction")["Timeout"] + CACHE_TIME.seconds + CLOCK_SKEW.seconds
    assert properties(template, "RecheckQueue")["DelaySeconds"] >= longest


def buckets_are_private(template: Template) -> None:
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        assert bucket["Properties"].get("PublicAccessBlockConfiguration") == PRIVATE, name


def buckets_are_encrypted_with_the_stack_key(template: Template) -> None:
    """Every bucket but that of the archive's page, which is public."""
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        if name == "WebBucket":
            continue
        (rule,) = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        default = rule["ServerSideEncryptionByDefault"]
        assert default["SSEAlgorithm"] == "aws:kms", name
        assert referred(default["KMSMasterKeyID"]) == {"StackKey"}, name
        assert rule["BucketKeyEnabled"] is True, name


def buckets_abort_incomplete_uploads(template: Template) -> None:
    for name in of_type(template, "AWS::S3::Bucket"):
        days = [rule.get("AbortIncompleteMultipartUpload") for rule in lifecycle_rules(template, name)]
        assert {"DaysAfterInitiation": 1} in days, name


def buckets_take_tls_only(template: Template) -> None:
    for name in of_type(template, "AWS::S3::Bucket"):
        denials = [each for each in bucket_denials(template, name) if each["Condition"] == TLS_MISSING]
        covered = [(each["Action"], each["Resource"]) for each in denials]
        whole = [{"Fn::GetAtt": [name, "Arn"]}, {"Fn::Sub": f"${{{name}.Arn}}/*"}]
        assert covered == [("s3:*", whole)], name


def buckets_take_the_stack_key_only(template: Template) -> None:
    """Each request that names another key is denied. tests/template/permissions evaluates the policies."""
    for name in ("LandingBucket", "SftpBucket", "ArchiveBucket"):
        denials = {one["Sid"]: one for one in bucket_denials(template, name)}
        for sid, condition in {
            "StackKeyOnly": UNDER_ANOTHER_KEY,
            "NoKeyOfTheUploader": UNDER_THE_UPLOADERS_KEY,
        }.items():
            covered = [denials[sid][member] for member in ("Action", "Resource", "Condition")]
            assert covered == ["s3:PutObject", {"Fn::Sub": f"${{{name}.Arn}}/*"}, condition], (name, sid)


def data_outlives_the_stack(template: Template) -> None:
    kinds = ("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::Logs::LogGroup")
    for name, resource in [pair for kind in kinds for pair in of_type(template, kind).items()]:
        assert (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")) == KEPT, name


def a_failed_first_deploy_leaves_nothing(template: Template) -> None:
    """Remaining resources would block the next deployment, which uses the same names."""
    for name, resource in template["Resources"].items():
        assert resource.get("DeletionPolicy", "Delete") in ("Delete", KEPT[0]), name
    protection = template["Parameters"]["TableDeletionProtection"]
    assert (protection["Default"], protection["AllowedValues"]) == ("off", ["off", "on"])
    assert template["Conditions"]["TablesAreProtected"] == {"Fn::Equals": [{"Ref": "TableDeletionProtection"}, "on"]}


def landing_never_expires(template: Template) -> None:
    members = {member for rule in lifecycle_rules(template, "LandingBucket") for member in rule}
    assert members <= {"Id", "Status", "AbortIncompleteMultipartUpload"}


def sftp_expires_by_parameter(template: Template) -> None:
    expiring = [rule for rule in lifecycle_rules(template, "SftpBucket") if "ExpirationInDays" in rule]
    days = {(tag["Key"], tag["Value"]): rule["ExpirationInDays"] for rule in expiring for tag in rule["TagFilters"]}
    assert days == {
        ("callseal-expires", "files"): {"Ref": "SftpRetentionDays"},
        ("callseal-expires", "requests"): 7,
    }


def outputs_refuse_unconditional_writes(template: Template) -> None:
    for name in ("SftpBucket", "ArchiveBucket"):
        (denial,) = (each for each in bucket_denials(template, name) if each["Condition"] == UNCONDITIONAL)
        covered = (denial["Action"], denial.get("Resource"), denial.get("NotResource"))
        # SFTP has no conditional writes. Only tenants' answers to challenges and notices are exempt.
        answers = [{"Fn::Sub": f"${{SftpBucket.Arn}}/*/{what}"} for what in ANSWERS]
        everything = {"Fn::Sub": f"${{{name}.Arn}}/*"}
        expected = (None, answers) if name == "SftpBucket" else (everything, None)
        assert covered == ("s3:PutObject", *expected), name


def functions_have_a_role_and_a_log_group(template: Template) -> None:
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        (role,) = referred(function["Properties"]["Role"])
        (group,) = referred(function["Properties"]["LoggingConfig"]["LogGroup"])
        assert role in of_type(template, "AWS::IAM::Role"), name
        assert referred(properties(template, group)["KmsKeyId"]) == {"StackKey"}, name
        assert "RetentionInDays" in properties(template, group), name


def metrics_pass_every_log_level(template: Template) -> None:
    """Lambda filters only in the JSON format, and would drop metrics from WARN on."""
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        logging = function["Properties"]["LoggingConfig"]
        assert (logging["LogFormat"], logging.get("ApplicationLogLevel")) == ("Text", None), name
        assert function["Properties"]["Environment"]["Variables"]["LOG_LEVEL"] == {"Ref": "LogLevel"}, name


def watched(alarm: Resource) -> list[Resource]:
    """Return what an alarm watches: the metrics of its expression, or the alarm itself, with name and dimensions."""
    queries = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
    return queries or [alarm]


def alarms_on(template: Template, resource: str, metric: str) -> list[Resource]:
    """Return the alarms on a metric of a queue or of a function."""
    alarms = [each["Properties"] for each in of_type(template, "AWS::CloudWatch::Alarm").values()]
    return [
        alarm for alarm in alarms
        if any(one["MetricName"] == metric and resource in referred(one["Dimensions"]) for one in watched(alarm))
    ]  # fmt: skip


def dead_letter_queues(template: Template) -> set[str]:
    queues = of_type(template, "AWS::SQS::Queue").values()
    redriven = [each["Properties"].get("RedrivePolicy", {}).get("deadLetterTargetArn") for each in queues]
    rules = of_type(template, "AWS::Events::Rule").values()
    given_up = [target.get("DeadLetterConfig") for rule in rules for target in rule["Properties"]["Targets"]]
    return referred([*redriven, *given_up])


def dead_letters_raise_an_alarm(template: Template) -> None:
    queues = dead_letter_queues(template)
    assert queues >= {"EncryptDeadLetterQueue", "AuditDeadLetterQueue"}
    for queue in queues:
        (alarm,) = alarms_on(template, queue, "ApproximateNumberOfMessagesVisible")
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold"), queue


def an_old_queue_raises_an_alarm(template: Template) -> None:
    for mapping in of_type(template, "AWS::Lambda::EventSourceMapping").values():
        (queue,) = referred(mapping["Properties"]["EventSourceArn"])
        assert alarms_on(template, queue, "ApproximateAgeOfOldestMessage"), queue


def functions_that_break_or_are_refused_raise_an_alarm(template: Template) -> None:
    for name in of_type(template, "AWS::Lambda::Function"):
        for metric in ("Errors", "Throttles"):
            (alarm,) = alarms_on(template, name, metric)
            assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold"), (name, metric)


def sums_of_metrics_add_up_all_of_them(template: Template) -> None:
    """An alarm may have 10 metrics. `+` counts a missing sample as 0, and SUM is not recommended in alarms.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """
    alarms = [each["Properties"] for each in of_type(template, "AWS::CloudWatch::Alarm").values()]
    sums = [alarm["Metrics"] for alarm in alarms if "Metrics" in alarm]
    assert sums
    for total, *added in sums:
        assert total["Expression"] == " + ".join(each["Id"] for each in added)
        assert len(added) <= 10
        assert total["ReturnData"] is True
        assert {(each["MetricStat"]["Stat"], each["MetricStat"]["Period"], each["ReturnData"]) for each in added} == {
            ("Sum", 300, False)
        }


def what_the_functions_measure_raises_an_alarm(template: Template) -> None:
    """Alarms on held, pending, slow and unfetched files, on bad, expiring and guessed keys, and on the audit trail.

    A stored private key, a file held for a day or pending for half an hour, a denied recording, overdue metadata, and
    an unfetched or expired file raise an alarm. A missing run of the sweep, the check, the watch or the erasure raises
    an alarm, too.
    """
    alarms = of_type(template, "AWS::CloudWatch::Alarm").values()
    ours = [each["Properties"] for each in alarms if each["Properties"].get("Namespace") == "Callseal"]
    assert {
        (one["MetricName"], one.get("Statistic") or one["ExtendedStatistic"], one["Threshold"]) for one in ours
    } == {
        ("RecordingsHeld", "Sum", 0),
        ("OldestHeldAge", "Maximum", 24 * 3600),
        ("OldestPendingAge", "Maximum", 30 * 60),
        ("TenantsNewlyStuck", "Maximum", 0),
        ("SecondsToDelivery", "p99", 15 * 60),
        ("HeldFiles", "SampleCount", 1),
        ("KeysRejected", "Sum", 0),
        ("KeysExpiring", "Sum", 0),
        ("KeyProofsRefused", "Sum", 4),
        ("KeysChecked", "SampleCount", 1),
        ("FilesUnfetched", "Sum", 0),
        ("FilesUnfetched", "SampleCount", 1),
        ("FilesExpired", "Sum", 0),
        ("RecordingsDenied", "Sum", 0),
        ("RecordingsErased", "SampleCount", 1),
        ("ErasuresLate", "Maximum", 0),
        ("ErasuresOverdue", "Maximum", 0),
        ("MetadataOverdue", "Maximum", 0),
        ("AuditGapBucket", "Maximum", 0),
        ("AuditGapLog", "Maximum", 0),
        ("AuditObjectsUnlocked", "Sum", 0),
        ("AuditReconcileAge", "Maximum", 3 * 3600),
        ("AccessUnusable", "Sum", 0),
        ("DisposalsStopped", "Sum", 0),
        ("CallsDisposed", "SampleCount", 1),
        ("RetentionFindings", "Sum", 0),
        ("RetentionReconcileAge", "Maximum", 9 * 24 * 3600),
    }
    (unwatched,) = (
        one for one in ours if (one["MetricName"], one.get("Statistic")) == ("FilesUnfetched", "SampleCount")
    )
    assert unwatched["Period"] * unwatched["EvaluationPeriods"] == 3 * 3600
    assert (unwatched["ComparisonOperator"], unwatched["TreatMissingData"]) == ("LessThanThreshold", "breaching")
    by_metric = {one["MetricName"]: one for one in ours}
    unerased = by_metric["RecordingsErased"]
    assert unerased["Period"] * unerased["EvaluationPeriods"] == 3 * 3600
    assert (unerased["ComparisonOperator"], unerased["TreatMissingData"]) == ("LessThanThreshold", "breaching")
    private = {"Name": "Reason", "Value": "KeyIsPrivate"}
    assert private in by_metric["RecordingsHeld"]["Dimensions"]
    # For any reason, and separately for this one.
    rejected = [private in one["Dimensions"] for one in ours if one["MetricName"] == "KeysRejected"]
    assert sorted(rejected) == [False, True]
    unchecked = by_metric["KeysChecked"]
    assert unchecked["Period"] * unchecked["EvaluationPeriods"] == 2 * 24 * 3600
    assert (unchecked["ComparisonOperator"], unchecked["TreatMissingData"]) == ("LessThanThreshold", "breaching")
    uncompared = by_metric["AuditReconcileAge"]
    assert (uncompared["ComparisonOperator"], uncompared["TreatMissingData"]) == ("GreaterThanThreshold", "breaching")
    silent = by_metric["HeldFiles"]
    assert silent["Period"] * silent["EvaluationPeriods"] == 15 * 60
    assert (silent["ComparisonOperator"], silent["TreatMissingData"]) == ("LessThanThreshold", "breaching")


def alarms_notify_and_name_a_section_of_the_runbook(template: Template) -> None:
    headings = set(re.findall(r"^##+ (.*)$", RUNBOOK.read_text(), re.MULTILINE))
    table = set(re.findall(r"`\.\.\.(-[a-z-]+)`", RUNBOOK.read_text()))
    alarms = {name: each["Properties"] for name, each in of_type(template, "AWS::CloudWatch::Alarm").items()}
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == NOTIFIES, name
        (section,) = re.findall(r'; see docs/operations\.md, "(.*)"\.$', alarm["AlarmDescription"])
        assert section in headings, f"{name}: docs/operations.md has no section {section}"
    assert {alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}") for alarm in alarms.values()} == table


def alarms_are_named_as_their_resource_and_their_function(template: Template) -> None:
    """An alarm on one function, or on a queue that feeds it, begins with the function's name."""
    names = {
        name: each["Properties"]["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for name, each in of_type(template, "AWS::CloudWatch::Alarm").items()
    }
    for name, alarm in names.items():
        assert name == f"{alarm.title().replace('-', '')}Alarm"
        functions = {
            function
            for one in watched(properties(template, name))
            for resource in referred(one["Dimensions"])
            for function in _served_by(template).get(resource, ())
        }
        if len(functions) == 1:
            (function,) = functions
            own = properties(template, function)["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
            assert alarm.startswith(f"{own}-"), f"{name} is about {function}"


def _served_by(template: Template) -> dict[str, set[str]]:
    """Map each function, each queue that feeds it and that queue's dead-letter queue to the function."""
    served = {name: {name} for name in of_type(template, "AWS::Lambda::Function")}
    rules = of_type(template, "AWS::Events::Rule").values()
    shared = referred([target.get("DeadLetterConfig") for rule in rules for target in rule["Properties"]["Targets"]])
    for mapping in of_type(template, "AWS::Lambda::EventSourceMapping").values():
        (queue,) = referred(mapping["Properties"]["EventSourceArn"])
        dead_letters = referred(properties(template, queue)["RedrivePolicy"]) - shared
        for name in {queue} | dead_letters:
            served[name] = referred(mapping["Properties"]["FunctionName"])
    return served


def alarms_watch_metrics_that_are_emitted(template: Template) -> None:
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        for one in watched(alarm["Properties"]):
            dimensions = {each["Name"]: each["Value"] for each in one["Dimensions"]}
            _is_emitted(name, one["Namespace"], one["MetricName"], dimensions, STACK_NAME)


def the_dashboard_shows_metrics_that_are_emitted(template: Template) -> None:
    shown = set()
    for widget in _widgets(template):
        for names in _metric_rows(widget):
            dimensions = dict(zip(names[2::2], names[3::2], strict=True))
            _is_emitted("Dashboard", names[0], names[1], dimensions, "${AWS::StackName}")
            shown.add(names[1])
    assert shown >= set(_metrics().UNITS)


def the_dashboard_finds_every_function_table_queue_and_stream(template: Template) -> None:
    """By a search for the stack's name, with which the names begin, in the dimension with the name."""
    expressions = [
        row[0]["expression"]
        for widget in _widgets(template)
        for row in widget["properties"].get("metrics", [])
        if isinstance(row[0], dict)
    ]
    for kind, named, dimension, schema, metrics in SEARCHED:
        for name in of_type(template, kind):
            assert properties(template, name)[named]["Fn::Sub"].startswith("${AWS::StackName}-"), name
        found = [each for each in expressions if each.startswith(f"SEARCH('{{{schema}}} ")]
        assert all(f" {dimension}=${{AWS::StackName}}'" in each for each in found), dimension
        assert metrics <= set(re.findall(r'MetricName="([A-Za-z0-9.]+)"', " ".join(found))), schema


def the_dashboard_shows_every_alarm(template: Template) -> None:
    (shown,) = (set(widget["properties"]["alarms"]) for widget in _widgets(template) if widget["type"] == "alarm")
    assert shown == {f"${{{name}.Arn}}" for name in of_type(template, "AWS::CloudWatch::Alarm")}


def _metric_rows(widget: Resource) -> Iterator[list[str]]:
    """Yield the metrics of a widget, each with a namespace, a name and dimensions; "." repeats the previous row.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """
    before: list[str] = []
    for row in widget["properties"].get("metrics", []):
        if names := [each for each in row if isinstance(each, str)]:
            before = [before[place] if each == "." else each for place, each in enumerate(names)]
            yield before


def _widgets(template: Template) -> list[Resource]:
    body: list[Resource] = json.loads(properties(template, "Dashboard")["DashboardBody"]["Fn::Sub"])["widgets"]
    return body


def _is_emitted(where: str, namespace: str, metric: str, dimensions: Resource, stack: Any) -> None:
    """Our metrics must be emitted by the code, with the same dimensions. AWS's own metrics are not checked."""
    if namespace.startswith("AWS/"):
        return
    from callseal.core.errors import Reason

    metrics = _metrics()
    assert (namespace, dimensions["Stack"]) == (metrics.NAMESPACE, stack), where
    assert metric in metrics.UNITS, f"{where}: no code emits {metric}"
    if "Reason" in dimensions:
        assert metric in ("RecordingsHeld", "KeysRejected"), where
        assert dimensions["Reason"] in list(Reason), where
    assert set(dimensions) <= {"Stack", "Reason"}, where


def _metrics() -> Any:
    from callseal.core import metrics

    return metrics


def outputs_are_the_public_ones(template: Template) -> None:
    assert set(template["Outputs"]) == OUTPUTS
    assert template["Outputs"]["SftpEndpoint"]["Condition"] == "HasSftpServer"
    assert template["Outputs"]["ArchiveWebBucketName"]["Condition"] == "HasArchiveFront"


def the_sftp_server_takes_keys_alone_and_asks_the_function(template: Template) -> None:
    (name,) = of_type(template, "AWS::Transfer::Server")
    server, declared = template["Resources"][name], properties(template, name)
    assert server["Condition"] == "HasSftpServer"
    assert template["Conditions"]["HasSftpServer"] == {"Fn::Equals": [{"Ref": "SftpFront"}, "transfer"]}
    assert declared["Protocols"] == ["SFTP"]
    identity = declared["IdentityProviderDetails"]
    assert (declared["IdentityProviderType"], identity["SftpAuthenticationMethods"]) == ("AWS_LAMBDA", "PUBLIC_KEY")
    assert referred(identity["Function"]) == {"AuthenticateSftpFunction"}
    assert declared["SecurityPolicyName"] == NEWEST_SECURITY_POLICY
    assert "HostKey" not in declared, "the service keeps the host key"
    assert "WorkflowDetails" not in declared
    assert referred(declared["StructuredLogDestinations"]) == {"SftpLogGroup"}


def only_the_sftp_server_may_ask_about_logins(template: Template) -> None:
    permissions = [each["Properties"] for each in of_type(template, "AWS::Lambda::Permission").values()]
    asking = [each for each in permissions if referred(each["FunctionName"]) == {"AuthenticateSftpFunction"}]
    assert [(each["Principal"], referred(each["SourceArn"])) for each in asking] == [
        ("transfer.amazonaws.com", {"SftpServer"})
    ]


def sftp_sessions_reach_one_bucket(template: Template) -> None:
    """The session policy limits access to one folder. The role itself can only reach this bucket and its key."""
    statements = role_statements(template, "SftpSessionRole")
    assert set().union(*(referred(each["Resource"]) for each in statements)) == {"SftpBucket", "StackKey"}
    writing = [each["Resource"] for each in statements if "s3:PutObject" in as_list(each["Action"])]
    assert writing == [[{"Fn::Sub": f"${{SftpBucket.Arn}}/*/{what}"} for what in ANSWERS]]
    (trust,) = properties(template, "SftpSessionRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "transfer.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def what_the_sftp_server_logs_reaches_the_audit(template: Template) -> None:
    """Only the server knows which logins succeeded."""
    (subscription,) = (each["Properties"] for each in of_type(template, "AWS::Logs::SubscriptionFilter").values())
    assert referred(subscription["LogGroupName"]) == {"SftpLogGroup"}
    assert referred(subscription["DestinationArn"]) == {"AuditSftpFunction"}
    wanted = set(re.findall(r'\(\$\.activity-type = "([A-Z_]+)"\)', subscription["FilterPattern"]))
    assert wanted == {"CONNECTED", "AUTH_FAILURE", "ERROR", "CONNECTION_REJECTED"}


def the_sftp_server_accepts_a_change_of_times(template: Template) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-transfer-server-protocoldetails.html"""
    (server,) = of_type(template, "AWS::Transfer::Server").values()
    assert server["Properties"]["ProtocolDetails"] == {"SetStatOption": "ENABLE_NO_OP"}


def the_function_that_faces_the_internet_puts_no_event(template: Template) -> None:
    """PutEvents has a quota that sealing needs, and anyone can attempt any number of logins."""
    statements = role_statements(template, "AuthenticateSftpRole")
    assert "events:PutEvents" not in {action for each in statements for action in as_list(each["Action"])}
    assert referred(properties(template, "AuditSftpFunction")["DeadLetterConfig"]) == {"AuditDeadLetterQueue"}


def every_policy_statement_has_a_sid_of_its_own(template: Template) -> None:
    """Tests and findings name a statement by its Sid."""
    for name, resource in template["Resources"].items():
        for statements in _policies(resource.get("Properties", {})):
            sids = [statement.get("Sid", "") for statement in statements]
            assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids), name
            assert len(set(sids)) == len(sids), name


def _policies(value: Any) -> Iterator[list[Resource]]:
    """Yield the statements of each policy document in a value, at any depth."""
    if isinstance(value, str) and value.startswith('{"Version"'):
        value = json.loads(value)
    if isinstance(value, list):
        for each in value:
            yield from _policies(each)
    elif isinstance(value, dict) and "Statement" in value:
        yield as_list(value["Statement"])
    elif isinstance(value, dict):
        yield from _policies(list(value.values()))


def roles_name_what_they_may(template: Template) -> None:
    """No wildcard action, no wildcard resource, no managed policy. A `*` inside an ARN is allowed."""
    for role in of_type(template, "AWS::IAM::Role"):
        assert "ManagedPolicyArns" not in properties(template, role), role
        for statement in role_statements(template, role):
            assert statement["Effect"] == "Allow", role
            assert not {"NotAction", "NotResource"} & set(statement), role
            assert not [action for action in as_list(statement["Action"]) if "*" in action], role
            # Secrets Manager has no resource for listing. It returns all names, and no value.
            if statement["Action"] != "secretsmanager:ListSecrets":
                assert "*" not in as_list(statement["Resource"]), role


def the_audit_bus_takes_events_of_the_functions_alone(template: Template) -> None:
    """Each role that puts events names its types. The bus's policy denies others all but the command's types."""
    putting = set()
    for role in of_type(template, "AWS::IAM::Role"):
        for statement in role_statements(template, role):
            if "events:PutEvents" in as_list(statement["Action"]):
                assert referred(statement["Resource"]) == {"AuditBus"}, role
                ((operator, allowed),) = statement["Condition"].items()
                assert (operator, allowed["events:source"]) == ("StringEquals", "callseal"), role
                assert as_list(allowed["events:detail-type"]), role
                putting.add(role)
    (policy,) = (each["Properties"] for each in of_type(template, "AWS::Events::EventBusPolicy").values())
    denial = policy["Statement"]
    assert referred(policy["EventBusName"]) == referred(denial["Resource"]) == {"AuditBus"}
    assert (denial["Effect"], denial["Principal"], denial["Action"]) == ("Deny", "*", "events:PutEvents")
    assert set(denial["Condition"]) == {"ArnNotEquals", "StringNotEquals"}
    assert denial["Condition"]["StringNotEquals"] == {"events:detail-type": OF_THE_COMMAND}
    assert referred(denial["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]) == putting


def encrypt_may_do_no_more_on_landing(template: Template) -> None:
    assert actions_on(template, "EncryptRecordingRole", "LandingBucket") == ENCRYPT_ON_LANDING


def sweep_reads_no_recording(template: Template) -> None:
    """The role cannot read landed files. It may HEAD outputs, and has no permission for the key that decrypts them."""
    assert actions_on(template, "SweepLandingRole", "LandingBucket") == SWEEP_ON_LANDING
    for output in ("SftpBucket", "ArchiveBucket"):
        assert actions_on(template, "SweepLandingRole", output) <= {"s3:ListBucket", "s3:GetObject"}, output
    assert _opening(template, "SweepLandingRole") == []


def erasure_deletes_and_reads_no_recording(template: Template) -> None:
    """A delete under a condition needs s3:GetObject. The role may not use the key that decrypts recordings."""
    role = "EraseRecordingsRole"
    assert actions_on(template, role, "LandingBucket") == ERASE_ON_LANDING
    assert actions_on(template, role, "SftpBucket") == {
        "s3:ListBucket",
        "s3:DeleteObject",
        "s3:PutObject",
        "s3:PutObjectTagging",
    }
    assert actions_on(template, role, "ArchiveBucket") == ERASE_IN_ARCHIVE
    of_s3 = [one for one in _opening(template, role) if one["Condition"] == VIA_S3]
    assert [one["Action"] for one in of_s3] == ["kms:GenerateDataKey"]
    of_tables = [one["Condition"]["StringEquals"] for one in _opening(template, role) if one not in of_s3]
    assert all("kms:EncryptionContext:aws:dynamodb:tableName" in condition for condition in of_tables)


def who_governs_reads_no_recording(template: Template) -> None:
    """The role may see versions and locks in the archive. The key opens it tables, and certificates of erasures."""
    role = "GovernCallsRole"
    assert actions_on(template, role, "LandingBucket") == actions_on(template, role, "SftpBucket") == {"s3:ListBucket"}
    assert actions_on(template, role, "ArchiveBucket") == {
        "s3:ListBucket", "s3:ListBucketVersions", "s3:GetObjectVersion",
        "s3:GetObjectRetention", "s3:GetObjectLegalHold",
    }  # fmt: skip
    assert actions_on(template, role, "AuditBucket") == {"s3:GetObject", "s3:ListBucket"}
    of_s3 = [
        one["Condition"]
        for one in _opening(template, role)
        if VIA_S3["StringEquals"] == one["Condition"]["StringEquals"]
    ]
    (certificates,) = of_s3
    assert referred(certificates["StringLike"]) == {"AuditBucket"}


def only_the_erasure_passes_a_lock_and_signs(template: Template) -> None:
    """A lock in mode GOVERNANCE is worth as much as the roles that may pass it."""
    may: dict[str, set[str]] = {"s3:BypassGovernanceRetention": set(), "kms:Sign": set()}
    for role in of_type(template, "AWS::IAM::Role"):
        for statement in role_statements(template, role):
            for action in {*may} & {*as_list(statement["Action"])}:
                may[action].add(role)
                assert action != "kms:Sign" or statement["Condition"] == {"StringEquals": {"kms:MessageType": "DIGEST"}}
    assert set(map(frozenset, may.values())) == {frozenset({"EraseRecordingsRole"})}


def rechecks_change_nothing_and_read_no_recording(template: Template) -> None:
    """The role may only HEAD landed files: its permission for the stack's key is for the outputs' bytes."""
    for bucket in ("LandingBucket", "SftpBucket", "ArchiveBucket"):
        assert actions_on(template, "RecheckDeliveryRole", bucket) == {"s3:ListBucket", "s3:GetObject"}, bucket
    assert actions_on(template, "RecheckDeliveryRole", "StackKey") == {"kms:Decrypt"}
    (opening,) = _opening(template, "RecheckDeliveryRole")
    assert referred(opening["Condition"].get("StringLike", {})) == {"SftpBucket", "ArchiveBucket"}


def _opening(template: Template, role: str) -> list[Resource]:
    """Return the statements that let a role use the stack's key for anything but the cards of calls."""
    statements = [one for one in role_statements(template, role) if "StackKey" in referred(one["Resource"])]
    return [one for one in statements if one.get("Condition") != OF_THE_CARDS]


def keys_are_proven_in_their_own_folder_alone(template: Template) -> None:
    """Challenges are written and answers are read in key-check folders. No other function deletes in the bucket."""
    on_sftp = {
        role: {
            (action, json.dumps(statement["Resource"]))
            for statement in role_statements(template, role)
            if "SftpBucket" in referred(statement["Resource"])
            for action in as_list(statement["Action"])
        }
        for role in of_type(template, "AWS::IAM::Role")
    }
    challenges, answers = (
        json.dumps({"Fn::Sub": f"${{SftpBucket.Arn}}/*/key-check/{what}"}) for what in ("*.txt.*", "*.answer")
    )
    writing = ("s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObject")
    assert on_sftp["CheckKeysRole"] == {(action, challenges) for action in writing}
    reading = {("s3:GetObject", answers), ("s3:DeleteObject", answers)}
    assert {one for one in on_sftp["ProveKeysRole"] if one[0] != "s3:ListBucket"} == reading
    assert {role for role, may in on_sftp.items() if "s3:DeleteObject" in {action for action, _ in may}} == {
        "CheckKeysRole",
        "ProveKeysRole",
        # Copies of calls that are due.
        "DisposeRecordingsRole",
        # On request, by two people.
        "EraseRecordingsRole",
        # A tenant's own session, if its settings allow it.
        "SftpSessionRole",
    }


def tables_are_encrypted_and_the_registers_can_be_brought_back(template: Template) -> None:
    """What may name callers is under the stack's key, all else under AWS's own."""
    own = {"SSEEnabled": True, "SSEType": "KMS"}
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        names_people = name in ("CallsTable", "RetentionTable") or name.startswith("Archive")
        key = {"KMSMasterKeyId": {"Fn::GetAtt": ["StackKey", "Arn"]}} if names_people else {}
        assert table["Properties"]["SSESpecification"] == own | key, name
    for name in ("KeyRegister", "FileRegister", "CallsTable", "ArchiveUsers", "ArchiveTrail", "ArchiveShares"):
        register = template["Resources"][name]
        assert (register["DeletionPolicy"], register["UpdateReplacePolicy"]) == KEPT, name
        assert register["Properties"]["DeletionProtectionEnabled"] == {"Fn::If": ["TablesAreProtected", True, False]}, (
            name
        )
        assert register["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name


def delivered_files_are_watched_as_long_as_the_bucket_keeps_them(template: Template) -> None:
    """One number sets when S3 removes a file and when its tenant is informed.

    The register keeps the file for longer, and the index for a shorter time.
    """
    variables = properties(template, "TrackFilesFunction")["Environment"]["Variables"]
    assert variables["SFTP_RETENTION_DAYS"] == {"Ref": "SftpRetentionDays"}
    register = properties(template, "FileRegister")
    assert register["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    (index,) = register["GlobalSecondaryIndexes"]
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["shard", "due"]
    (rule,) = (
        each["Properties"]
        for each in of_type(template, "AWS::Events::Rule").values()
        if "FileRegisterQueue" in referred([target["Arn"] for target in each["Properties"]["Targets"]])
    )
    assert set(rule["EventPattern"]["detail-type"]) == {"RecordingDelivered", "FileFetched"}


def calls_are_hashed_with_a_key_that_never_leaves_kms(template: Template) -> None:
    key = template["Resources"]["CallIndexKey"]
    assert (key["Properties"]["KeySpec"], key["Properties"]["KeyUsage"]) == ("HMAC_256", "GENERATE_VERIFY_MAC")
    assert not actions_on(template, "IndexCallsRole", "CallIndexKey"), "it needs no hashes"
    assert actions_on(template, "IndexCallsRole", "StackKey") == {"kms:Decrypt"}
    (opening,) = (
        each for each in role_statements(template, "IndexCallsRole") if "StackKey" in referred(each["Resource"])
    )
    assert opening["Condition"]["StringEquals"]["kms:EncryptionContext:aws:dynamodb:tableName"]


def calls_are_found_by_keys_alone(template: Template) -> None:
    """An index that held more would be written with each change of a card, and hold a second copy of it."""
    indexes = properties(template, "CallsTable")["GlobalSecondaryIndexes"]
    assert {index["IndexName"] for index in indexes} == {"started", "session", "party", "agent", "queue", "due"}
    assert all(index["Projection"] == {"ProjectionType": "KEYS_ONLY"} for index in indexes)


def audit_is_locked_by_parameter(template: Template) -> None:
    """The functions lock each object: AWS does not document that a default retention accepts Firehose's writes."""
    assert properties(template, "AuditBucket")["ObjectLockEnabled"] is True
    assert properties(template, "AuditBucket")["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled"}
    for function in ("LockAuditFunction", "ReconcileAuditFunction"):
        variables = properties(template, function)["Environment"]["Variables"]
        assert variables["AUDIT_BUCKET"] == {"Ref": "AuditBucket"}, function
        lock = variables["AUDIT_LOCK_MODE"], variables["AUDIT_RETENTION_DAYS"]
        assert lock == ({"Ref": "AuditLockMode"}, {"Ref": "AuditRetentionDays"}), function


def archive_is_locked_without_a_default_retention(template: Template) -> None:
    """Each output has the retention of its own class. Versions that are hidden by a marker do not stay without one."""
    archive = properties(template, "ArchiveBucket")
    assert archive["VersioningConfiguration"] == {"Status": "Enabled"}
    assert archive["ObjectLockEnabled"] is True
    assert archive["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled"}
    (backstop,) = (
        rule for rule in lifecycle_rules(template, "ArchiveBucket") if rule["Id"] == "ExpireNoncurrentVersions"
    )
    assert backstop["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert backstop["ExpiredObjectDeleteMarker"] is True
    assert not {"ExpirationInDays", "Prefix", "TagFilters"} & set(backstop), "nothing that is current expires"


def compliance_is_bounded_in_days(template: Template) -> None:
    """Each number of years has as many days as its years can have, and the day that an end is rounded up by."""
    years = template["Parameters"]["MaximumComplianceYears"]["AllowedValues"]
    assert years == list(range(1, 31))
    days = {int(count): int(row["Days"]) for count, row in template["Mappings"]["ComplianceYears"].items()}
    first = range(2001, 2029)
    assert days == {n: max((datetime(y + n, 1, 1) - datetime(y, 1, 1)).days for y in first) + 1 for n in years}  # noqa: DTZ001
    (denial,) = (each for each in bucket_denials(template, "ArchiveBucket") if each["Sid"] == "ComplianceIsBounded")
    assert denial["Action"] == "s3:PutObjectRetention"
    assert denial["Resource"] == {"Fn::Sub": "${ArchiveBucket.Arn}/*"}
    of_parameter = {"Fn::FindInMap": ["ComplianceYears", {"Ref": "MaximumComplianceYears"}, "Days"]}
    assert denial["Condition"] == {
        "StringEquals": {"s3:object-lock-mode": "COMPLIANCE"},
        "NumericGreaterThan": {"s3:object-lock-remaining-retention-days": of_parameter},
    }


def every_object_of_the_audit_bucket_is_announced(template: Template) -> None:
    (notification,) = properties(template, "AuditBucket")["NotificationConfiguration"]["QueueConfigurations"]
    assert notification == {"Event": "s3:ObjectCreated:*", "Queue": {"Fn::GetAtt": ["AuditLockQueue", "Arn"]}}
    (mapping,) = (
        each["Properties"] for each in of_type(template, "AWS::Lambda::EventSourceMapping").values()
        if "AuditLockQueue" in referred(each["Properties"]["EventSourceArn"])
    )  # fmt: skip
    assert referred(mapping["FunctionName"]) == {"LockAuditFunction"}


def the_audit_stream_cannot_fail_in_silence(template: Template) -> None:
    """The stream has alarms and an error log. Its prefix and format are those that the comparison reads."""
    from callseal.trail.objects import prefixes

    alarms = [each["Properties"] for each in of_type(template, "AWS::CloudWatch::Alarm").values()]
    on_the_stream = {
        (one["MetricName"], one["Statistic"], one["ComparisonOperator"], one["Threshold"])
        for one in alarms if "AuditStream" in referred(one.get("Dimensions"))
    }  # fmt: skip
    assert on_the_stream == {
        ("DeliveryToS3.DataFreshness", "Maximum", "GreaterThanThreshold", 15 * 60),
        ("DeliveryToS3.Success", "Average", "LessThanThreshold", 1),
        ("ThrottledRecords", "Sum", "GreaterThanThreshold", 0),
    }
    destination = properties(template, "AuditStream")["ExtendedS3DestinationConfiguration"]
    assert destination["CloudWatchLoggingOptions"]["Enabled"] is True
    assert referred(destination["CloudWatchLoggingOptions"]["LogGroupName"]) == {"AuditStreamLogGroup"}
    assert "logs:PutLogEvents" in actions_on(template, "AuditStreamRole", "AuditStreamLogGroup")
    (prefix,) = prefixes(datetime(2026, 11, 29, 5, tzinfo=UTC), datetime(2026, 11, 29, 5, tzinfo=UTC))
    dated = destination["Prefix"].replace("!{timestamp:yyyy/MM/dd/HH}", "2026/11/29/05")
    assert (dated, destination["CompressionFormat"]) == (prefix, "GZIP")


def a_comparison_ends_before_the_next_begins(template: Template) -> None:
    from callseal.trail.reconcile_audit import RUN_TIME

    timeout = properties(template, "ReconcileAuditFunction")["Timeout"]
    assert RUN_TIME.total_seconds() + 240 <= timeout <= 30 * 60


def a_disposal_has_ended_when_the_next_one_takes_over(template: Template) -> None:
    from callseal.retention.disposal_table import LEASE
    from callseal.retention.dispose_recordings import FOLLOW_TIME, RUN_TIME

    timeout = properties(template, "DisposeRecordingsFunction")["Timeout"]
    assert (FOLLOW_TIME + RUN_TIME).total_seconds() + 240 <= timeout == LEASE.total_seconds()


def a_comparison_of_the_archive_ends_in_time(template: Template) -> None:
    from callseal.retention.reconcile_archive import RUN_TIME

    assert RUN_TIME.total_seconds() + 180 <= properties(template, "ReconcileArchiveFunction")["Timeout"]


def the_front_caches_nothing_of_the_api(template: Template) -> None:
    """The cache key has no cookie, so a cached answer would be given to other users."""
    config = properties(template, "ArchiveDistribution")["DistributionConfig"]
    (api,) = (each["Id"] for each in config["Origins"] if "CustomOriginConfig" in each)
    behaviours = [each for each in config["CacheBehaviors"] if each["TargetOriginId"] == api]
    assert [each["PathPattern"] for each in behaviours] == [
        "/auth/*", "/api/*", "/s/*/code", "/s/*/open", "/s/*/audio",
    ]  # fmt: skip
    for behaviour in behaviours:
        assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", behaviour["PathPattern"]
        assert behaviour["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac", behaviour["PathPattern"]
    errors = {each["ErrorCode"]: each["ErrorCachingMinTTL"] for each in config["CustomErrorResponses"]}
    # Each code that CloudFront caches; 416 it does not.
    assert errors == dict.fromkeys((400, 403, 404, 405, 414, 500, 501, 502, 503, 504), 0)


def every_answer_of_the_front_has_the_security_headers(template: Template) -> None:
    config = properties(template, "ArchiveDistribution")["DistributionConfig"]
    for behaviour in [*config["CacheBehaviors"], config["DefaultCacheBehavior"]]:
        assert behaviour["ResponseHeadersPolicyId"] == {"Ref": "ArchiveHeaders"}, behaviour
        assert behaviour["ViewerProtocolPolicy"] in ("https-only", "redirect-to-https"), behaviour
    policy = properties(template, "ArchiveHeaders")["ResponseHeadersPolicyConfig"]
    assert "CorsConfig" not in policy
    csp = policy["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    assert csp.startswith("default-src 'none'; ")
    assert not {"unsafe-inline", "unsafe-eval", "data:", "*"} & set(re.split(r"[ ;']+", csp))


def the_api_logs_neither_ids_nor_numbers(template: Template) -> None:
    (stage,) = of_type(template, "AWS::ApiGatewayV2::Stage").values()
    logged = set(json.loads(stage["Properties"]["AccessLogSettings"]["Format"]).values())
    assert logged == {
        "$context.requestTime", "$context.requestId", "$context.routeKey", "$context.status",
        "$context.responseLatency", "$context.responseLength", "$context.integrationErrorMessage",
    }  # fmt: skip
    assert referred(stage["Properties"]["AccessLogSettings"]["DestinationArn"]) == {"ArchiveApiLogGroup"}


def the_page_alone_is_readable_by_the_front(template: Template) -> None:
    allowed = [
        (name, each)
        for name, policy in of_type(template, "AWS::S3::BucketPolicy").items()
        for each in policy["Properties"]["PolicyDocument"]["Statement"]
        if each["Effect"] == "Allow"
    ]
    for name, statement in allowed:
        assert (name, statement["Principal"]) == ("WebBucketPolicy", {"Service": "cloudfront.amazonaws.com"})
        assert statement["Action"] in ("s3:GetObject", "s3:ListBucket")
        assert referred(statement["Condition"]["StringEquals"]["aws:SourceArn"]) >= {"ArchiveDistribution"}
    assert len(allowed) == 2
