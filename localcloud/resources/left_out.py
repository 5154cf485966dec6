"""Resource types that the local cloud leaves out, each with the reason and the values for references to it."""

from collections.abc import Callable
from dataclasses import dataclass

from localcloud.resources.context import Context, Reference


@dataclass(frozen=True)
class LeftOutType:
    """Why a type is left out. `arn` returns service and resource of its ARN for a name, if it has an ARN."""

    why: str
    name_property: str | None = None
    arn: Callable[[str], tuple[str, str]] | None = None

    def reference(self, context: Context, name: str) -> Reference:
        """Return name and ARN as if the resource existed."""
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
    "AWS::Lambda::Permission": LeftOutType("nothing here enforces who may invoke a function"),
    "AWS::Logs::ResourcePolicy": LeftOutType("nothing here enforces who may write to a log group"),
}
