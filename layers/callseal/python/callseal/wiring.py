"""Wiring: from a function's environment variables (template.yaml sets them) to the parts that it works with."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from time import sleep

from boto3.session import Session

from callseal.aws.bus import AuditBus
from callseal.aws.calls import client
from callseal.aws.landing_bucket import LandingBucket
from callseal.aws.meter import Meter
from callseal.aws.output_buckets import OutputBuckets
from callseal.aws.queue import EncryptQueue
from callseal.aws.sftp_keys import SftpKeys
from callseal.aws.sweep_position import SweepPosition
from callseal.aws.tenants import Tenants
from callseal.commit import Committer
from callseal.planning import Planner
from callseal.recipients import gpg_factory
from callseal.sftp.session import SessionSettings
from callseal.sftp_login import SftpLogins

PARTS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Parts:
    """What the functions are made of, on clients of one session."""

    landing: LandingBucket
    queue: EncryptQueue
    bus: AuditBus
    planner: Planner
    committer: Committer
    position: SweepPosition
    meter: Meter


def wire(env: Mapping[str, str]) -> Parts:
    """Wire everything up; raises KeyError naming an environment variable that is missing."""
    session = Session()
    s3 = client(session, "s3")
    gpg = gpg_factory(env["GPG_BINARY"])
    secrets, ssm = client(session, "secretsmanager"), client(session, "ssm")
    tenants = Tenants(secrets, ssm, env["TENANTS_PREFIX"], gpg, now)
    landing = LandingBucket(s3, env["LANDING_BUCKET"])
    outputs = OutputBuckets(s3, ThreadPoolExecutor(PARTS_AT_ONCE, "part"))
    return Parts(
        landing=landing,
        queue=EncryptQueue(client(session, "sqs"), env["ENCRYPT_QUEUE_URL"]),
        bus=AuditBus(client(session, "events"), env["AUDIT_BUS"]),
        planner=Planner(tenants, {"archive": env["ARCHIVE_BUCKET"], "sftp": env["SFTP_BUCKET"]}, now),
        committer=Committer(landing, outputs, gpg),
        position=SweepPosition(ssm, env["SWEEP_POSITION"]),
        meter=Meter(env["STACK_NAME"]),
    )


def wire_sftp_logins(env: Mapping[str, str]) -> SftpLogins:
    """Wire up what answers logins; raises KeyError naming an environment variable that is missing."""
    session = Session()
    secrets, prefix = client(session, "secretsmanager"), env["TENANTS_PREFIX"]
    tenants = Tenants(secrets, client(session, "ssm"), prefix, gpg_factory(env["GPG_BINARY"]), now)
    settings = SessionSettings(
        role_arn=env["SFTP_SESSION_ROLE_ARN"],
        bucket=env["SFTP_BUCKET"],
        bucket_arn=env["SFTP_BUCKET_ARN"],
        key_arn=env["STACK_KEY_ARN"],
        region=env["AWS_REGION"],
    )
    return SftpLogins(SftpKeys(secrets, prefix), tenants, wire_bus(env, session), settings, now, sleep)


def wire_bus(env: Mapping[str, str], session: Session | None = None) -> AuditBus:
    """Wire up the audit bus."""
    return AuditBus(client(session or Session(), "events"), env["AUDIT_BUS"])


def now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)
