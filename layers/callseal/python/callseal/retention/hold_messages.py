"""The messages by which holds are placed and released, in the queue of lock_recordings."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.core.errors import UnreadableNotificationError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# The walk over a hold's calls begins so long after the hold is stored. A card that was written before is in the table's
# indexes by then: they follow the table "within a fraction of a second, under normal conditions"
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html).
SETTLE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class HoldMessage:
    """A part of the work on a hold. `cursor` is where the work continues, None at its beginning."""

    tenant: str
    hold: str
    cursor: str | None = None


def hold_message(body: str) -> HoldMessage | None:
    """Return the message of a body, or None if the body is of another kind. Raise UnreadableNotificationError."""
    try:
        members: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict) or "hold" not in members:
        return None
    tenant, hold, cursor = (members.get(name) for name in ("tenant", "hold", "cursor"))
    if isinstance(tenant, str) and isinstance(hold, str) and (cursor is None or isinstance(cursor, str)):
        return HoldMessage(tenant, hold, cursor)
    raise UnreadableNotificationError("The message is no message of a hold: a member is missing or malformed.")


class HoldQueue:
    """Sends messages of holds."""

    def __init__(self, client: SQSClient, url: str) -> None:
        """Take the client and the URL of lock_recordings' queue."""
        self._client, self._url = client, url

    def put(self, message: HoldMessage) -> None:
        """Send a message. One without a cursor is delivered SETTLE_SECONDS later."""
        delay = 0 if message.cursor else SETTLE_SECONDS
        with calling("Sending the message of a hold"):
            self._client.send_message(QueueUrl=self._url, MessageBody=json.dumps(asdict(message)), DelaySeconds=delay)
