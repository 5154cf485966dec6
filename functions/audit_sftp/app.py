"""audit_sftp: what the SFTP server logs of logins and refused operations goes to the audit bus.

The event: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.aws.bus import AuditBus
from callseal.sftp.events import of_log_line
from callseal.sftp.server_log import log_lines
from callseal.wiring import wire_bus


@cache
def bus() -> AuditBus:
    """Make ready, once per execution environment."""
    return wire_bus(os.environ)


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Put an audit event for each line of interest; a batch that fails comes again, with the same ids."""
    told = [audit_event for line in log_lines(event) if (audit_event := of_log_line(line))]
    for audit_event in told:
        bus().put(audit_event)
    Logger().info("server log read", extra={"events": len(told)})
    return {"events": len(told)}
