"""Create on moto what the translated template declares, in order. Reject what the local cloud does not support."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from localcloud.errors import TemplateError
from localcloud.intrinsics import Resolver, creation_order
from localcloud.properties import Properties
from localcloud.resources import (
    apigateway,
    cloudfront,
    dynamodb,
    eventbridge,
    firehose,
    functions,
    kms,
    logs,
    s3,
    sqs,
    ssm,
    transfer,
)
from localcloud.resources.context import Context, Maker, Reference
from localcloud.resources.left_out import LEFT_OUT_TYPES
from localcloud.stack import Created, Stack
from localcloud.template import Template

_MAKERS: dict[str, Maker] = {
    "AWS::ApiGatewayV2::Api": apigateway.make_api,
    "AWS::ApiGatewayV2::Stage": apigateway.make_stage,
    "AWS::CloudFront::Distribution": cloudfront.make_distribution,
    "AWS::CloudFront::Function": cloudfront.make_function,
    "AWS::CloudFront::OriginAccessControl": cloudfront.make_access_control,
    "AWS::CloudFront::ResponseHeadersPolicy": cloudfront.make_headers_policy,
    "AWS::DynamoDB::Table": dynamodb.make_table,
    "AWS::Events::EventBus": eventbridge.make_bus,
    "AWS::Events::Rule": eventbridge.make_rule,
    "AWS::KMS::Alias": kms.make_alias,
    "AWS::KMS::Key": kms.make_key,
    "AWS::Lambda::EventInvokeConfig": functions.make_event_invoke_config,
    "AWS::KinesisFirehose::DeliveryStream": firehose.make_delivery_stream,
    "AWS::Lambda::EventSourceMapping": functions.make_event_source_mapping,
    "AWS::Lambda::Function": functions.make_function,
    "AWS::Lambda::LayerVersion": functions.make_layer,
    "AWS::Logs::LogGroup": logs.make_log_group,
    "AWS::Logs::LogStream": logs.make_log_stream,
    "AWS::Logs::SubscriptionFilter": logs.make_subscription_filter,
    "AWS::S3::Bucket": s3.make_bucket,
    "AWS::S3::BucketPolicy": s3.make_bucket_policy,
    "AWS::SQS::Queue": sqs.make_queue,
    "AWS::SQS::QueuePolicy": sqs.make_queue_policy,
    "AWS::SSM::Parameter": ssm.make_parameter,
    "AWS::Transfer::Server": transfer.make_server,
}
_RESOURCE_MEMBERS = {"Type", "Properties", "DependsOn", "Condition"} | {
    # For deletions and descriptions by CloudFormation. The local cloud deletes everything at its end.
    "DeletionPolicy",
    "Metadata",
    "UpdateReplacePolicy",
}


def create_resources(template: Template, context: Context, parameters: Mapping[str, str]) -> Stack:
    """Create every resource, resolve the outputs, and return the stack with both. Raise TemplateError."""
    resolver = Resolver(template, _pseudo_parameters(context.stack), parameters, context.http_address)
    resources = {
        logical_id: resource
        for logical_id, resource in template["Resources"].items()
        if "Condition" not in resource or resolver.condition(resource["Condition"])
    }
    for logical_id, resource in resources.items():
        _check_known(logical_id, resource)
    for logical_id in creation_order(resources):
        reference = _create(logical_id, resources[logical_id], resolver, context)
        resolver.learn(logical_id, reference.ref, reference.attributes)
    context.stack.outputs.update(_outputs(template.get("Outputs", {}), resolver))
    return context.stack


def _pseudo_parameters(stack: Stack) -> dict[str, str]:
    return {
        "AWS::AccountId": stack.account_id,
        "AWS::Partition": "aws",
        "AWS::Region": stack.region,
        "AWS::StackId": stack.arn("cloudformation", f"stack/{stack.name}/local"),
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": "amazonaws.com",
    }


def _check_known(logical_id: str, resource: Mapping[str, Any]) -> None:
    kind = resource.get("Type")
    if kind not in _MAKERS and kind not in LEFT_OUT_TYPES:
        raise TemplateError(f"The local cloud does not know the type {kind} of {logical_id}.")
    unknown = sorted(set(resource) - _RESOURCE_MEMBERS)
    if unknown:
        raise TemplateError(f"The local cloud does not know the member {unknown[0]} of {logical_id} ({kind}).")


def _create(logical_id: str, resource: Mapping[str, Any], resolver: Resolver, context: Context) -> Reference:
    kind = resource["Type"]
    try:
        values = resolver.resolve(resource.get("Properties", {}))
        return _make(logical_id, kind, values, context)
    except (ClientError, ParamValidationError) as exc:
        raise TemplateError(f"{logical_id} ({kind}) was refused by moto: {' '.join(str(exc).split())}") from exc
    except TemplateError as exc:
        raise exc if logical_id in str(exc) else TemplateError(f"{logical_id} ({kind}): {exc}") from exc


def _make(logical_id: str, kind: str, values: Mapping[str, Any], context: Context) -> Reference:
    left_out = LEFT_OUT_TYPES.get(kind)
    if left_out:
        context.stack.leave_out(logical_id, left_out.why)
        given = values.get(left_out.name_property) if left_out.name_property else None
        return left_out.reference(context, str(given or f"{context.stack.name}-{logical_id}"))
    properties = Properties(logical_id, kind, values, context.stack.left_out)
    reference = _MAKERS[kind](context, properties)
    properties.done()
    context.stack.created.append(Created(logical_id, kind, reference.ref))
    return reference


def _outputs(declared: Mapping[str, Mapping[str, Any]], resolver: Resolver) -> dict[str, str]:
    wanted = {
        name: output
        for name, output in declared.items()
        if "Condition" not in output or resolver.condition(output["Condition"])
    }
    return {name: str(resolver.resolve(output["Value"])) for name, output in wanted.items()}
