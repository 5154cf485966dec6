"""The permissions that a call needs, by AWS's own reference.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html

An operation that is not listed here is an error: look it up and add it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.support.stack import ARCHIVE, AUDIT
from tests.template.permissions.calls import Call

# Lambda itself uses a function's role, too: it receives messages for an event source mapping, and writes the log.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
# The log group is the template's, so logs:CreateLogGroup is not needed.
OF_EVENT_SOURCES = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
OF_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")


@dataclass(frozen=True)
class Need:
    """An action on a resource, with IAM's context of the request (condition keys in lower case)."""

    action: str
    resource: str
    context: frozenset[tuple[str, str]] = frozenset()

    def __str__(self) -> str:
        context = ", ".join(f"{key}={value}" for key, value in sorted(self.context))
        return f"{self.action} on {self.resource}{f' ({context})' if context else ''}"


@dataclass(frozen=True)
class Place:
    """The target of the calls: region, account, and the KMS keys of buckets and tables, by name."""

    region: str
    account: str
    keys: Mapping[str, str]

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN of this region and account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def needs_of(call: Call, place: Place) -> list[Need]:
    """List the permissions that a call needs. Raise LookupError for an operation that is not listed."""
    if needs := _OF_DATA.get((call.service, call.operation)):
        return list(needs(call, place))
    name = call["name"]
    match call.service, call.operation:
        case "sqs", ("SendMessage" | "SendMessageBatch" | "ChangeMessageVisibility" | "ChangeMessageVisibilityBatch"
                     | "GetQueueAttributes"):  # fmt: skip
            return [Need(f"sqs:{call.operation.removesuffix('Batch')}", place.arn("sqs", name))]
        case "secrets-manager", "ListSecrets":
            return [Need("secretsmanager:ListSecrets", "*")]
        case "secrets-manager", "GetSecretValue" | "DescribeSecret":
            # Secrets Manager appends a hyphen and six random characters to the name. AWS does not document which name
            # counts for a secret that does not exist: both must be allowed, or the answer would not be "not found".
            names = (f"{name}-AbC12x", name)
            action = f"secretsmanager:{call.operation}"
            return [Need(action, place.arn("secretsmanager", f"secret:{each}")) for each in names]
        case "ssm", "GetParameter" | "GetParameters" | "GetParametersByPath" | "PutParameter":
            return [Need(f"ssm:{call.operation}", place.arn("ssm", f"parameter/{name.lstrip('/')}"))]
        case "kms", "GenerateMac":
            # The stack has one key for MACs, and its functions name it by its alias or its id.
            return [Need("kms:GenerateMac", place.arn("kms", "key/CallIndexKey"))]
        case "lambda", "Invoke":
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
            return [Need("lambda:InvokeFunction", place.arn("lambda", f"function:{name}"))]
        case "cloudwatch-logs", "FilterLogEvents":
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
            return [Need("logs:FilterLogEvents", place.arn("logs", f"log-group:{name}:*"))]
        case "eventbridge", "PutEvents":
            of_events = {("events:source", call["source"]), ("events:detail-type", call["detail_type"])}
            return [Need("events:PutEvents", place.arn("events", f"event-bus/{name}"), frozenset(of_events))]
    raise LookupError(f"Which permissions does {call.service}.{call.operation} need? Look it up, and add it here.")


def _sending_mail(call: Call, place: Place) -> Iterator[Need]:
    """Yield the permission for each identity that may cover the sender: the address, or its domain.

    https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html
    """
    sender = frozenset({("ses:fromaddress", call["name"])})
    for identity in (call["name"], call["name"].rpartition("@")[2]):
        yield Need("ses:SendEmail", place.arn("ses", f"identity/{identity}"), sender)


def _signing(call: Call, place: Place) -> Iterator[Need]:
    """Yield the permission for the stack's one key for signatures."""
    of_message = {("kms:messagetype", call["message_type"])} if call.operation == "Sign" else set()
    yield Need(f"kms:{call.operation}", place.arn("kms", "key/ProofKey"), frozenset(of_message))


def _listing_bucket(call: Call, _: Place) -> Iterator[Need]:
    yield _listing(call["bucket"])


def _listing_versions(call: Call, _: Place) -> Iterator[Need]:
    yield Need("s3:ListBucketVersions", f"arn:aws:s3:::{call['bucket']}")


def _locking(call: Call, _: Place) -> Iterator[Need]:
    yield _on(call["bucket"], call["key"], "s3:PutObjectRetention")


def _holding(call: Call, _: Place) -> Iterator[Need]:
    yield _on(call["bucket"], call["key"], "s3:PutObjectLegalHold")


def _retention_shown(call: Call) -> Iterator[Need]:
    """Yield the permission without which S3 omits a version's lock from the answer.

    Who asks for a version in the archive wants to know its lock. An erasure wants to know of legal holds, too.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
    """
    # dispose_recordings reads its own records back, and govern_calls certificates, and neither their locks.
    in_audit = call["bucket"] == AUDIT and call.function not in ("dispose_recordings", "govern_calls")
    if in_audit or (call["bucket"] == ARCHIVE and call["version"]):
        yield _on(call["bucket"], call["key"], "s3:GetObjectRetention")
    wants_holds = call.function in ("erase_recordings", "reconcile_archive", "govern_calls")
    if wants_holds and call["bucket"] == ARCHIVE and call["version"]:
        yield _on(call["bucket"], call["key"], "s3:GetObjectLegalHold")


def _looking(call: Call, place: Place) -> Iterator[Need]:
    yield from _reading(call["bucket"], call["key"], bool(call["version"]))
    yield from _retention_shown(call)
    # Without the checksum, S3 answers from an object's metadata, which is not encrypted.
    if call["checksum_mode"]:
        yield from _with_key(place, call["bucket"], "kms:Decrypt")


