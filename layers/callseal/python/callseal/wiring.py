"""Wiring: from a function's environment variables (template.yaml sets them) to the parts that it works with."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from time import sleep

from boto3.session import Session

from callseal.aws.bus import AuditBus
from callseal.aws.calls import client, client_later
from callseal.aws.file_register import FileRegister
from callseal.aws.gathering import Rendezvous
from callseal.aws.key_files import KeyFiles
from callseal.aws.key_register import KeyRegister
from callseal.aws.key_uses import KeyUses
from callseal.aws.landing_bucket import LandingBucket
from callseal.aws.meter import Meter
from callseal.aws.output_buckets import OutputBuckets
from callseal.aws.queue import EncryptQueue
from callseal.aws.sftp_keys import SftpKeys
from callseal.aws.sweep_position import SweepPosition
from callseal.aws.tenants import Tenants
from callseal.aws.told import Memory
from callseal.commit import Committer
from callseal.log import Log
from callseal.planning import Planner
from callseal.recipients import GpgFactory, gpg_factory
from callseal.sftp.session import SessionSettings
from callseal.sftp_login import SftpLogins
from callseal.tracking import Tracking
from callseal.watching import Watch

PARTS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Parts:
    """What the functions are made of, on clients of one session."""

    landing: LandingBucket
    queue: EncryptQueue
    rendezvous: Rendezvous
    bus: AuditBus
    planner: Planner
    committer: Committer
    position: SweepPosition
    meter: Meter
    gpg: GpgFactory
    tenants: Tenants
    register: KeyRegister
    key_uses: KeyUses
    memory: Memory
    key_files: KeyFiles


def wire(env: Mapping[str, str]) -> Parts:
    """Wire everything up; raises KeyError naming an environment variable that is missing."""
    session = Session()
    s3 = client(session, "s3")
    gpg = gpg_factory(env["GPG_BINARY"])
    secrets, ssm = client(session, "secretsmanager"), client(session, "ssm")
    dynamodb = client_later(session, "dynamodb")
    register = KeyRegister(dynamodb, env["KEY_REGISTER"])
    tenants = Tenants(secrets, ssm, register, env["TENANTS_PREFIX"], gpg, now)
    rendezvous = Rendezvous()
    landing = LandingBucket(s3, env["LANDING_BUCKET"], rendezvous)
    outputs = OutputBuckets(s3, ThreadPoolExecutor(PARTS_AT_ONCE, "part"))
    return Parts(
        landing=landing,
        rendezvous=rendezvous,
        queue=EncryptQueue(client(session, "sqs"), env["ENCRYPT_QUEUE_URL"]),
        bus=AuditBus(client(session, "events"), env["AUDIT_BUS"], rendezvous),
        planner=Planner(tenants, {"archive": env["ARCHIVE_BUCKET"], "sftp": env["SFTP_BUCKET"]}, now),
        committer=Committer(landing, outputs, gpg),
        position=SweepPosition(ssm, env["SWEEP_POSITION"]),
        meter=Meter(env["STACK_NAME"]),
        gpg=gpg,
        tenants=tenants,
        register=register,
        key_uses=KeyUses(dynamodb, env["KEY_REGISTER"], env["KEY_EVENTS"]),
        memory=Memory(dynamodb, env["KEY_EVENTS"]),
        key_files=KeyFiles(s3, env["SFTP_BUCKET"]),
    )


def wire_sftp_logins(env: Mapping[str, str]) -> SftpLogins:
    """Wire up what answers logins; raises KeyError naming an environment variable that is missing."""
    session = Session()
    secrets, prefix = client(session, "secretsmanager"), env["TENANTS_PREFIX"]
    # Settings are all that is asked of the tenants here: neither the register nor gpg is ever reached.
    register = KeyRegister(client_later(session, "dynamodb"), env["KEY_REGISTER"])
    tenants = Tenants(secrets, client(session, "ssm"), register, prefix, gpg_factory(env["GPG_BINARY"]), now)
    settings = SessionSettings(
        role_arn=env["SFTP_SESSION_ROLE_ARN"],
        bucket=env["SFTP_BUCKET"],
        bucket_arn=env["SFTP_BUCKET_ARN"],
        key_arn=env["STACK_KEY_ARN"],
        region=env["AWS_REGION"],
    )
    return SftpLogins(SftpKeys(secrets, prefix), tenants, wire_bus(env, session), settings, now, sleep)


def wire_tracking(env: Mapping[str, str], log: Log) -> Tracking:
    """Wire up what writes the register of delivered files; raises KeyError naming a variable that is missing."""
    files = FileRegister(client_later(Session(), "dynamodb"), env["FILE_REGISTER"])
    return Tracking(files, int(env["SFTP_RETENTION_DAYS"]), log)


def wire_watch(env: Mapping[str, str], log: Log) -> Watch:
    """Wire up what tells of files that are not fetched; raises KeyError naming a variable that is missing."""
    session, rendezvous = Session(), Rendezvous()
    files = FileRegister(client_later(session, "dynamodb"), env["FILE_REGISTER"])
    bus = AuditBus(client(session, "events"), env["AUDIT_BUS"], rendezvous)
    return Watch(files, bus, rendezvous, env["SFTP_BUCKET"], now, log)


def wire_bus(env: Mapping[str, str], session: Session | None = None) -> AuditBus:
    """Wire up the audit bus."""
    return AuditBus(client(session or Session(), "events"), env["AUDIT_BUS"], Rendezvous())


def now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)
