"""What other tables keep of a call: its waveforms, its shares, and the register's rows of its files."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.aws.items import item, plain
from callseal.calls.call_name import CallName, call_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REMOVING = "Removing what a table has of a call"


class CallTraces:
    """Removes them."""

    def __init__(self, client: DynamoDBClient, waveforms: str, shares: str, register: str) -> None:
        """Take the client and the names of the tables."""
        self._client, self._waveforms, self._shares, self._register = client, waveforms, shares, register

    def remove_waveforms(self, tenant: str, call: str) -> None:
        """Delete a call's waveforms. Their places begin with the call's id."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._waveforms,
            KeyConditionExpression="tenant = :tenant AND begins_with(place, :call)",
            ExpressionAttributeValues=item({":tenant": tenant, ":call": f"{call}#"}),
            ProjectionExpression="place",
            ConsistentRead=True,
        )
        with calling(REMOVING):
            places = [plain(found)["place"] for page in pages for found in page["Items"]]
            for place in places:
                self._client.delete_item(TableName=self._waveforms, Key=item({"tenant": tenant, "place": place}))

    def cancel_shares(self, tenant: str, call: str, now: datetime) -> None:
        """Cancel a call's shares. Those that are over stay as they are."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._shares,
            IndexName="tenant",
            KeyConditionExpression="tenant = :tenant",
            FilterExpression="#call = :call AND attribute_not_exists(cancelled)",
            ExpressionAttributeNames={"#call": "call"},
            ExpressionAttributeValues=item({":tenant": tenant, ":call": call}),
        )
        with calling(REMOVING):
            for share in [plain(found)["id"] for page in pages for found in page["Items"]]:
                # The table's TTL may have removed it meanwhile.
                change: Any = {"ConditionExpression": "attribute_exists(id)"}
                self._cancel(share, int(now.timestamp()), change)

    def remove_rows_of_call(self, call: CallName) -> None:
        """Delete the register's rows of all files of a call, so that nothing reports that they were not fetched.

        A copy that expired before, or that its recipient deleted, still has a row.
        The call may have ended meanwhile, so its card may not name its files any more.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._register,
            KeyConditionExpression="tenant = :tenant AND begins_with(#key, :name)",
            ExpressionAttributeNames={"#key": "key"},
            ExpressionAttributeValues=item({":tenant": call.tenant, ":name": f"{call.tenant}/{call.name}."}),
            ProjectionExpression="#key",
            ConsistentRead=True,
        )
        with calling(REMOVING):
            keys = [plain(found)["key"] for page in pages for found in page["Items"]]
            for key in keys:
                if call_of(key) == call:
                    row = item({"tenant": call.tenant, "key": key})
                    self._client.delete_item(TableName=self._register, Key=row)

    def _cancel(self, share: str, now: int, change: Any) -> None:
        try:
            self._client.update_item(
                TableName=self._shares,
                Key=item({"id": share}),
                UpdateExpression="SET cancelled = if_not_exists(cancelled, :now)",
                ExpressionAttributeValues=item({":now": now}),
                **change,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return
