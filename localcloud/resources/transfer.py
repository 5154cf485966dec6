"""SFTP servers of AWS Transfer Family, in place of which `localcloud/sftp` serves."""

from localcloud.errors import TemplateError
from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference
from localcloud.stack import SftpServer


def make_server(context: Context, properties: Properties) -> Reference:
    """Record which function a server invokes for logins, and where it logs."""
    logical_id = properties.logical_id
    expected = {"Domain": "S3", "Protocols": ["SFTP"], "IdentityProviderType": "AWS_LAMBDA"}
    for name, value in expected.items():
        if properties.require(name) != value:
            raise TemplateError(f"{logical_id}: the local cloud knows an SFTP server with {name} {value} only.")
    identity = properties.nested("IdentityProviderDetails")
    function_arn = identity.require("Function") if identity else ""
    if function_arn not in context.stack.functions:
        raise TemplateError(f"{logical_id}: its Function {function_arn or '(none)'} is not a function of this stack.")
    if identity:
        identity.leave_out("SftpAuthenticationMethods", "the server offers passwords too; the function refuses them")
    protocol = properties.nested("ProtocolDetails")
    if protocol and protocol.require("SetStatOption") != "ENABLE_NO_OP":
        # The local server accepts a change of a file's times, and does nothing.
        raise TemplateError(f"{logical_id}: the local cloud knows an SFTP server with SetStatOption ENABLE_NO_OP only.")
    (log_arn,) = properties.require("StructuredLogDestinations")
    server_id = f"s-local-{logical_id.lower()}"
    arn = context.stack.arn("transfer", f"server/{server_id}")
    group = log_arn.split(":log-group:")[1].removesuffix(":*")
    context.stack.sftp_servers.append(SftpServer(logical_id, server_id, arn, function_arn, group))
    _leave_out(properties)
    return Reference(arn, {"Arn": arn, "ServerId": server_id})


def _leave_out(properties: Properties) -> None:
    properties.leave_out("EndpointType", "the server listens on 127.0.0.1")
    properties.leave_out(
        "SecurityPolicyName", "the server offers the AES ciphers and SHA-2 signatures of Transfer's newer policies"
    )
    properties.leave_out("S3StorageOptions", "the server lists without a cache")
