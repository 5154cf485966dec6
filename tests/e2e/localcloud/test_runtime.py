"""A function runs in its own process, with Lambda's environment, context, timeout and failures."""

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localcloud.clock_file import ClockFile
from localcloud.environment import function_environment
from localcloud.runtime import FunctionRuntime, Result
from localcloud.stack import Function
from tests.e2e.localcloud.support import FUNCTION, eventually, is_running

ARN = "arn:aws:lambda:eu-north-1:111122223333:function:worker"


class Bench:
    """Run one function without a cloud, and keep its log and journal."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lines = folder, list[str]()
        self.journal = folder / "journal.jsonl"
        self.runtimes: list[FunctionRuntime] = []
        self.clock = ClockFile(folder / "clock")

    def runtime(self, code: str | None = None, concurrency: int = 1, **changes: Any) -> FunctionRuntime:
        function = Function(
            "Worker", "worker", ARN, self._folder(code), "app.lambda_handler", 20.0, 512,
            {"JOURNAL": str(self.journal), "GPG_BINARY": "/opt/bin/gpg", "ODD": "/opt/bin/no-such-program"}, "INFO", (),
        )  # fmt: skip
        function = replace(function, **changes)
        environment = function_environment(function, "http://127.0.0.1:9", "eu-north-1")
        self.runtimes.append(FunctionRuntime(function, environment, concurrency, self.lines.append, self.clock))
        return self.runtimes[-1]

    def _folder(self, code: str | None) -> Path:
        if code is None:
            return FUNCTION
        folder = self.folder / f"code-{len(self.runtimes)}"
        folder.mkdir()
        (folder / "app.py").write_text(code, encoding="utf-8")
        return folder


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for runtime in made.runtimes:
        runtime.close()


def error_of(result: Result) -> tuple[str, str]:
    assert result.error is not None
    return result.error["errorType"], result.error["errorMessage"]


def test_handler_answers_and_its_process_is_used_again(bench: Bench) -> None:
    runtime = bench.runtime()
    assert runtime.pids() == [], "nothing starts before the first event"
    assert runtime.invoke({"answer": {"a": [1, None, "ü"]}}) == Result({"a": [1, None, "ü"]})
    pids = runtime.pids()
    runtime.invoke({})
    assert runtime.pids() == pids
    assert len(pids) == 1


def test_prewarm_starts_every_process(bench: Bench) -> None:
    runtime = bench.runtime(concurrency=2)
    runtime.prewarm()
    assert len(runtime.pids()) == 2


def test_context_is_like_lambdas(bench: Bench) -> None:
    runtime = bench.runtime(
        "def lambda_handler(event, c):\n"
        "    return [c.function_name, c.invoked_function_arn, c.memory_limit_in_mb, c.aws_request_id,"
        " c.get_remaining_time_in_millis(), c.function_version]",
        timeout=7.0,
    )
    first, second = runtime.invoke({}).payload, runtime.invoke({}).payload
    assert first[:3] == ["worker", ARN, "512"]
    assert 6000 < first[4] <= 7000
    assert first[5] == "$LATEST"
    assert first[3] != second[3]


def test_environment_is_the_declared_one_and_lambdas(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "of-the-developer")
    runtime = bench.runtime("import os\ndef lambda_handler(event, context):\n    return dict(os.environ)")
    environment = runtime.invoke({}).payload
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "eu-north-1"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "worker"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert environment["JOURNAL"] == str(bench.journal)
    assert environment["GPG_BINARY"] == shutil.which("gpg"), "this machine's gpg stands in for the layer's"
    assert environment["ODD"] == "/opt/bin/no-such-program"
    assert "AWS_PROFILE" not in environment


def test_code_imports_itself_and_its_layers_but_not_the_local_cloud(bench: Bench, tmp_path: Path) -> None:
    layer = tmp_path / "python"
    layer.mkdir()
    (layer / "events.py").write_text("WHERE = 'layer'", encoding="utf-8")
    code = (
        "import events, importlib.util\n"
        "def lambda_handler(event, context):\n"
        "    return [events.WHERE, importlib.util.find_spec('localcloud') is not None]"
    )
    assert bench.runtime(code, layers=(layer,)).invoke({}).payload == ["layer", False]


def test_output_goes_to_the_log_and_not_between_the_answers(bench: Bench) -> None:
    assert bench.runtime().invoke({"do": "print", "answer": 7}) == Result(7)
    eventually(lambda: len(bench.lines) >= 3)
    assert set(bench.lines) == {"to standard output", "to standard error", "from a child process"}


def test_handlers_exception_is_the_answer_and_its_process_stays(bench: Bench) -> None:
    runtime = bench.runtime()
    runtime.prewarm()
    pids = runtime.pids()
    result = runtime.invoke({"do": "raise"})
    assert error_of(result) == ("ValueError", "as ordered")
    assert runtime.pids() == pids
    assert eventually(lambda: "ValueError: as ordered" in bench.lines)


def test_answer_that_is_no_json_is_an_error(bench: Bench) -> None:
    runtime = bench.runtime("def lambda_handler(event, context):\n    return {1, 2}")
    assert error_of(runtime.invoke({}))[0] == "TypeError"


def test_timeout_kills_the_process_and_its_children(bench: Bench) -> None:
    runtime = bench.runtime(timeout=1.0)
    runtime.prewarm()
    pids = runtime.pids()
    began = time.monotonic()
    kind, message = error_of(runtime.invoke({"do": "start_child", "seconds": 60}))
    assert 1.0 <= time.monotonic() - began < 50
    assert kind == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in message
    child = child_of(bench)
    eventually(lambda: not is_running(child))
    assert not any(is_running(pid) for pid in pids)
    assert runtime.invoke({"answer": "again"}) == Result("again")


def child_of(bench: Bench) -> int:
    """Return the process id that the function recorded, or 0 before it has done so."""
    lines = bench.journal.read_text(encoding="utf-8").splitlines() if bench.journal.exists() else []
    return int(json.loads(lines[0])["child"]) if lines else 0


def test_crash_is_a_failed_invocation_and_the_next_uses_a_new_process(bench: Bench) -> None:
    runtime = bench.runtime()
    kind, message = error_of(runtime.invoke({"do": "crash"}))
    assert kind == "Runtime.ExitError"
    assert "exit status 3" in message
    assert runtime.invoke({"answer": "again"}) == Result("again")


def test_kill_is_a_failed_invocation_and_takes_children_along(bench: Bench) -> None:
    runtime = bench.runtime()
    results: list[Result] = []
    order = {"do": "start_child", "seconds": 60}
    thread = threading.Thread(target=lambda: results.append(runtime.invoke(order)))
    thread.start()
    child = eventually(lambda: child_of(bench))
    os.kill(runtime.pids()[0], signal.SIGKILL)
    thread.join(10)
    assert "signal: SIGKILL" in error_of(results[0])[1]
    eventually(lambda: not is_running(child))
    assert runtime.invoke({"answer": "again"}) == Result("again")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("raise RuntimeError('at import')", "RuntimeError"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("lambda_handlers = None", "AttributeError"),
        ("import os; os._exit(9)", "Runtime.ExitError"),
    ],
)
def test_failing_import_is_a_failed_invocation(bench: Bench, code: str, kind: str) -> None:
    runtime = bench.runtime(code)
    assert error_of(runtime.invoke({}))[0] == kind
    assert error_of(runtime.invoke({}))[0] == kind
    eventually(lambda: runtime.pids() == [])


def test_invocations_share_the_processes(bench: Bench) -> None:
    runtime = bench.runtime(concurrency=2)
    threads = [threading.Thread(target=runtime.invoke, args=({"do": "sleep", "seconds": 0.1},)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(runtime.pids()) == 2


def test_close_ends_what_is_in_flight(bench: Bench) -> None:
    runtime = bench.runtime()
    results: list[Result] = []
    order = {"do": "start_child", "seconds": 60}
    thread = threading.Thread(target=lambda: results.append(runtime.invoke(order)))
    thread.start()
    child = eventually(lambda: child_of(bench))
    runtime.close()
    thread.join(10)
    assert results[0].error is not None
    assert runtime.pids() == []
    eventually(lambda: not is_running(child))
    assert error_of(runtime.invoke({}))[0] == "LocalCloud.Closed"
