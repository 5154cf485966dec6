"""A message of a queue, and the event names in the notifications that Callseal writes."""

from dataclasses import dataclass

# In S3's notifications, an eventName ends with Put, Copy or the like. In Callseal's, it ends with PUT_BACK, and with
# each flag of the landed object that is set.
PUT_BACK = "PutBack"
FLAGS = {"was_unreadable": "Unreadable", "was_indexed": "Indexed", "was_held": "Held"}


@dataclass(frozen=True, slots=True)
class Message:
    """One SQS message as Lambda passes it. `receives` counts its deliveries, including this one."""

    id: str
    receipt_handle: str
    receives: int
    body: str