def _getting(call: Call, place: Place) -> Iterator[Need]:
    yield from _reading(call["bucket"], call["key"], bool(call["version"]))
    yield from _retention_shown(call)
    yield from _with_key(place, call["bucket"], "kms:Decrypt")


def _beginning_upload(call: Call, place: Place) -> Iterator[Need]:
    yield from _writing(call, place)
    yield from _with_key(place, call["bucket"], "kms:Decrypt")


def _going_on_with_upload(call: Call, place: Place) -> Iterator[Need]:
    yield _on(call["bucket"], call["key"], "s3:PutObject")
    yield from _from_source(call, place)
    yield from _with_key(place, call["bucket"], "kms:Decrypt")


def _aborting_upload(call: Call, _: Place) -> Iterator[Need]:
    yield _on(call["bucket"], call["key"], "s3:AbortMultipartUpload")


def _deleting(call: Call, _: Place) -> Iterator[Need]:
    yield _on(call["bucket"], call["key"], "s3:DeleteObjectVersion" if call["version"] else "s3:DeleteObject")
    if call["bypass"]:
        yield _on(call["bucket"], call["key"], "s3:BypassGovernanceRetention")
    if call["if_match"] not in ("", "*"):
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
        yield _on(call["bucket"], call["key"], "s3:GetObject")


def _tagging(call: Call, _: Place) -> Iterator[Need]:
    what = "ObjectVersionTagging" if call["version"] else "ObjectTagging"
    yield _on(call["bucket"], call["key"], f"s3:{call.operation.removesuffix('ObjectTagging')}{what}")


def _writing(call: Call, place: Place) -> Iterator[Need]:
    yield _on(call["bucket"], call["key"], "s3:PutObject")
    if call["tagging"]:
        yield _on(call["bucket"], call["key"], "s3:PutObjectTagging")
    if call["lock"]:
        yield _on(call["bucket"], call["key"], "s3:PutObjectRetention")
    yield from _from_source(call, place)
    yield from _with_key(place, call["bucket"], "kms:GenerateDataKey")


def _from_source(call: Call, place: Place) -> Iterator[Need]:
    """Yield what a copy needs for its source. The source's tags are not copied (TaggingDirective REPLACE)."""
    if source := call["source"]:
        bucket, _, key = source.partition("/")
        yield from _reading(bucket, key, bool(call["source_version"]))
        yield from _with_key(place, bucket, "kms:Decrypt")


def _reading(bucket: str, key: str, versioned: bool) -> Iterator[Need]:
    yield _on(bucket, key, "s3:GetObjectVersion" if versioned else "s3:GetObject")
    # Without it S3 answers 403 for a missing object, and the functions rely on the 404.
    yield _listing(bucket)


def _on(bucket: str, key: str, action: str) -> Need:
    return Need(action, f"arn:aws:s3:::{bucket}/{key}")


def _listing(bucket: str) -> Need:
    return Need("s3:ListBucket", f"arn:aws:s3:::{bucket}")


def _with_key(place: Place, bucket: str, action: str) -> Iterator[Need]:
    """Yield what S3 needs to use the bucket's KMS key on the caller's behalf."""
    if arn := place.keys.get(bucket):
        # With a bucket key, which every bucket here has, the context is the bucket and not the object:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
        context = {
            ("kms:viaservice", f"s3.{place.region}.amazonaws.com"),
            ("kms:encryptioncontext:aws:s3:arn", f"arn:aws:s3:::{bucket}"),
        }
        yield Need(action, arn, frozenset(context))


def _using_table(call: Call, place: Place) -> Iterator[Need]:
    """What a request to a table needs, and DynamoDB with the table's own KMS key on the caller's behalf.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
    An index is a resource of its own:
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
    """
    table = call["name"]
    resource = f"table/{table}/index/{call['index']}" if call["index"] else f"table/{table}"
    yield Need(f"dynamodb:{call['action'] or call.operation}", place.arn("dynamodb", resource))
    if arn := place.keys.get(table):
        context = {
            ("kms:viaservice", f"dynamodb.{place.region}.amazonaws.com"),
            ("kms:encryptioncontext:aws:dynamodb:tablename", table),
        }
        yield Need("kms:Decrypt", arn, frozenset(context))


_OF_S3: dict[str, Callable[[Call, Place], Iterator[Need]]] = {
    "AbortMultipartUpload": _aborting_upload,
    "CompleteMultipartUpload": _going_on_with_upload,
    "CopyObject": _writing,
    "CreateMultipartUpload": _beginning_upload,
    "DeleteObject": _deleting,
    "DeleteObjects": _deleting,
    "GetObject": _getting,
    "GetObjectTagging": _tagging,
    # botocore uses it to find a bucket's region if a HEAD of an object answers 400.
    "HeadBucket": _listing_bucket,
    "HeadObject": _looking,
    "ListObjectVersions": _listing_versions,
    "ListObjectsV2": _listing_bucket,
    "PutObject": _writing,
    "PutObjectLegalHold": _holding,
    "PutObjectRetention": _locking,
    "PutObjectTagging": _tagging,
    "UploadPart": _going_on_with_upload,
    "UploadPartCopy": _going_on_with_upload,
}
_OF_TABLES = ("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem")
_OF_DATA = {
    **{("s3", name): needs for name, needs in _OF_S3.items()},
    **{("dynamodb", name): _using_table for name in _OF_TABLES},
    ("sesv2", "SendEmail"): _sending_mail,
    ("kms", "Sign"): _signing,
    ("kms", "GetPublicKey"): _signing,
}
