"""template.yaml: valid for SAM, clean for cfn-lint as written and as translated, and within the house rules.

For each house rule, a template that breaks it must make the rule fail.
"""

from __future__ import annotations

import copy
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import house_rules as rules
import pytest
import yaml
from rie import ROOT
from samtranslator.yaml_helper import yaml_parse

Rule = Callable[[rules.Template], None]
EVERY_RULE: list[Rule] = [
    rule
    for name, rule in vars(rules).items()
    if inspect.isfunction(rule) and rule.__annotations__["return"] == "None" and not name.startswith("_")
]


def statements(role: str) -> list[Any]:
    """Return the path to the statements of a role's only policy."""
    return ["Resources", role, "Properties", "Policies", 0, "PolicyDocument", "Statement"]


BUCKET = ["Resources", "LandingBucket", "Properties"]
LANDING_RULES = [*BUCKET, "LifecycleConfiguration", "Rules"]
SFTP_POLICY = ["Resources", "SftpBucketPolicy", "Properties", "PolicyDocument", "Statement"]
ARCHIVE_POLICY = ["Resources", "ArchiveBucketPolicy", *SFTP_POLICY[2:]]
ENCRYPT = ["Resources", "EncryptRecordingFunction", "Properties"]
ENCRYPT_ROLE = statements("EncryptRecordingRole")
RECHECKS = ["Resources", "RecheckQueue", "Properties"]
RECHECK_ROLE = statements("RecheckDeliveryRole")
SWEEP_ROLE = statements("SweepLandingRole")
BUS_POLICY = ["Resources", "AuditBusPolicy", "Properties", "Statement"]
SERVER = ["Resources", "SftpServer", "Properties"]
SESSION_ROLE = statements("SftpSessionRole")
CHECK_ROLE = statements("CheckKeysRole")
ENCRYPTION: list[Any] = [*BUCKET, "BucketEncryption", "ServerSideEncryptionConfiguration", 0]
OTHER_KEY = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "other"}
LOG_GROUP = ["Resources", "SweepLandingLogGroup", "Properties"]
EXPIRED = {"Id": "Old", "Status": "Enabled", "ExpirationInDays": 365}
AUDIT_STREAM = ["Resources", "AuditStream", "Properties", "ExtendedS3DestinationConfiguration"]
DASHBOARD = ["Resources", "Dashboard", "Properties", "DashboardBody", "Fn::Sub"]
FRONT = ["Resources", "ArchiveDistribution", "Properties", "DistributionConfig"]
HEADERS = ["Resources", "ArchiveHeaders", "Properties", "ResponseHeadersPolicyConfig", "SecurityHeadersConfig"]
STACK_DIMENSION = {"Name": "Stack", "Value": {"Ref": "AWS::StackName"}}


def alarm(name: str) -> list[str]:
    return ["Resources", f"{name}Alarm", "Properties"]


def widgets(kind: str, namespace: str, metric: str) -> str:
    row = [namespace, metric, "Stack", "${AWS::StackName}"]
    return json.dumps({"widgets": [{"type": kind, "properties": {"metrics": [row]}}]})


