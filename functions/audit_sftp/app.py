"""audit_sftp: turn the SFTP server's log lines, fetched files and refused logins into audit events.

The events: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample,
https://docs.aws.amazon.com/transfer/latest/userguide/events-detail-reference.html and
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.sftp.audit_sftp import SftpAudit
from callseal.wiring.container import Container
from callseal.wiring.env import Optional, read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    audit_bus: str
    gpg_binary: str
    login_notice_queue_url: str
    login_settings: str
    sftp_bucket: str
    sftp_server_id: Optional
    tenants_prefix: str


@cache
def audit() -> SftpAudit:
    """Make the handler, once per execution environment."""
    return Container(read_env(Env, os.environ)).sftp_audit(Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Handle an event of the SFTP server or a batch of refused logins."""
    return audit().handle(event)
