"""Who did what with which call: each event goes to the audit bus, and then into a table that people can search.

The table outlives the calls. Its rows repeat the events, whose own record is the audit trail under Object Lock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.aws.items import item, plain
from callseal.core.audit import AuditEvent
from callseal.core.errors import TransientError
from callseal.inbound.http import RefusedRequestError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from callseal.aws.bus import AuditBus

# The indexes beside the table's own key `tenant`, each with the hash key of its name.
INDEXES = ("call", "user")


def audit_unavailable() -> RefusedRequestError:
    """Return the refusal of what the audit cannot record."""
    sentence = "The audit trail cannot take the event at the moment, so nothing was done. Try again in a minute."
    return RefusedRequestError(HTTPStatus.SERVICE_UNAVAILABLE, "AuditUnavailable", sentence)


class AccessTrail:
    """Records acts, and finds them again, newest first."""

    def __init__(self, bus: AuditBus, client: DynamoDBClient, table: str) -> None:
        """Take the audit bus, the client and the table's name."""
        self._bus, self._client, self._table = bus, client, table

    def record(self, event: AuditEvent) -> None:
        """Record an act before it happens. Raise RefusedRequestError `AuditUnavailable` if it cannot be recorded."""
        try:
            self._bus.put(event)
            with calling("Writing an audit row"):
                self._client.put_item(TableName=self._table, Item=item(_row(event)))
        except TransientError as exc:
            raise audit_unavailable() from exc

    def rows(
        self, tenant: str, index: str | None, value: str | None, low: str, high: str, limit: int
    ) -> list[tuple[str, dict[str, Any]]]:
        """Return the newest rows of a tenant with their places, from `low` to before `high`.

        `index` is one of INDEXES with the value that the rows have, or None for all rows.
        """
        query: dict[str, Any] = {"IndexName": index} if index else {}
        key, of_key = (index, f"{tenant}#{value}") if index else ("tenant", tenant)
        with calling("Reading the audit rows"):
            found = self._client.query(
                TableName=self._table,
                **query,
                KeyConditionExpression="#key = :key AND #place BETWEEN :low AND :high",
                ExpressionAttributeNames={"#key": key, "#place": "place"},
                ExpressionAttributeValues=item({":key": of_key, ":low": low, ":high": high}),
                ScanIndexForward=False,
                # The row at `high` itself is left out below.
                Limit=limit + 1,
            )
        rows = [plain(each) for each in found["Items"]]
        return [(row["place"], json.loads(row["event"])) for row in rows if row["place"] != high][:limit]


def _row(event: AuditEvent) -> Mapping[str, Any]:
    detail = event.detail
    tenant, archive = detail["tenant"], detail["archive"]
    shown = {"kind": str(event.detail_type), "time": detail["time"], **archive}
    return {
        "tenant": tenant,
        "place": f"{detail['time']}#{event.id}",
        "call": f"{tenant}#{archive['call']}" if archive["call"] else None,
        "user": f"{tenant}#{archive['user']}",
        "event": json.dumps(shown, ensure_ascii=False),
    }