BROKEN: list[tuple[Rule, list[Any], Any]] = [
    (rules.queue_waits_six_timeouts, [*ENCRYPT, "Timeout"], 781),
    (rules.queue_waits_six_timeouts, ["Resources", "FileRegisterQueue", "Properties", "VisibilityTimeout"], 360),
    (rules.what_could_be_delivered_can_be_rechecked,
     ["Resources", "RecheckDeliveryFunction", "Properties", "Timeout"], 779),
    (rules.what_could_be_delivered_can_be_rechecked,
     ["Resources", "RecheckDeliveryFunctionRechecks", "Properties", "BatchSize"], 2),
    (rules.functions_that_run_again_anyway_are_not_retried,
     ["Resources", "WatchFilesRetries", "Properties", "MaximumRetryAttempts"], 1),
    (rules.functions_that_run_again_anyway_are_not_retried, ["Resources", "ReconcileAuditRetries", "Properties"],
     {"FunctionName": {"Ref": "LockAuditFunction"}, "MaximumRetryAttempts": 0}),
    (rules.one_policy_lets_services_write_logs_of_this_account,
     ["Resources", "LogPolicy", "Properties", "PolicyDocument", "Fn::Sub"], '{"Statement": [{"Effect": "Allow"}]}'),
    (rules.one_policy_lets_services_write_logs_of_this_account, ["Resources", "Another"],
     {"Type": "AWS::Logs::ResourcePolicy"}),
    (rules.rechecks_come_when_no_worker_can_be_left, [*ENCRYPT, "Timeout"], 811),
    (rules.rechecks_come_when_no_worker_can_be_left, [*RECHECKS, "DelaySeconds"], 869),
    (rules.buckets_are_private, [*BUCKET, "PublicAccessBlockConfiguration", "BlockPublicPolicy"], False),
    (rules.buckets_are_encrypted_with_the_stack_key, [*ENCRYPTION, "BucketKeyEnabled"], False),
    (rules.buckets_are_encrypted_with_the_stack_key, [*ENCRYPTION, "ServerSideEncryptionByDefault"], OTHER_KEY),
    (rules.buckets_abort_incomplete_uploads, [*LANDING_RULES, "AbortIncompleteMultipartUploads", "Status"], "Disabled"),
    (rules.buckets_take_tls_only, [*SFTP_POLICY, "TlsOnly", "Resource"], {"Fn::Sub": "${SftpBucket.Arn}/*"}),
    (rules.buckets_take_tls_only, [*SFTP_POLICY, "TlsOnly", "Effect"], "Allow"),
    (rules.buckets_take_the_stack_key_only, [*SFTP_POLICY, "StackKeyOnly", "Condition"], {}),
    (rules.buckets_take_the_stack_key_only, [*SFTP_POLICY, "NoKeyOfTheUploader", "Principal"], {"AWS": "nobody"}),
    (rules.data_outlives_the_stack, ["Resources", "LandingBucket", "DeletionPolicy"], "Delete"),
    (rules.data_outlives_the_stack, ["Resources", "SftpLogGroup", "UpdateReplacePolicy"], "Delete"),
    (rules.a_failed_first_deploy_leaves_nothing, ["Resources", "KeyRegister", "DeletionPolicy"], "Retain"),
    (rules.a_failed_first_deploy_leaves_nothing, ["Parameters", "TableDeletionProtection", "Default"], "on"),
    (rules.landing_never_expires, LANDING_RULES, [EXPIRED]),
    (rules.sftp_expires_by_parameter,
     ["Resources", "SftpBucket", *LANDING_RULES[2:], "ExpireDeliveredFiles", "ExpirationInDays"], 7),
    (rules.sftp_expires_by_parameter,
     ["Resources", "SftpBucket", *LANDING_RULES[2:], "ExpireDeliveredFiles", "Status"], "Disabled"),
    (rules.sftp_expires_by_parameter, ["Resources", "SftpBucket", *LANDING_RULES[2:], "ExpireDeliveredFiles",
     "TagFilters"], [{"Key": "callseal-expires", "Value": "proof"}]),
    (rules.outputs_refuse_unconditional_writes,
     [*SFTP_POLICY, "NeverOverwrite", "Condition", "Null"], {"s3:if-none-match": "false"}),
    (rules.outputs_refuse_unconditional_writes, [*SFTP_POLICY, "NeverOverwrite", "Principal"], {"AWS": "nobody"}),
    (rules.outputs_refuse_unconditional_writes,
     [*SFTP_POLICY, "NeverOverwrite", "NotResource"], {"Fn::Sub": "${SftpBucket.Arn}/*"}),
    (rules.archive_is_locked_without_a_default_retention,
     ["Resources", "ArchiveBucket", "Properties", "VersioningConfiguration", "Status"], "Suspended"),
    (rules.archive_is_locked_without_a_default_retention,
     ["Resources", "ArchiveBucket", "Properties", "ObjectLockConfiguration", "Rule"],
     {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}),
    (rules.archive_is_locked_without_a_default_retention,
     ["Resources", "ArchiveBucket", *LANDING_RULES[2:], "ExpireNoncurrentVersions", "ExpirationInDays"], 365),
    (rules.compliance_is_bounded_in_days, ["Mappings", "ComplianceYears", "5", "Days"], "1827"),
    (rules.compliance_is_bounded_in_days, ["Parameters", "MaximumComplianceYears", "AllowedValues"], [10]),
    (rules.compliance_is_bounded_in_days,
     [*ARCHIVE_POLICY, "ComplianceIsBounded", "Condition", "StringEquals"], {}),
    (rules.keys_are_proven_in_their_own_folder_alone,
     [*CHECK_ROLE, "Challenge", "Resource"], {"Fn::Sub": "${SftpBucket.Arn}/*"}),
    (rules.keys_are_proven_in_their_own_folder_alone, [*ENCRYPT_ROLE, "DeliverAndLook", "Action"], ["s3:DeleteObject"]),
    (rules.tables_are_encrypted_and_the_registers_can_be_brought_back,
     ["Resources", "KeyEvents", "Properties", "SSESpecification"], {"SSEEnabled": False}),
    (rules.tables_are_encrypted_and_the_registers_can_be_brought_back, ["Resources", "KeyRegister", "DeletionPolicy"],
     "Delete"),
    (rules.tables_are_encrypted_and_the_registers_can_be_brought_back,
     ["Resources", "FileRegister", "Properties", "PointInTimeRecoverySpecification"], None),
    (rules.tables_are_encrypted_and_the_registers_can_be_brought_back,
     ["Resources", "FileRegister", "Properties", "DeletionProtectionEnabled"], False),
    (rules.tables_are_encrypted_and_the_registers_can_be_brought_back,
     ["Resources", "CallsTable", "Properties", "SSESpecification"], {"SSEEnabled": True, "SSEType": "KMS"}),
    (rules.calls_are_hashed_with_a_key_that_never_leaves_kms,
     ["Resources", "CallIndexKey", "Properties", "KeySpec"], "SYMMETRIC_DEFAULT"),
    (rules.calls_are_hashed_with_a_key_that_never_leaves_kms,
     [*statements("IndexCallsRole"), "CardsAtRest", "Condition", "StringEquals"], {"kms:ViaService": "dynamodb"}),
    (rules.calls_are_hashed_with_a_key_that_never_leaves_kms,
     [*statements("IndexCallsRole"), "WriteCards", "Resource"], {"Fn::GetAtt": ["CallIndexKey", "Arn"]}),
    (rules.calls_are_found_by_keys_alone,
     ["Resources", "CallsTable", "Properties", "GlobalSecondaryIndexes", 1, "Projection"], {"ProjectionType": "ALL"}),
    (rules.delivered_files_are_watched_as_long_as_the_bucket_keeps_them,
     ["Resources", "TrackFilesFunction", "Properties", "Environment", "Variables", "SFTP_RETENTION_DAYS"], 7),
    (rules.delivered_files_are_watched_as_long_as_the_bucket_keeps_them,
     ["Resources", "FileRegisterRule", "Properties", "EventPattern", "detail-type"], ["RecordingDelivered"]),
    (rules.what_the_functions_measure_raises_an_alarm, [*alarm("WatchFilesSilent"), "TreatMissingData"], "missing"),
    (rules.what_the_functions_measure_raises_an_alarm, [*alarm("FilesExpired"), "Threshold"], 10),
    (rules.what_the_functions_measure_raises_an_alarm, [*alarm("RecordingsDenied"), "Threshold"], 10),
    (rules.what_the_functions_measure_raises_an_alarm, [*alarm("MetadataOverdue"), "Statistic"], "Sum"),
    (rules.what_the_functions_measure_raises_an_alarm, [*alarm("EraseRecordingsSilent"), "EvaluationPeriods"], 4),
    (rules.what_the_functions_measure_raises_an_alarm, [*alarm("PrivateKeyRefused"), "Dimensions"], [STACK_DIMENSION]),
    (rules.erasure_deletes_and_reads_no_recording,
     [*statements("EraseRecordingsRole"), "CardsAtRest", "Condition"], {}),
    (rules.erasure_deletes_and_reads_no_recording,
     [*statements("EraseRecordingsRole"), "EraseLanded", "Resource"], {"Fn::Sub": "${SftpBucket.Arn}/*"}),
    (rules.erasure_deletes_and_reads_no_recording,
     [*statements("EraseRecordingsRole"), "WrittenAtRest", "Action"], ["kms:GenerateDataKey", "kms:Decrypt"]),
    (rules.who_governs_reads_no_recording,
     [*statements("GovernCallsRole"), "CertificatesAtRest", "Condition", "StringLike"], {}),
    (rules.who_governs_reads_no_recording,
     [*statements("GovernCallsRole"), "SeeLocks", "Action"], ["s3:GetObjectVersion", "s3:DeleteObjectVersion"]),
    (rules.who_governs_reads_no_recording,
     [*statements("GovernCallsRole"), "ReadCertificates", "Resource"], {"Fn::Sub": "${SftpBucket.Arn}/*"}),
    (rules.only_the_erasure_passes_a_lock_and_signs,
     [*ENCRYPT_ROLE, "DeliverAndLook", "Action"], ["s3:BypassGovernanceRetention"]),
    (rules.only_the_erasure_passes_a_lock_and_signs,
     [*statements("EraseRecordingsRole"), "SignCertificates", "Condition", "StringEquals"], {"kms:MessageType": "RAW"}),
    (rules.functions_have_a_role_and_a_log_group, [*ENCRYPT, "Role"], {"Ref": "AuditBus"}),
    (rules.functions_have_a_role_and_a_log_group, [*LOG_GROUP, "KmsKeyId"], "other"),
    (rules.metrics_pass_every_log_level, [*ENCRYPT, "LoggingConfig", "LogFormat"], "JSON"),
    (rules.metrics_pass_every_log_level, [*ENCRYPT, "LoggingConfig", "ApplicationLogLevel"], {"Ref": "LogLevel"}),
    (rules.metrics_pass_every_log_level, [*ENCRYPT, "Environment", "Variables", "LOG_LEVEL"], "INFO"),
    (rules.dead_letters_raise_an_alarm, [*alarm("AuditDeadLetters"), "Dimensions"], []),
    (rules.dead_letters_raise_an_alarm, [*alarm("EncryptRecordingDeadLetters"), "Threshold"], 5),
    (rules.an_old_queue_raises_an_alarm, [*alarm("EncryptRecordingQueueAge"), "MetricName"], "Other"),
    (rules.functions_that_break_or_are_refused_raise_an_alarm, [*alarm("DeliveryThrottles"), "Threshold"], 5),
    (rules.functions_that_break_or_are_refused_raise_an_alarm, [*alarm("EncryptRecordingErrors"), "Dimensions"], []),
    (rules.functions_that_break_or_are_refused_raise_an_alarm, [*alarm("AuditThrottles"), "Metrics", "lock_audit"], {}),
    (rules.sums_of_metrics_add_up_all_of_them, [*alarm("AuditThrottles"), "Metrics", "all", "Expression"],
     "audit_sftp + track_files"),
    (rules.sums_of_metrics_add_up_all_of_them,
     [*alarm("DeliveryThrottles"), "Metrics", "check_keys", "MetricStat", "Stat"], "Average"),
    (rules.alarms_are_named_as_their_resource_and_their_function, [*alarm("TrackFilesQueueAge"), "AlarmName"],
     {"Fn::Sub": "${AWS::StackName}-files-queue-age"}),
    (rules.alarms_are_named_as_their_resource_and_their_function, [*alarm("CheckKeysErrors"), "Dimensions"],
     [{"Name": "FunctionName", "Value": {"Ref": "SweepLandingFunction"}}]),
    (rules.what_the_functions_measure_raises_an_alarm, [*alarm("HeldTooLong"), "Threshold"], 86401),
    (rules.what_the_functions_measure_raises_an_alarm, [*alarm("PrivateKeyPasted"), "Dimensions"], [STACK_DIMENSION]),
    (rules.what_the_functions_measure_raises_an_alarm, [*alarm("SweepLandingSilent"), "TreatMissingData"], "missing"),
    (rules.alarms_notify_and_name_a_section_of_the_runbook, [*alarm("PendingTooLong"), "AlarmDescription"],
     'See docs; see docs/operations.md, "No such section".'),
    (rules.alarms_notify_and_name_a_section_of_the_runbook, [*alarm("PendingTooLong"), "AlarmActions"], []),
    (rules.alarms_notify_and_name_a_section_of_the_runbook, [*alarm("PendingTooLong"), "AlarmName"],
     {"Fn::Sub": "${AWS::StackName}-not-in-the-table"}),
    (rules.alarms_watch_metrics_that_are_emitted, [*alarm("PendingTooLong"), "MetricName"], "OldestOwed"),
    (rules.alarms_watch_metrics_that_are_emitted, [*alarm("PendingTooLong"), "Namespace"], "callseal"),
    (rules.alarms_watch_metrics_that_are_emitted, [*alarm("PrivateKeyPasted"), "Dimensions", 1, "Value"], "Private"),
    (rules.alarms_watch_metrics_that_are_emitted, [*alarm("HeldTooLong"), "Dimensions"],
     [STACK_DIMENSION, {"Name": "Reason", "Value": "KeyIsPrivate"}]),
    (rules.the_dashboard_shows_metrics_that_are_emitted, DASHBOARD, widgets("metric", "Callseal", "HeldFile")),
    (rules.the_dashboard_shows_metrics_that_are_emitted, DASHBOARD, widgets("metric", "Callseal", "HeldFiles")),
    (rules.the_dashboard_finds_every_function_table_queue_and_stream, DASHBOARD,
     widgets("metric", "Callseal", "HeldFiles")),
    (rules.the_dashboard_finds_every_function_table_queue_and_stream, [*ENCRYPT, "FunctionName"], {"Fn::Sub": "other"}),
    (rules.the_dashboard_shows_every_alarm, DASHBOARD,
     '{"widgets": [{"type": "alarm", "properties": {"alarms": []}}]}'),
    (rules.outputs_are_the_public_ones, ["Outputs", "A9th"], {"Value": "x"}),
    (rules.every_policy_statement_has_a_sid_of_its_own, [*ENCRYPT_ROLE, "Audit", "Sid"], "OwnLogs"),
    (rules.every_policy_statement_has_a_sid_of_its_own,
     ["Resources", "LogPolicy", "Properties", "PolicyDocument", "Fn::Sub"],
     '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny"}]}'),
    (rules.roles_name_what_they_may, [*ENCRYPT_ROLE, "TakeFromQueue", "Action"], ["sqs:*"]),
    (rules.roles_name_what_they_may, [*SWEEP_ROLE, "ListLandedAndTellMissingFromForbidden", "Resource"], "*"),
    (rules.roles_name_what_they_may, ["Resources", "SweepLandingRole", "Properties", "ManagedPolicyArns"], ["x"]),
    (rules.the_audit_bus_takes_events_of_the_functions_alone, [*BUS_POLICY, "Effect"], "Allow"),
    (rules.the_audit_bus_takes_events_of_the_functions_alone, [*BUS_POLICY, "Condition", "StringNotEquals"],
     {"events:detail-type": ["CallsSearched", "KeyProven"]}),
    (rules.the_audit_bus_takes_events_of_the_functions_alone,
     [*BUS_POLICY, "Condition", "ArnNotEquals", "aws:PrincipalArn", 0], {"Fn::GetAtt": ["TrackFilesRole", "Arn"]}),
    (rules.the_audit_bus_takes_events_of_the_functions_alone, [*ENCRYPT_ROLE, "Audit", "Condition", "StringEquals"],
     {"events:source": "callseal"}),
    (rules.encrypt_may_do_no_more_on_landing, [*ENCRYPT_ROLE, "ReadTagAndPurgeLanded", "Action"], ["s3:PutObject"]),
    (rules.sweep_reads_no_recording,
     [*SWEEP_ROLE, "LookWhetherConflictsAreGone", "Resource"], {"Fn::Sub": "${LandingBucket.Arn}/*"}),
    (rules.rechecks_change_nothing_and_read_no_recording, [*RECHECK_ROLE, "LookAndHash", "Action"], "s3:PutObject"),
    (rules.rechecks_change_nothing_and_read_no_recording,
     [*RECHECK_ROLE, "OutputsAtRest", "Condition", "StringLike"], {}),
    (rules.sweep_reads_no_recording,
     [*SWEEP_ROLE, "LookWhetherConflictsAreGone", "Action"], ["s3:GetObject", "s3:DeleteObject"]),
    (rules.sweep_reads_no_recording,
     [*SWEEP_ROLE, "LookWhetherConflictsAreGone", "Resource"], {"Fn::GetAtt": ["StackKey", "Arn"]}),
    (rules.the_sftp_server_takes_keys_alone_and_asks_the_function, [*SERVER, "SecurityPolicyName"],
     "TransferSecurityPolicy-2018-11"),
    (rules.the_sftp_server_takes_keys_alone_and_asks_the_function,
     [*SERVER, "IdentityProviderDetails", "SftpAuthenticationMethods"], "PUBLIC_KEY_OR_PASSWORD"),
    (rules.the_sftp_server_takes_keys_alone_and_asks_the_function, [*SERVER, "Protocols"], ["SFTP", "FTPS"]),
    (rules.the_sftp_server_takes_keys_alone_and_asks_the_function, ["Resources", "SftpServer", "Condition"], "Always"),
    (rules.only_the_sftp_server_may_ask_about_logins,
     ["Resources", "AuthenticateSftpPermission", "Properties", "SourceArn"], "*"),
    (rules.sftp_sessions_reach_one_bucket,
     [*SESSION_ROLE, "ReadAndDelete", "Resource"], {"Fn::Sub": "${ArchiveBucket.Arn}/*"}),
    (rules.sftp_sessions_reach_one_bucket,
     [*SESSION_ROLE, "AnswerKeyChecksAndNotices", "Resource"], {"Fn::Sub": "${SftpBucket.Arn}/*"}),
    (rules.what_the_sftp_server_logs_reaches_the_audit,
     ["Resources", "AuditSftpSubscription", "Properties", "FilterPattern"], '{ ($.activity-type = "CONNECTED") }'),
    (rules.the_sftp_server_accepts_a_change_of_times, [*SERVER, "ProtocolDetails"], {"SetStatOption": "DEFAULT"}),
    (rules.the_function_that_faces_the_internet_puts_no_event,
     [*statements("AuthenticateSftpRole"), "ReadSftpKeys", "Action"],
     ["events:PutEvents"]),
    (rules.every_object_of_the_audit_bucket_is_announced,
     ["Resources", "AuditBucket", "Properties", "NotificationConfiguration", "QueueConfigurations", 0, "Event"],
     "s3:ObjectCreated:Put"),
    (rules.the_audit_stream_cannot_fail_in_silence, [*AUDIT_STREAM, "CloudWatchLoggingOptions", "Enabled"], False),
    (rules.the_audit_stream_cannot_fail_in_silence, [*AUDIT_STREAM, "Prefix"], "audit/!{timestamp:yyyy/MM/dd}/"),
    (rules.the_audit_stream_cannot_fail_in_silence, [*alarm("AuditStreamAge"), "Threshold"], 901),
    (rules.a_comparison_ends_before_the_next_begins, ["Resources", "ReconcileAuditFunction", "Properties", "Timeout"],
     800),
    (rules.a_disposal_has_ended_when_the_next_one_takes_over,
     ["Resources", "DisposeRecordingsFunction", "Properties", "Timeout"], 840),
    (rules.a_comparison_of_the_archive_ends_in_time,
     ["Resources", "ReconcileArchiveFunction", "Properties", "Timeout"], 840),
    (rules.what_the_functions_measure_raises_an_alarm, [*alarm("ReconcileAuditLate"), "TreatMissingData"], "missing"),
    (rules.audit_is_locked_by_parameter,
     ["Resources", "LockAuditFunction", "Properties", "Environment", "Variables", "AUDIT_RETENTION_DAYS"], 1),
    (rules.audit_is_locked_by_parameter, ["Resources", "AuditBucket", "Properties", "ObjectLockConfiguration", "Rule"],
     {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}),
    (rules.the_front_caches_nothing_of_the_api, [*FRONT, "CacheBehaviors", 1, "CachePolicyId"],
     "658327ea-f89d-4fab-a63d-7e88639e58f6"),
    (rules.the_front_caches_nothing_of_the_api, [*FRONT, "CustomErrorResponses"], []),
    (rules.every_answer_of_the_front_has_the_security_headers,
     [*FRONT, "DefaultCacheBehavior", "ResponseHeadersPolicyId"], {"Ref": "other"}),
    (rules.every_answer_of_the_front_has_the_security_headers,
     [*HEADERS, "ContentSecurityPolicy", "ContentSecurityPolicy"], "default-src 'none'; style-src 'unsafe-inline'"),
    (rules.the_api_logs_neither_ids_nor_numbers,
     ["Resources", "ArchiveApiApiGatewayDefaultStage", "Properties", "AccessLogSettings", "Format"],
     '{"path": "$context.path"}'),
    (rules.the_page_alone_is_readable_by_the_front,
     ["Resources", "WebBucketPolicy", "Properties", "PolicyDocument", "Statement", "ArchiveFrontReads", "Condition"],
     {"StringEquals": {"aws:SourceArn": "*"}}),
]  # fmt: skip


