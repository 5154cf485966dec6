"""A message of a queue, and the names that the sweep puts into the notifications it writes."""

from dataclasses import dataclass

# S3 ends an eventName with Put, Copy and the like. The sweep ends it with one of these two.
PUT_BACK, PUT_BACK_UNREADABLE = "PutBack", "PutBackUnreadable"


@dataclass(frozen=True, slots=True)
class Message:
    """One SQS message as Lambda passes it. `receives` counts its deliveries, including this one."""

    id: str
    receipt_handle: str
    receives: int
    body: str
