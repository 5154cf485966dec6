"""The local cloud: moto's server, the template's resources on it, its functions as processes, and the event pump."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3

from localcloud.clock_file import ClockFile
from localcloud.environment import function_environment
from localcloud.errors import FunctionNotFoundError, InvocationError, StartError
from localcloud.http.services import MAIL_SENDER, HttpServices, declares_http_api
from localcloud.invocations import InvocationServer
from localcloud.moto_process import MotoProcess
from localcloud.pump import Pace, Pump
from localcloud.resources import create_resources
from localcloud.resources.cloudformation import register_stack
from localcloud.resources.context import Context
from localcloud.runtime import FunctionRuntime
from localcloud.sftp.front import HOST, SftpFront
from localcloud.stack import Created, Function, LeftOut, Rule, Stack
from localcloud.state_folder import StateFolder
from localcloud.template import Template, load_template

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_STACK_NAME = "callseal-local"
DEFAULT_REGION = "eu-north-1"
# As many requests reach a function at once. A process starts when it is needed.
_REQUESTS_AT_ONCE = 10


class LocalCloud:
    """Runs the system that a template declares; a context manager that leaves no process behind.

    `parameters` are the template's. `function_environment` adds variables to each function (for example a proxy's
    AWS_ENDPOINT_URL). `on_line` is called from several threads with each (logical id, log line).
    """

    def __init__(
        self,
        stack_name: str = DEFAULT_STACK_NAME,
        region: str = DEFAULT_REGION,
        parameters: Mapping[str, str] | None = None,
        state_dir: Path | None = None,
        *,
        template: Path | None = None,
        port: int = 0,
        sftp_port: int = 0,
        http_port: int = 0,
        pace: Pace | None = None,
        function_environment: Mapping[str, str] | None = None,
        on_line: Callable[[str, str], None] | None = None,
    ) -> None:
        self.stack_name, self.region = stack_name, region
        self._parameters, self._template_path = dict(parameters or {}), template or PROJECT / "template.yaml"
        self._port, self._sftp_port, self._http_port, self._pace = port, sftp_port, http_port, pace or Pace()
        self._extra_environment, self._on_line = dict(function_environment or {}), on_line
        self._state = StateFolder((state_dir or PROJECT / ".local").absolute())
        self._clock = ClockFile(self._state.clock_file)
        self._exits = contextlib.ExitStack()
        self._runtimes: dict[str, FunctionRuntime] = {}

    def __enter__(self) -> "LocalCloud":
        with contextlib.ExitStack() as exits:
            exits.enter_context(self._state.locked())
            self._start(exits)
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    @property
    def state_dir(self) -> Path:
        """The folder with outputs.json, the logs, and the SFTP front's known_hosts."""
        return self._state.path

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        return dict(self._stack.outputs)

    @property
    def left_out(self) -> list[LeftOut]:
        """What the template declares but the local cloud leaves out, each with the reason."""
        return list(self._stack.left_out)

    @property
    def created(self) -> list[Created]:
        """The resources that exist, in the order of their creation."""
        return list(self._stack.created)

    @property
    def functions(self) -> dict[str, Function]:
        """The functions by logical id."""
        return {logical_id: runtime.function for logical_id, runtime in self._runtimes.items()}

    @property
    def rules(self) -> list[Rule]:
        """The rules of the default bus that invoke functions."""
        return list(self._stack.rules)

    def client(self, service: str) -> Any:
        """Return a boto3 client for the local cloud."""
        return self._moto.client(service)

    def invoke(self, logical_id: str, event: Any) -> Any:
        """Invoke a function synchronously, even while paused, and return its answer. Raise InvocationError."""
        result = self._runtime(logical_id).invoke(event)
        if result.error is not None:
            raise InvocationError(logical_id, result.error)
        return result.payload

    def prewarm(self) -> None:
        """Start the functions' processes now and not at their first events, but not those that serve requests."""
        for arn in self._stack.functions.keys() - self._stack.front.function_arns:
            self._runtimes[self._logical_id(arn)].prewarm()

    def publish(self, event: Mapping[str, Any]) -> None:
        """Match an event in EventBridge's full shape with the default bus's rules that invoke functions."""
        self._pump.publish(event)

    def pause(self, timeout: float = 300.0) -> None:
        """Stop the pump when the work in flight has ended. Raise TimeoutError if it does not end in time."""
        self._pump.pause(timeout)

    def resume(self) -> None:
        """Continue after a pause."""
        self._pump.resume()

    def wait_until_idle(self, timeout: float = 300.0) -> None:
        """Wait until queues are empty and no invocation is due. Raise TimeoutError with what is outstanding."""
        self._pump.wait_until_idle(timeout)

    def pids(self) -> list[int]:
        """Return the ids of the running processes: moto's server, the functions and the SFTP front."""
        functions = (pid for runtime in self._runtimes.values() for pid in runtime.pids())
        return [self._moto.pid, *functions]

    def function_pids(self, logical_id: str) -> list[int]:
        """Return the ids of a function's running processes. Raise FunctionNotFoundError."""
        return self._runtime(logical_id).pids()

    def log_path(self, logical_id: str) -> Path:
        """Return the path of a function's log file."""
        return self._state.log_path(logical_id)

    def _start(self, exits: contextlib.ExitStack) -> None:
        if self.region not in boto3.Session().get_available_regions("s3"):
            raise StartError(f"There is no AWS region {self.region}.")
        template = load_template(self._template_path, self.region, self._parameters)
        self._invocations = InvocationServer()
        exits.callback(self._invocations.close)
        self._moto = MotoProcess(
            self._port,
            self.region,
            lambda line: self._state.log("moto", line),
            invocations=self._invocations.port,
            clock_file=str(self._clock.path),
            refuse_file=str(self._state.audit_refuse_file),
            mail_dir=str(self._state.mail_dir),
            mail_sender=self._parameters.get("ShareMailFrom", MAIL_SENDER),
        )
        exits.callback(self._moto.close)
        self.endpoint_url = self._moto.endpoint_url
        account_id = self._moto.client("sts").get_caller_identity()["Account"]
        root = self._template_path.parent.resolve()
        http = self._listen(template, root / "web", exits)
        stack = Stack(self.stack_name, self.region, account_id)
        context = Context(stack, self._moto.client, root, http.address if http else "")
        self._stack = create_resources(template, context, {**self._parameters, **(http.parameters if http else {})})
        register_stack(context)
        self._start_pump(exits)
        self._start_sftp(exits)
        if http:
            runtimes = {arn: self._runtimes[each.logical_id] for arn, each in stack.functions.items()}
            http.serve(stack, runtimes, self._moto.client("secretsmanager"))
        names = {
            "StackName": self.stack_name,
            "EndpointUrl": self.endpoint_url,
            "Region": self.region,
            **self._state.published,
            **(http.outputs if http else {}),
        }
        self._state.write_outputs({**self._stack.outputs, **names})

    def _listen(self, template: Template, web: Path, exits: contextlib.ExitStack) -> HttpServices | None:
        """Open the ports of the archive's gateway and its issuer, if the template declares an HTTP API."""
        if not declares_http_api(template):
            return None
        log = lambda line: self._state.log("HttpGateway", line)  # noqa: E731
        return HttpServices(template, self._parameters, self._http_port, web, self._clock, log, exits)

    def _start_pump(self, exits: contextlib.ExitStack) -> None:
        by_arn = {arn: self._make_runtime(function) for arn, function in self._stack.functions.items()}
        self._runtimes = {runtime.function.logical_id: runtime for runtime in by_arn.values()}
        self._pump = Pump(self._stack, by_arn, self._moto, self._log, self._pace)
        # Run in reverse order at the end: no new work, then no process, then no thread. moto ends last.
        exits.callback(self._pump.join, 5.0)
        for runtime in by_arn.values():
            exits.callback(runtime.close)
        exits.callback(self._pump.close)
        names = {runtime.function.name: runtime for runtime in by_arn.values()}
        self._invocations.serve(names, self._pump.submit)
        self._pump.start()

    def _start_sftp(self, exits: contextlib.ExitStack) -> None:
        """Start the stand-in for the template's SFTP server, and add its address to the outputs."""
        for server in self._stack.sftp_servers:
            runtime = self._runtimes[self._logical_id(server.function_arn)]
            front = SftpFront(
                server, self._state.path / "sftp", self.endpoint_url, self.region, runtime.invoke,
                self._moto.client("logs"), self._pump.deliver, self._pump.publish,
                lambda line: self._state.log("SftpServer", line), self._sftp_port,
            )  # fmt: skip
            exits.callback(front.close)
            self._stack.outputs |= {"SftpHost": HOST, "SftpPort": str(front.port)}

    def _logical_id(self, function_arn: str) -> str:
        return self._stack.functions[function_arn].logical_id

    def _make_runtime(self, function: Function) -> FunctionRuntime:
        environment = function_environment(function, self.endpoint_url, self.region) | self._extra_environment
        caps = [m.max_concurrency for m in self._stack.mappings if m.function_arn == function.arn]
        workers = _REQUESTS_AT_ONCE if function.arn in self._stack.front.function_arns else self._pace.workers
        concurrency = min([workers, *caps])
        return FunctionRuntime(
            function, environment, concurrency, lambda line: self._log(function.logical_id, line), self._clock
        )

    def _log(self, logical_id: str, line: str) -> None:
        self._state.log(logical_id, line)
        if self._on_line:
            self._on_line(logical_id, line)

    def _runtime(self, logical_id: str) -> FunctionRuntime:
        if logical_id not in self._runtimes:
            known = ", ".join(self._runtimes)
            raise FunctionNotFoundError(f"The template has no function {logical_id}; it has {known}.")
        return self._runtimes[logical_id]
