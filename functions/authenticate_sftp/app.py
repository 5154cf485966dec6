"""authenticate_sftp: answer the SFTP server's login requests with the user's keys and session, or with nothing.

The event and the answer: https://docs.aws.amazon.com/transfer/latest/userguide/custom-lambda-idp.html
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from callseal.sftp.authenticate_sftp import SftpLogins
from callseal.sftp.login import parse_login
from callseal.wiring.container import Container
from callseal.wiring.env import read_env


@dataclass(frozen=True)
class Env:
    """The function's environment variables."""

    aws_region: str
    gpg_binary: str
    login_notice_queue_url: str
    login_settings: str
    sftp_bucket: str
    sftp_bucket_arn: str
    sftp_session_role_arn: str
    stack_key_arn: str
    tenants_prefix: str


@cache
def logins() -> SftpLogins:
    """Make the handler, once per execution environment."""
    return Container(read_env(Env, os.environ)).sftp_logins(Logger())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return the session and its keys, or an empty answer, whatever the reason."""
    return logins().answer(parse_login(event))
