"""Delivery streams of Amazon Data Firehose into a bucket. moto does not deliver their records, so the pump does."""

import re

from localcloud.errors import TemplateError
from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference
from localcloud.stack import DeliveryStream

_EXPRESSION = re.compile(r"!\{timestamp:([^}]*)\}")
_LETTERS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_NOT_HERE = {
    "RoleARN": "nothing here enforces IAM",
    "ErrorOutputPrefix": "a delivery on moto cannot fail, so nothing is written there",
    "BufferingHints": "records are written at once",
    "CloudWatchLoggingOptions": "a delivery on moto cannot fail, so there is nothing to log",
}


def make_delivery_stream(context: Context, properties: Properties) -> Reference:
    """Record a stream, and create the queue that holds its records until the pump writes them."""
    name = properties.require("DeliveryStreamName")
    if properties.require("DeliveryStreamType") != "DirectPut":
        raise TemplateError(f"{properties.logical_id}: the local cloud knows streams of the type DirectPut only.")
    properties.leave_out("DeliveryStreamEncryptionConfigurationInput", "nothing here encrypts a stream at rest")
    destination = properties.nested("ExtendedS3DestinationConfiguration")
    if destination is None:
        raise TemplateError(f"{properties.logical_id}: the local cloud knows streams into an S3 bucket only.")
    queue = f"{name}-stream"
    context.client("sqs").create_queue(QueueName=queue)
    arn = context.stack.arn("firehose", f"deliverystream/{name}")
    context.stack.streams[arn] = DeliveryStream(
        logical_id=properties.logical_id,
        name=name,
        queue_arn=context.stack.arn("sqs", queue),
        bucket=destination.require("BucketARN").rpartition(":")[2],
        prefix=_prefix(properties.logical_id, destination.take("Prefix", "!{timestamp:yyyy/MM/dd/HH}/")),
        gzip=_is_gzip(properties.logical_id, destination.take("CompressionFormat", "UNCOMPRESSED")),
        delimiter=_delimiter(destination),
    )
    for option, why in _NOT_HERE.items():
        destination.leave_out(option, why)
    return Reference(name, {"Arn": arn})


def _prefix(logical_id: str, text: str) -> str:
    """Return a prefix with Java's date letters, as in `!{timestamp:yyyy/MM/dd}`, replaced by those of strftime."""

    def translated(match: re.Match[str]) -> str:
        letters = re.findall(r"[A-Za-z]+|[^A-Za-z]+", match[1])
        unknown = [each for each in letters if each.isalpha() and each not in _LETTERS]
        if unknown:
            raise TemplateError(f"{logical_id}: the local cloud does not know {unknown[0]} in the prefix {text}.")
        return "".join(_LETTERS.get(each, each) for each in letters)

    prefix = _EXPRESSION.sub(translated, text)
    if "!{" in prefix:
        raise TemplateError(f"{logical_id}: the local cloud does not know every expression of the prefix {text}.")
    return prefix


def _is_gzip(logical_id: str, compression: str) -> bool:
    if compression not in ("GZIP", "UNCOMPRESSED"):
        raise TemplateError(f"{logical_id}: the local cloud does not know the compression {compression}.")
    return compression == "GZIP"


def _delimiter(destination: Properties) -> str:
    """Return the delimiter that a processor appends to each record, or "": Firehose itself adds none."""
    processing = destination.nested("ProcessingConfiguration")
    if processing is None or not processing.take("Enabled", False):
        return ""
    found = [_appended(processor) for processor in processing.each("Processors")]
    return "".join(found)


def _appended(processor: Properties) -> str:
    kind = processor.require("Type")
    if kind != "AppendDelimiterToRecord":
        raise TemplateError(f"{processor.logical_id}: the local cloud does not know the processor {kind}.")
    values = {each.require("ParameterName"): each.require("ParameterValue") for each in processor.each("Parameters")}
    return str(values.get("Delimiter", "\\n")).replace("\\n", "\n")
