"""Parameters of Systems Manager."""

from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference


def make_parameter(context: Context, properties: Properties) -> Reference:
    """Create a parameter."""
    name = context.name(properties, properties.take("Name"))
    value, kind = properties.require("Value"), properties.require("Type")
    options = properties.renamed({"Description": "Description", "Tier": "Tier"})
    context.client("ssm").put_parameter(Name=name, Value=value, Type=kind, **options)
    return Reference(name, {"Type": kind, "Value": value})
