"""audit_sftp: what the SFTP server logs of logins and refused operations, and that files were fetched, is audited.

The events: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample and
https://docs.aws.amazon.com/transfer/latest/userguide/events-detail-reference.html
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.aws.bus import AuditBus
from callseal.sftp.events import told_by_server
from callseal.wiring import Parts


@cache
def bus() -> AuditBus:
    """Make ready, once per execution environment."""
    return Parts(os.environ).bus


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Put an audit event for all of interest; an invocation that fails comes again, with the same ids."""
    told = list(told_by_server(event, os.environ["SFTP_BUCKET"]))
    for audit_event in told:
        bus().put(audit_event)
    Logger().info("server heard", extra={"events": len(told)})
    return {"events": len(told)}
