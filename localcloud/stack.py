"""The resolved template as plain records for the event pump and the runtime."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.events import Pattern
from localcloud.http.front import Front


@dataclass(frozen=True)
class LeftOut:
    """A resource (`LogicalId`) or a part of one (`LogicalId.Property`) that does not exist here, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Created:
    """A resource that exists here, with the value of its Ref."""

    logical_id: str
    type: str
    ref: str


@dataclass(frozen=True)
class Function:
    """A Lambda function as it runs here; `timeout` in seconds, `memory` in MB (passed on, but not enforced).

    `retries` is how often a failed asynchronous invocation is retried. `log_level` is that of Lambda's own filter, or
    None without a filter.
    """

    logical_id: str
    name: str
    arn: str
    code: Path
    handler: str
    timeout: float
    memory: int
    environment: Mapping[str, str]
    log_level: str | None
    layers: tuple[Path, ...]
    retries: int = 2


@dataclass(frozen=True)
class QueueMapping:
    """An event source mapping from a queue to a function; `window` in seconds."""

    logical_id: str
    queue_arn: str
    function_arn: str
    batch_size: int
    window: float
    reports_item_failures: bool
    max_concurrency: int


@dataclass(frozen=True)
class Rule:
    """A rule of the default bus that invokes functions, by pattern or every `rate` seconds."""

    logical_id: str
    arn: str
    pattern: Pattern | None
    rate: float | None
    function_arns: tuple[str, ...]


@dataclass(frozen=True)
class LogSubscription:
    """A function's subscription to a log group: the lines that have one of the (member, value) pairs `wanted`."""

    logical_id: str
    group: str
    function_arn: str
    wanted: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class SftpServer:
    """An SFTP server, with the function that it invokes for logins, and its log group."""

    logical_id: str
    server_id: str
    arn: str
    function_arn: str
    log_group: str


@dataclass(frozen=True)
class DeliveryStream:
    """A delivery stream into a bucket, with the queue that holds its records here. `prefix` is for strftime."""

    logical_id: str
    name: str
    queue_arn: str
    bucket: str
    prefix: str
    gzip: bool
    delimiter: str


@dataclass
class Stack:
    """Everything that was created from one template."""

    name: str
    region: str
    account_id: str
    created: list[Created] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    mappings: list[QueueMapping] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    subscriptions: list[LogSubscription] = field(default_factory=list)
    sftp_servers: list[SftpServer] = field(default_factory=list)
    streams: dict[str, DeliveryStream] = field(default_factory=dict)
    front: Front = field(default_factory=Front)
    outputs: dict[str, str] = field(default_factory=dict)

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN in this stack's account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"

    def leave_out(self, what: str, why: str) -> None:
        """Record a resource, or a part of one, that the template declares and that does not exist here."""
        self.left_out.append(LeftOut(what, why))