def index(place: Any, step: str | int) -> str | int:
    """Return the index of a path's step. A text selects a list member by its Sid or its Id."""
    if not isinstance(place, list) or isinstance(step, int):
        return step
    (found,) = (number for number, each in enumerate(place) if step in (each.get("Sid"), each.get("Id")))
    return found


def run(*command: str | Path) -> None:
    """Run a checker, and show its output if it fails."""
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, f"{ran.stdout}{ran.stderr}"


def merged_twice(node: yaml.Node) -> Iterator[tuple[int, str]]:
    """Yield line and name of the members that a mapping has twice, through its merge keys."""
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from merged_twice(each)
    if isinstance(node, yaml.MappingNode):
        names = members(node)
        yield from ((node.start_mark.line + 1, name) for name in sorted(set(names)) if names.count(name) > 1)
        for _, value in node.value:
            yield from merged_twice(value)


def members(node: yaml.MappingNode) -> list[str]:
    """Return the names of a mapping's members, including those of its merge keys."""
    found = []
    for key, value in node.value:
        merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
        found += [name for each in merged for name in members(each)] if key.value == "<<" else [key.value]
    return found


def cfn_lint(template: Path) -> None:
    run(Path(sys.executable).parent / "cfn-lint", "--regions", "eu-north-1", "--template", template)


