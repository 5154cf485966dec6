"""Resource types that the local cloud knows and leaves out, each with the reason and what a Ref of it gives."""

from collections.abc import Callable
from dataclasses import dataclass

from localcloud.resources.context import Context, Reference


@dataclass(frozen=True)
class LeftOutType:
    """Say why a type is left out; `arn` gives service and resource of its ARN, when it has one."""

    why: str
    name_property: str | None = None
    arn: Callable[[str], tuple[str, str]] | None = None

    def reference(self, context: Context, name: str) -> Reference:
        """Give names and ARNs as if the resource were there, for those that refer to it."""
        if self.arn is None:
            return Reference(name)
        return Reference(name, {"Arn": context.stack.arn(*self.arn(name))})


LEFT_OUT_TYPES = {
    "AWS::CloudWatch::Alarm": LeftOutType(
        "nothing here measures metrics", "AlarmName", lambda name: ("cloudwatch", f"alarm:{name}")
    ),
    "AWS::CloudWatch::Dashboard": LeftOutType("nothing here measures metrics", "DashboardName"),
    "AWS::Events::EventBusPolicy": LeftOutType("nothing here enforces who may put events on a bus"),
    "AWS::IAM::Role": LeftOutType(
        "nothing here enforces IAM: every credential may do everything",
        "RoleName",
        lambda name: ("iam", f"role/{name}"),
    ),
    "AWS::KinesisFirehose::DeliveryStream": LeftOutType(
        "moto's Firehose writes no object by time or size: read the audit log group instead",
        "DeliveryStreamName",
        lambda name: ("firehose", f"deliverystream/{name}"),
    ),
    "AWS::Lambda::Permission": LeftOutType("nothing here enforces who may invoke a function"),
    "AWS::Logs::ResourcePolicy": LeftOutType("nothing here enforces who may write to a log group"),
}
