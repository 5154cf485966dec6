"""The event pump: what AWS does between its services, for a stack whose resources are on moto.

It invokes functions with messages from queues, runs schedules, and announces changes of secrets and parameters.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.asynchronous import AsynchronousInvoker
from localcloud.changes import ChangeWatcher
from localcloud.event_source_mappings import QueuePump
from localcloud.events import native_event
from localcloud.gate import Gate, GateClosedError
from localcloud.moto_process import MotoProcess
from localcloud.runtime import FunctionRuntime
from localcloud.stack import DeliveryStream, QueueMapping, Rule, Stack
from localcloud.streams import StreamPump

Log = Callable[[str, str], None]  # (logical id, line)


@dataclass(frozen=True)
class Pace:
    """The pump's intervals in seconds, and its threads for each queue. `schedule` replaces every schedule's rate."""

    schedule: float | None = None
    change_poll: float = 0.5
    retry_delays: tuple[float, ...] = (1.0, 2.0)
    workers: int = 2


class Pump:
    """Delivers events to functions until closed; `runtimes` by function ARN."""

    def __init__(
        self,
        stack: Stack,
        runtimes: Mapping[str, FunctionRuntime],
        moto: MotoProcess,
        log: Log,
        pace: Pace,
    ) -> None:
        self._stack, self._runtimes, self._log, self._pace = stack, runtimes, log, pace
        self._gate = Gate()
        self._asynchronous = AsynchronousInvoker(self._gate, pace.retry_delays)
        self._changes = ChangeWatcher(stack, moto.client("secretsmanager"), moto.client("ssm"), self.publish)
        self._queues = [self._queue_pump(mapping, moto.client("sqs")) for mapping in stack.mappings]
        self._streams = [self._stream_pump(stream, moto.client) for stream in stack.streams.values()]
        self._count_messages = moto.outstanding
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        for mapping, queue in zip(self._stack.mappings, self._queues, strict=True):
            self._threads += queue.start(min(mapping.max_concurrency, self._pace.workers))
        self._threads += [stream.start() for stream in self._streams]
        self._start_thread(self._watch_changes)
        for rule in self._stack.rules:
            if rule.rate is not None:
                self._start_thread(self._run_schedule, rule, self._pace.schedule or rule.rate)

    def publish(self, event: Mapping[str, Any]) -> None:
        """Invoke the functions of every rule of the default bus that matches the event."""
        for rule in self._stack.rules:
            if rule.pattern and rule.pattern.matches(event):
                self._invoke_targets(rule, event)

    def deliver(self, group: str, line: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        """Invoke the functions whose subscription to a log group matches a line, with `event`."""
        for subscription in self._stack.subscriptions:
            if subscription.group == group and subscription.wanted & set(_texts(line)):
                self._asynchronous.submit(self._runtimes[subscription.function_arn], event)

    def submit(self, runtime: FunctionRuntime, event: Any) -> None:
        """Invoke a function asynchronously, as Lambda does for InvocationType Event."""
        self._asynchronous.submit(runtime, event)

    def pause(self, timeout: float) -> None:
        """Block new work and wait for work in flight. Raise TimeoutError if it does not end in time."""
        if not self._gate.pause(timeout):
            raise TimeoutError(f"The functions were still running after {timeout:g} s.")

    def resume(self) -> None:
        """Continue after a pause."""
        self._gate.resume()

    def wait_until_idle(self, timeout: float) -> None:
        """Wait until no change, message or invocation is outstanding. Raise TimeoutError with what still is.

        A delayed message, such as a recheck in a quarter of an hour, is not outstanding yet.
        """
        deadline = time.monotonic() + timeout
        while outstanding := self._outstanding():
            if time.monotonic() > deadline:
                raise TimeoutError(f"After {timeout:g} s there are still {' and '.join(outstanding)}.")
            time.sleep(0.05)

    def close(self) -> None:
        """Block new work. The runtimes, which are closed next, end the work in flight."""
        self._gate.close()

    def join(self, timeout: float) -> None:
        """Wait for the pump's threads, for `timeout` seconds at most, after the runtimes are closed."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _outstanding(self) -> list[str]:
        # In this order, because a change may start an invocation, and an invocation may fill a queue.
        self._changes.announce_changes()
        # A function that reads a queue may start an invocation, and an invocation may fill a queue: so twice.
        return self._pending() or self._waiting() or self._pending() or self._waiting()

    def _pending(self) -> list[str]:
        count = self._asynchronous.pending
        return [f"{count} asynchronous invocations"] if count else []

    def _waiting(self) -> list[str]:
        counts = self._count_messages()
        urls = [queue.queue_url for queue in self._queues] + [stream.queue_url for stream in self._streams]
        names = [url.rsplit("/", 1)[-1] for url in urls]
        return [f"{counts[name]} messages in {name}" for name in names if counts[name]]

    def _stream_pump(self, stream: DeliveryStream, client: Callable[[str], Any]) -> StreamPump:
        return StreamPump(stream, client, self._gate, lambda line: self._log(stream.logical_id, line))

    def _queue_pump(self, mapping: QueueMapping, sqs: Any) -> QueuePump:
        runtime = self._runtimes[mapping.function_arn]
        logical_id = runtime.function.logical_id
        return QueuePump(mapping, runtime, sqs, self._gate, lambda line: self._log(logical_id, line))

    def _invoke_targets(self, rule: Rule, event: Mapping[str, Any]) -> None:
        for arn in rule.function_arns:
            runtime = self._runtimes[arn]
            self._log(runtime.function.logical_id, f"[PUMP] {event['detail-type']} by {rule.logical_id}")
            self._asynchronous.submit(runtime, event)

    def _watch_changes(self) -> None:
        while not self._gate.wait_closed(self._pace.change_poll):
            try:
                with self._gate.passage():
                    self._changes.announce_changes()
            except GateClosedError:
                return
            except Exception as exc:  # noqa: BLE001 - whatever it is, the next look may succeed
                if not self._gate.wait_closed(1.0):
                    self._log("LocalCloud", f"[PUMP] looking for changes failed: {exc}")

    def _run_schedule(self, rule: Rule, seconds: float) -> None:
        account, region = self._stack.account_id, self._stack.region
        while not self._gate.wait_closed(seconds):
            try:
                with self._gate.passage():
                    self._invoke_targets(
                        rule, native_event(account, region, "aws.events", "Scheduled Event", {}, [rule.arn])
                    )
            except GateClosedError:
                return

    def _start_thread(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()


def _texts(line: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in line.items() if isinstance(value, str)]
