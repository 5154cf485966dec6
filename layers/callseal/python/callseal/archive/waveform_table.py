"""The waveforms that were drawn, in DynamoDB: one item for each content of a call's file.

The table's key is `tenant` and `place`, which begins with the call's id, so a query finds all waveforms of a call. A
place has the file's etag or SHA-256: a file that was delivered again has another waveform.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from callseal.archive.waveform import Waveform
from callseal.aws.calls import calling
from callseal.aws.items import item, plain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class WaveformTable:
    """Reads and writes waveforms. Thread-safe."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def get(self, tenant: str, place: str) -> Waveform | None:
        """Return a waveform, or None if it was not drawn yet."""
        key = item({"tenant": tenant, "place": place})
        with calling("Reading a waveform"):
            answer = self._client.get_item(TableName=self._table, Key=key)
        if not (found := plain(answer.get("Item", {}))):
            return None
        left = b64decode(found["left"])
        right = b64decode(found["right"]) if "right" in found else left
        return Waveform(left, right, found["milliseconds"] / 1000)

    def put(self, tenant: str, place: str, waveform: Waveform) -> None:
        """Keep a waveform. Drawn again, it is the same."""
        is_mono = waveform.left == waveform.right
        members = {
            "tenant": tenant,
            "place": place,
            "left": b64encode(waveform.left).decode(),
            "right": None if is_mono else b64encode(waveform.right).decode(),
            "milliseconds": round(waveform.seconds * 1000),
        }
        with calling("Writing a waveform"):
            self._client.put_item(TableName=self._table, Item=item(members))
