"""Request a key check right after a tenant's key was written.

Secrets Manager documents an event for a label that moves to another version, but none for a new secret. Without the
request, a first key could wait for the sweep or the daily check.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html
"""

from __future__ import annotations

import json

from botocore.exceptions import BotoCoreError, ClientError

from callseal_cli.stack import Stack

FAILED = (
    "The check of the key could not be requested ({why}). The sweep requests it when a file lands, and the daily check "
    "judges every key."
)


def function_name(stack: Stack) -> str:
    """Return the name of the stack's function check_keys."""
    return f"{stack.name}-check-keys"


def request_check(stack: Stack, tenant: str) -> str:
    """Invoke check_keys asynchronously. Return "", or a sentence if that failed.

    A failure does not fail the command, because the key is already stored.
    """
    event = json.dumps({"tenant": tenant}).encode()
    try:
        stack.client("lambda").invoke(FunctionName=function_name(stack), InvocationType="Event", Payload=event)
    except ClientError as exc:
        return FAILED.format(why=exc.response.get("Error", {}).get("Code", "unknown"))
    except BotoCoreError as exc:
        return FAILED.format(why=type(exc).__name__)
    return ""
