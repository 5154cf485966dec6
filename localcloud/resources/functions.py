"""Lambda functions, their layers, and what invokes them. They run as processes and are not on moto."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from localcloud.errors import TemplateError
from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference
from localcloud.stack import Function, QueueMapping
from localcloud.template import LOCAL_BUCKET

_LAYER_ARN = "layer:"
# Longer windows are shortened, because a person waits for the batch.
LONGEST_WINDOW_SECONDS = 3.0


def make_layer(context: Context, properties: Properties) -> Reference:
    """Record a layer's folder: its `python/` is put on the functions' path. A layer without it is left out."""
    folder = _folder(context, properties, "Content")
    for name in ("Description", "LayerName", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo"):
        properties.take(name)
    if not (folder / "python").is_dir():
        context.stack.leave_out(properties.logical_id, _UNBUILT_LAYER)
    # The ARN contains the folder, so that a function finds it by the Ref in its Layers.
    return Reference(f"{context.stack.arn('lambda', _LAYER_ARN)}{folder}:1")


def make_function(context: Context, properties: Properties) -> Reference:
    """Record how a function runs."""
    name = context.name(properties, properties.take("FunctionName"))
    arn = context.stack.arn("lambda", f"function:{name}")
    context.stack.functions[arn] = Function(
        logical_id=properties.logical_id,
        name=name,
        arn=arn,
        code=_folder(context, properties, "Code"),
        handler=properties.require("Handler"),
        timeout=float(properties.take("Timeout", 3)),
        memory=int(properties.take("MemorySize", 128)),
        environment=_environment(properties),
        log_level=_log_level(properties),
        layers=tuple(_layer_folder(layer) for layer in properties.take("Layers", [])),
    )
    _leave_out_of_function(properties)
    return Reference(name, {"Arn": arn})


def make_event_invoke_config(context: Context, properties: Properties) -> Reference:
    """Record how often a function's failed asynchronous invocation is retried."""
    arn, qualifier = _function_arn(context, properties.require("FunctionName")), properties.require("Qualifier")
    if qualifier != "$LATEST":
        raise TemplateError(
            f"{properties.logical_id}: the local cloud does not know the version {qualifier} of a function."
        )
    properties.leave_out("MaximumEventAgeInSeconds", "an event here never waits for a function")
    retries = int(properties.take("MaximumRetryAttempts", 2))
    context.stack.functions[arn] = replace(context.stack.functions[arn], retries=retries)
    return Reference(properties.logical_id)


def make_event_source_mapping(context: Context, properties: Properties) -> Reference:
    """Record a mapping from a queue to a function, if it is enabled."""
    enabled = properties.take("Enabled", True)
    mapping = _queue_mapping(context, properties)
    if enabled:
        context.stack.mappings.append(mapping)
    return Reference(properties.logical_id)


_UNBUILT_LAYER = "the layer is not built here: this Python's libraries and this machine's programs replace it"


def _leave_out_of_function(properties: Properties) -> None:
    properties.leave_out("Role", "nothing here enforces IAM")
    properties.leave_out("Runtime", "the function runs on the Python that runs the local cloud")
    properties.leave_out("Architectures", "the function runs on this machine")
    properties.leave_out("Tags", "nothing here reads a function's tags")
    properties.leave_out("DeadLetterConfig", "a failed event is only in the function's log")
    properties.leave_out("Description", "nothing here shows a function's description")


def _environment(properties: Properties) -> dict[str, str]:
    environment = properties.nested("Environment")
    variables = environment.take("Variables", {}) if environment else {}
    return {name: str(value) for name, value in variables.items()}


def _log_level(properties: Properties) -> str | None:
    """Return the level by which Lambda filters log lines, or None: it filters in the JSON format only."""
    logging = properties.nested("LoggingConfig")
    if logging is None:
        return None
    logging.leave_out("LogGroup", "the function's lines go to logs/<logical id>.log of the state folder")
    logging.leave_out("LogFormat", "lines are kept as the function writes them")
    level = str(logging.take("ApplicationLogLevel", "INFO"))
    return level if logging.take("LogFormat", "Text") == "JSON" else None


def _queue_mapping(context: Context, properties: Properties) -> QueueMapping:
    scaling = properties.nested("ScalingConfig")
    arn = properties.require("EventSourceArn")
    if arn.split(":")[2] != "sqs":
        raise TemplateError(f"{properties.logical_id}: the local cloud does not know the event source {arn}.")
    return QueueMapping(
        logical_id=properties.logical_id,
        queue_arn=arn,
        function_arn=_function_arn(context, properties.require("FunctionName")),
        batch_size=int(properties.take("BatchSize", 10)),
        window=min(float(properties.take("MaximumBatchingWindowInSeconds", 0)), LONGEST_WINDOW_SECONDS),
        reports_item_failures="ReportBatchItemFailures" in properties.take("FunctionResponseTypes", []),
        max_concurrency=int(scaling.take("MaximumConcurrency", 1000)) if scaling else 1000,
    )


def _function_arn(context: Context, name_or_arn: str) -> str:
    arn = name_or_arn if name_or_arn.startswith("arn:") else context.stack.arn("lambda", f"function:{name_or_arn}")
    if arn not in context.stack.functions:
        raise TemplateError(f"{name_or_arn} is not a function of this stack.")
    return arn


def _folder(context: Context, properties: Properties, name: str) -> Path:
    address: Any = properties.require(name)
    if not isinstance(address, dict) or address.get("S3Bucket") != LOCAL_BUCKET:
        raise TemplateError(f"{properties.logical_id}: its {name} is not a folder beside the template.")
    folder = (context.root / str(address["S3Key"])).resolve()
    if not folder.is_dir():
        raise TemplateError(f"{properties.logical_id}: its folder {address['S3Key']} does not exist.")
    return folder


def _layer_folder(arn: str) -> Path:
    return Path(arn.split(_LAYER_ARN, 1)[1].rsplit(":", 1)[0]) / "python"
