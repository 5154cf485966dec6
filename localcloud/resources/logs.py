"""CloudWatch log groups."""

from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference


def make_log_group(context: Context, properties: Properties) -> Reference:
    """Create a log group with its retention and key."""
    logs = context.client("logs")
    name = context.name(properties, properties.take("LogGroupName"))
    logs.create_log_group(logGroupName=name, **properties.renamed({"KmsKeyId": "kmsKeyId"}))
    days = properties.take("RetentionInDays")
    if days is not None:
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    return Reference(name, {"Arn": context.stack.arn("logs", f"log-group:{name}:*")})
