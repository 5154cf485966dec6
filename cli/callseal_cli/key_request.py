"""A request for a key check, right after a tenant's key was written.

Secrets Manager documents its event for a label that moves to another version, and none for a new secret; without the
request a first key could wait for the sweep or the daily check.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html
"""

from __future__ import annotations

import json

from botocore.exceptions import BotoCoreError, ClientError

from callseal_cli.stack import Stack

FAILED = (
    "The check of the key could not be requested ({why}). The sweep requests it once a file lands, and the daily check "
    "judges every key."
)


def request_check(stack: Stack, tenant: str) -> str:
    """Invoke the stack's check-keys function asynchronously; returns "", or a sentence if that failed.

    A failure is no reason to fail the command: the key is written.
    """
    event = json.dumps({"tenant": tenant}).encode()
    try:
        stack.client("lambda").invoke(FunctionName=f"{stack.name}-check-keys", InvocationType="Event", Payload=event)
    except ClientError as exc:
        return FAILED.format(why=exc.response.get("Error", {}).get("Code", "unknown"))
    except BotoCoreError as exc:
        return FAILED.format(why=type(exc).__name__)
    return ""