def test_sam_finds_the_template_valid() -> None:
    """The environments differ only in parameters, which test_samconfig.py checks against the template."""
    sam = ROOT / ".venv-sam/bin/sam"
    assert sam.exists(), "There is no sam command in .venv-sam: run `make .venv-sam/.done`."
    run(sam, "validate", "--lint", "--config-env", "prod")


def test_cfn_lint_finds_the_template_as_written_clean() -> None:
    cfn_lint(ROOT / "template.yaml")


def test_cfn_lint_finds_the_translated_template_clean(template: rules.Template, tmp_path: Path) -> None:
    translated = tmp_path / "template.json"
    translated.write_text(json.dumps(template, indent=1))
    cfn_lint(translated)


def test_what_sam_deploys_has_no_merge_keys() -> None:
    """CloudFormation does not support them. The output of SAM has none, and means the same."""
    code = "import sys; from samcli import yamlhelper as sam; print(sam.yaml_dump(sam.yaml_parse(sys.stdin.read())))"
    source = (ROOT / "template.yaml").read_text()
    ran = subprocess.run([ROOT / ".venv-sam/bin/python", "-c", code], input=source, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert not [token for token in yaml.scan(ran.stdout) if isinstance(token, yaml.AnchorToken | yaml.AliasToken)]
    assert "<<" not in ran.stdout
    assert yaml_parse(ran.stdout) == yaml_parse(source)


def test_merge_keys_override_nothing() -> None:
    """checkov rejects an override, and a reader would miss it."""
    assert list(merged_twice(yaml.compose((ROOT / "template.yaml").read_text()))) == []


def test_override_is_detected() -> None:
    assert list(merged_twice(yaml.compose("a: &a { x: 1 }\nb: { <<: *a, x: 2 }"))) == [(2, "x")]
    assert list(merged_twice(yaml.compose("a: &a { x: 1 }\nb: &b { <<: *a }\nc: { <<: [*a, *b] }"))) == [(3, "x")]


def test_each_function_has_its_handler(template: rules.Template) -> None:
    for name, function in rules.of_type(template, "AWS::Lambda::Function").items():
        module, handler = function["Properties"]["Handler"].split(".")
        source = ROOT / function["Properties"]["Code"]["S3Key"] / f"{module}.py"
        assert source.exists(), f"{name} has no {source.relative_to(ROOT)}, and sam build would not notice."
        assert f"def {handler}(" in source.read_text(), name


@pytest.mark.parametrize("rule", EVERY_RULE, ids=lambda rule: rule.__name__)
def test_the_template_keeps_the_house_rule(rule: Rule, template: rules.Template) -> None:
    rule(template)


@pytest.mark.parametrize(("rule", "path", "value"), BROKEN, ids=lambda each: getattr(each, "__name__", ""))
def test_house_rule_fails_when_it_is_broken(
    rule: Rule, path: list[str | int], value: Any, template: rules.Template
) -> None:
    broken = copy.deepcopy(template)
    place: Any = broken
    for step in path[:-1]:
        place = place[index(place, step)]
    place[index(place, path[-1])] = value

    with pytest.raises((AssertionError, ValueError, KeyError)):
        rule(broken)


def test_every_house_rule_has_a_broken_template() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(EVERY_RULE)
