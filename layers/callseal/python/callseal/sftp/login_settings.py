"""Copies of tenants' settings for logins, so that a flood of logins cannot use up Parameter Store's quota.

Parameter Store answers 40 reads a second for a whole account (https://docs.aws.amazon.com/general/latest/gr/ssm.html),
and anyone can attempt a login under a tenant's name. A login therefore reads a copy in DynamoDB. All logins of a stack
together refresh copies at most once in CLAIM_TIME.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.aws.items import item, plain
from callseal.core.errors import CallsealError, HeldError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from callseal.core.clock import Clock
    from callseal.tenants.directory import Tenants

# A copy that is younger is used without a read of Parameter Store.
FRESH_TIME = timedelta(seconds=5)
# Four reads a second at most: a tenth of the quota.
CLAIM_TIME = timedelta(seconds=0.25)
# The copy of a tenant without a login for this long expires.
KEPT_TIME = timedelta(days=30)
# The key of the claim's item: a tenant's name cannot have this form.
_CLAIM = "#read"


class _ClaimedError(CallsealError):
    """Another login has claimed the read of Parameter Store."""


class LoginSettings:
    """Reads tenants' settings for logins, from a copy if it is fresh or Parameter Store was read within CLAIM_TIME."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, tenants: Tenants, clock: Clock) -> None:
        """Take the client, the name of the table of copies, and the reader of the settings themselves."""
        self._dynamodb, self._table, self._tenants, self._clock = dynamodb, table, tenants, clock

    def text(self, tenant: str) -> str | None:
        """Return the text of a tenant's settings, or None if it has none. Raise TransientError if the read failed.

        The caller must have checked that the tenant exists.
        """
        now, copy = self._clock(), self._copy(tenant)
        if copy is None:
            return self._refresh(tenant, now)
        is_fresh = copy["read"] > _milliseconds(now - FRESH_TIME)
        if is_fresh or not self._claim(now):
            return copy.get("settings")
        try:
            return self._refresh(tenant, now)
        except TransientError:
            return copy.get("settings")

    def knows(self, tenant: str) -> bool:
        """Return whether a login has been attempted for this tenant and the tenant exists."""
        return self._copy(tenant) is not None

    def _copy(self, tenant: str) -> dict[str, Any] | None:
        with calling("Reading the copy of a tenant's settings"):
            found = self._dynamodb.get_item(TableName=self._table, Key={"tenant": {"S": tenant}}).get("Item")
        return plain(found) if found else None

    def _claim(self, now: datetime) -> bool:
        """Claim the next read of Parameter Store. Return whether the claim succeeded."""
        # A throttled claim has failed, like one that comes second.
        lost = ("ConditionalCheckFailedException", "ProvisionedThroughputExceededException", "ThrottlingException")
        try:
            with calling("Claiming a read of settings", **{f"on_{code}": _ClaimedError for code in lost}):
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item({"tenant": _CLAIM, "read": _milliseconds(now)}),
                    ConditionExpression="attribute_not_exists(#read) OR #read <= :before",
                    ExpressionAttributeNames={"#read": "read"},
                    ExpressionAttributeValues={":before": {"N": str(_milliseconds(now - CLAIM_TIME))}},
                )
        except _ClaimedError:
            return False
        return True

    def _refresh(self, tenant: str, now: datetime) -> str | None:
        try:
            text = self._tenants.settings_text(tenant)
        except HeldError:
            text = None
        members = {"tenant": tenant, "settings": text, "read": _milliseconds(now)}
        expires = int((now + KEPT_TIME).timestamp())
        with calling("Writing the copy of a tenant's settings"):
            self._dynamodb.put_item(TableName=self._table, Item=item({**members, "expires_at": expires}))
        return text


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
