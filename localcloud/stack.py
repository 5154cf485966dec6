"""What the template declares, once resolved: plain records that the event pump and the runtime work from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.events import Pattern


@dataclass(frozen=True)
class LeftOut:
    """Name a resource (`LogicalId`) or a part of one (`LogicalId.Property`) that does not exist here, and say why."""

    what: str
    why: str


@dataclass(frozen=True)
class Created:
    """Name a resource that exists here."""

    logical_id: str
    type: str
    ref: str


@dataclass(frozen=True)
class Function:
    """Describe one Lambda function as it runs here; `timeout` in seconds, `memory` in MB (told, not enforced).

    `retries` is how often a failed asynchronous invocation is tried again.
    `log_level` is that of Lambda's own filter, None where there is none.
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
    """Describe an event source mapping from a queue to a function; `window` in seconds."""

    logical_id: str
    queue_arn: str
    function_arn: str
    batch_size: int
    window: float
    reports_item_failures: bool
    max_concurrency: int


@dataclass(frozen=True)
class Rule:
    """Describe a rule of the default bus that invokes functions: by pattern, or every `rate` seconds."""

    logical_id: str
    arn: str
    pattern: Pattern | None
    rate: float | None
    function_arns: tuple[str, ...]


@dataclass(frozen=True)
class LogSubscription:
    """Describe which lines of a log group a function gets: those in which a member has one of these values."""

    logical_id: str
    group: str
    function_arn: str
    wanted: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class SftpServer:
    """Describe an SFTP server: which function it asks about logins, and where it logs."""

    logical_id: str
    server_id: str
    arn: str
    function_arn: str
    log_group: str


@dataclass
class Stack:
    """Collect everything that came out of one template."""

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
    outputs: dict[str, str] = field(default_factory=dict)

    def arn(self, service: str, resource: str) -> str:
        """Write an ARN of this stack's account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"

    def leave_out(self, what: str, why: str) -> None:
        """Note something that the template declares and that does not exist here."""
        self.left_out.append(LeftOut(what, why))
