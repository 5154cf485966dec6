"""DynamoDB tables."""

from typing import Any

from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference


def make_table(context: Context, properties: Properties) -> Reference:
    """Create a table with its encryption, time to live and point-in-time recovery."""
    dynamodb, name = context.client("dynamodb"), context.name(properties, properties.take("TableName"))
    created = dynamodb.create_table(TableName=name, **_options(properties))["TableDescription"]
    _time_to_live(dynamodb, name, properties)
    _recovery(dynamodb, name, properties)
    properties.leave_out("Tags", "nothing here reads a table's tags")
    return Reference(name, {"Arn": created["TableArn"]})


def _options(properties: Properties) -> dict[str, Any]:
    plain = ("AttributeDefinitions", "KeySchema", "BillingMode", "DeletionProtectionEnabled")
    options = properties.renamed({name: name for name in plain})
    if indexes := properties.each("GlobalSecondaryIndexes"):
        members = {name: name for name in ("IndexName", "KeySchema", "Projection")}
        options["GlobalSecondaryIndexes"] = [index.renamed(members) for index in indexes]
    encryption = properties.nested("SSESpecification")
    if encryption:
        names = {"SSEEnabled": "Enabled", "SSEType": "SSEType", "KMSMasterKeyId": "KMSMasterKeyId"}
        options["SSESpecification"] = encryption.renamed(names)
    return options


def _time_to_live(dynamodb: Any, table: str, properties: Properties) -> None:
    lifetime = properties.nested("TimeToLiveSpecification")
    if lifetime:
        names = {"AttributeName": "AttributeName", "Enabled": "Enabled"}
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=lifetime.renamed(names))
        properties.report_left_out("TimeToLiveSpecification", "moto stores it, but deletes no items")


def _recovery(dynamodb: Any, table: str, properties: Properties) -> None:
    recovery = properties.nested("PointInTimeRecoverySpecification")
    if recovery:
        names = {"PointInTimeRecoveryEnabled": "PointInTimeRecoveryEnabled"}
        dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=recovery.renamed(names))
