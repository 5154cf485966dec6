"""S3 buckets and their policies."""

import json
from collections.abc import Mapping
from typing import Any

from localcloud.errors import TemplateError
from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference

_CONDITION_IGNORED = "moto applies a Deny without its Condition, so a conditional statement would refuse every request"


def make_bucket(context: Context, properties: Properties) -> Reference:
    """Create a bucket with everything that the template configures."""
    name = context.name(properties, properties.take("BucketName")).lower()
    _create(context, name, bool(properties.take("ObjectLockEnabled", False)))
    for configure in (_ownership, _public_access, _encryption, _versioning, _object_lock, _lifecycle, _notifications):
        configure(context.client("s3"), name, properties)
    properties.leave_out("Tags", "nothing here reads a bucket's tags")
    domain = f"{name}.s3.{context.stack.region}.amazonaws.com"
    return Reference(
        name, {"Arn": f"arn:aws:s3:::{name}", "DomainName": f"{name}.s3.amazonaws.com", "RegionalDomainName": domain}
    )


def make_bucket_policy(context: Context, properties: Properties) -> Reference:
    """Set a bucket's policy, but only its unconditional statements."""
    bucket = properties.require("Bucket")
    document = dict(properties.require("PolicyDocument"))
    kept = [statement for statement in document["Statement"] if not _is_conditional(properties, statement)]
    if kept:
        policy = json.dumps({**document, "Statement": kept})
        context.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)
    return Reference(bucket)


def _is_conditional(properties: Properties, statement: Mapping[str, Any]) -> bool:
    if "Condition" in statement:
        properties.report_left_out(f"PolicyDocument.{statement.get('Sid', 'Statement')}", _CONDITION_IGNORED)
    return "Condition" in statement


def _create(context: Context, name: str, object_lock: bool) -> None:
    region = context.stack.region
    # S3 refuses a location constraint for us-east-1 only.
    location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    context.client("s3").create_bucket(Bucket=name, ObjectLockEnabledForBucket=object_lock, **location)


def _ownership(s3: Any, bucket: str, properties: Properties) -> None:
    controls = properties.nested("OwnershipControls")
    if controls:
        rules = [{"ObjectOwnership": rule.require("ObjectOwnership")} for rule in controls.each("Rules")]
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": rules})


def _public_access(s3: Any, bucket: str, properties: Properties) -> None:
    block = properties.nested("PublicAccessBlockConfiguration")
    if block:
        names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        configuration = block.renamed({name: name for name in names})
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=configuration)


def _encryption(s3: Any, bucket: str, properties: Properties) -> None:
    encryption = properties.nested("BucketEncryption")
    if encryption:
        rules = [_encryption_rule(rule) for rule in encryption.each("ServerSideEncryptionConfiguration")]
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def _encryption_rule(rule: Properties) -> dict[str, Any]:
    api = rule.renamed({"BucketKeyEnabled": "BucketKeyEnabled"})
    default = rule.nested("ServerSideEncryptionByDefault")
    if default:
        names = {"SSEAlgorithm": "SSEAlgorithm", "KMSMasterKeyID": "KMSMasterKeyID"}
        api["ApplyServerSideEncryptionByDefault"] = default.renamed(names)
    return api


def _versioning(s3: Any, bucket: str, properties: Properties) -> None:
    versioning = properties.nested("VersioningConfiguration")
    if versioning:
        status = {"Status": versioning.require("Status")}
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=status)


def _object_lock(s3: Any, bucket: str, properties: Properties) -> None:
    lock = properties.nested("ObjectLockConfiguration")
    if not lock:
        return
    configuration: dict[str, Any] = {"ObjectLockEnabled": lock.require("ObjectLockEnabled")}
    rule = lock.nested("Rule")
    retention = rule.nested("DefaultRetention") if rule else None
    if retention:
        configuration["Rule"] = {"DefaultRetention": _retention(retention)}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)


def _retention(retention: Properties) -> dict[str, Any]:
    api: dict[str, Any] = {"Mode": retention.require("Mode")}
    periods = retention.renamed({"Days": "Days", "Years": "Years"})
    return api | {unit: int(length) for unit, length in periods.items()}


def _lifecycle(s3: Any, bucket: str, properties: Properties) -> None:
    lifecycle = properties.nested("LifecycleConfiguration")
    if lifecycle:
        rules = [_lifecycle_rule(rule) for rule in lifecycle.each("Rules")]
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    api = rule.renamed({"Id": "ID", "Status": "Status"})
    api["Filter"] = _lifecycle_filter(rule)
    days, markers = rule.take("ExpirationInDays"), rule.take("ExpiredObjectDeleteMarker")
    if days is not None:
        api["Expiration"] = {"Days": int(days)}
    if markers is not None:
        api["Expiration"] = {"ExpiredObjectDeleteMarker": bool(markers)}
    aborted = rule.nested("AbortIncompleteMultipartUpload")
    if aborted:
        api["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": int(aborted.require("DaysAfterInitiation"))}
    noncurrent = rule.nested("NoncurrentVersionExpiration")
    if noncurrent:
        api["NoncurrentVersionExpiration"] = {"NoncurrentDays": int(noncurrent.require("NoncurrentDays"))}
    return api


def _lifecycle_filter(rule: Properties) -> dict[str, Any]:
    prefix, tags = rule.take("Prefix", ""), [dict(tag) for tag in rule.take("TagFilters", [])]
    if not tags:
        return {"Prefix": prefix}
    return {"Tag": tags[0]} if len(tags) == 1 and not prefix else {"And": {"Prefix": prefix, "Tags": tags}}


def _notifications(s3: Any, bucket: str, properties: Properties) -> None:
    notification = properties.nested("NotificationConfiguration")
    if not notification:
        return
    queues = [_queue_notification(queue) for queue in notification.each("QueueConfigurations")]
    configuration = {"QueueConfigurations": queues}
    try:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    except s3.exceptions.ClientError as exc:
        raise TemplateError(f"{properties.logical_id}: the notifications were refused: {exc}") from exc


def _queue_notification(queue: Properties) -> dict[str, Any]:
    api: dict[str, Any] = {"QueueArn": queue.require("Queue"), "Events": [queue.require("Event")]}
    only = queue.nested("Filter")
    key = only.nested("S3Key") if only else None
    if key:
        rules = [{"Name": rule.require("Name"), "Value": rule.require("Value")} for rule in key.each("Rules")]
        api["Filter"] = {"Key": {"FilterRules": rules}}
    return api
