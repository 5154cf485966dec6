"""CloudFront distributions and what belongs to them, in place of which `localcloud/http` serves."""

from collections.abc import Mapping
from typing import Any

from localcloud.errors import TemplateError
from localcloud.http.front import Behaviour, Distribution
from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference

# What a browser sees by speed alone, or what `localcloud/http` does without being asked.
_BEHAVIOUR = (
    "AllowedMethods",
    "CachePolicyId",
    "Compress",
    "FunctionAssociations",
    "OriginRequestPolicyId",
    "ViewerProtocolPolicy",
)
_DISTRIBUTION = ("Comment", "DefaultRootObject", "HttpVersion", "IPV6Enabled", "PriceClass")
_WITHOUT = "the local gateway speaks HTTP/1.1 without TLS, caches nothing and compresses nothing"
# By the API's name: the header, and the member that holds its value.
_TEXT_HEADERS = {
    "ContentSecurityPolicy": ("content-security-policy", "ContentSecurityPolicy"),
    "FrameOptions": ("x-frame-options", "FrameOption"),
    "ReferrerPolicy": ("referrer-policy", "ReferrerPolicy"),
}


def make_access_control(context: Context, properties: Properties) -> Reference:
    """Accept what lets a distribution read a bucket: the gateway reads the folder instead."""
    properties.leave_out("OriginAccessControlConfig", "the page is served from web/ beside the template")
    return Reference(f"{context.stack.name}-{properties.logical_id}")


def make_function(context: Context, properties: Properties) -> Reference:
    """Accept a function at the edge. `localcloud/http/pages.py` does the same as its code."""
    name = context.name(properties, properties.take("Name"))
    arn = f"arn:aws:cloudfront::{context.stack.account_id}:function/{name}"
    properties.take("AutoPublish")
    properties.take("FunctionConfig")
    properties.leave_out("FunctionCode", "localcloud/http/pages.py does the same in Python")
    return Reference(arn, {"FunctionARN": arn, "FunctionMetadata.FunctionARN": arn})


def make_headers_policy(context: Context, properties: Properties) -> Reference:
    """Record the headers that a policy adds to answers."""
    policy_id = f"{context.stack.name}-{properties.logical_id}"
    config = _require(properties, "ResponseHeadersPolicyConfig")
    for name in ("Name", "Comment"):
        config.take(name)
    security, custom = config.nested("SecurityHeadersConfig"), config.nested("CustomHeadersConfig")
    headers = _security_headers(security) if security else {}
    for item in custom.each("Items") if custom else []:
        _check_override(item)
        headers[item.require("Header").lower()] = item.require("Value")
    context.stack.front.policies[policy_id] = headers
    return Reference(policy_id, {"Id": policy_id})


def make_distribution(context: Context, properties: Properties) -> Reference:
    """Record which paths go to the API, and which to the page."""
    front, logical_id = context.stack.front, properties.logical_id
    config = _require(properties, "DistributionConfig")
    if config.require("Enabled") is not True or front.distribution:
        raise TemplateError(f"{logical_id}: the local cloud knows one distribution only, which is enabled.")
    to_api = {origin.require("Id"): _is_api(context, origin) for origin in config.each("Origins")}
    behaviours = [(each.require("PathPattern"), each) for each in config.each("CacheBehaviors")]
    behaviours.append(("*", _require(config, "DefaultCacheBehavior")))
    made = tuple(_behaviour(pattern, each, to_api, front.policies) for pattern, each in behaviours)
    front.distribution = Distribution(logical_id, made)
    for error in config.each("CustomErrorResponses"):
        # A page in place of an answer is not known: `done` would report it.
        error.require("ErrorCode")
        error.take("ErrorCachingMinTTL")
    for name in _DISTRIBUTION:
        config.take(name)
    properties.report_left_out("DistributionConfig", _WITHOUT)
    return Reference(f"{context.stack.name}-{logical_id}", {"DomainName": context.http_address})


def _behaviour(
    pattern: str, declared: Properties, to_api: Mapping[str, bool], policies: Mapping[str, Mapping[str, str]]
) -> Behaviour:
    origin, policy = declared.require("TargetOriginId"), declared.take("ResponseHeadersPolicyId")
    if origin not in to_api:
        raise TemplateError(f"{declared.logical_id}: it has no origin {origin}.")
    if policy is not None and policy not in policies:
        raise TemplateError(f"{declared.logical_id}: the local cloud does not know the headers policy {policy}.")
    for name in _BEHAVIOUR:
        declared.take(name)
    return Behaviour(pattern, to_api[origin], policies[policy] if policy else {})


def _is_api(context: Context, origin: Properties) -> bool:
    """Return whether an origin is the stack's HTTP API. Raise TemplateError if it is not a bucket either."""
    domain = origin.require("DomainName")
    if origin.take("S3OriginConfig") is not None:
        origin.take("OriginAccessControlId")
        return False
    if domain != context.stack.front.domain:
        raise TemplateError(f"{origin.logical_id}: the local cloud does not know the origin {domain}.")
    origin.take("CustomOriginConfig")
    return True


def _security_headers(config: Properties) -> dict[str, str]:
    headers = {}
    for name, (header, member) in _TEXT_HEADERS.items():
        declared = config.nested(name)
        if declared:
            _check_override(declared)
            headers[header] = str(declared.require(member))
    sniffing, transport = config.nested("ContentTypeOptions"), config.nested("StrictTransportSecurity")
    if sniffing:
        _check_override(sniffing)
        headers["x-content-type-options"] = "nosniff"
    if transport:
        _check_override(transport)
        headers["strict-transport-security"] = _transport_security(transport)
    return headers


def _transport_security(declared: Properties) -> str:
    flags = {"IncludeSubdomains": "includeSubDomains", "Preload": "preload"}
    named = [text for name, text in flags.items() if declared.take(name, False)]
    return "; ".join([f"max-age={declared.require('AccessControlMaxAgeSec')}", *named])


def _check_override(header: Properties) -> None:
    if header.require("Override") is not True:
        raise TemplateError(f"{header.logical_id}: the local cloud knows headers with Override true only.")


def _require(properties: Properties, name: str) -> Properties:
    properties.require(name)
    found: Any = properties.nested(name)
    return found  # type: ignore[no-any-return]
