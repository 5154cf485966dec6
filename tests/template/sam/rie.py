"""Run a function of the `sam build` output as Lambda would: under the Runtime Interface Emulator, on python3.13.

The emulator is part of the aws-sam-cli wheel (.venv-sam), the runtime interface client is awslambdaric (.venv-lambda).
No container is needed. The function can import only the layers' contents, because its paths contain nothing else. The
emulator handles one call at a time. It enforces the function's timeout, but not its memory limit.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.security.privacy.watch import WATCH

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / ".aws-sam/build"
EMULATORS = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64", "arm64": "aws-lambda-rie-arm64"}
START_SECONDS = 120.0


class MissingPieceError(Exception):
    """A part of the emulation is missing. The message names it and the command that makes it."""


class FunctionFailedError(Exception):
    """The function raised, or reached its timeout. The message contains its answer and its log."""


@dataclass(frozen=True)
class RunningFunction:
    """A function that waits for calls."""

    port: int
    log: Path

    def invoke(self, event: object) -> Any:
        """Call the function and return its answer. Raise FunctionFailedError if it raised."""
        url = f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"
        with urllib.request.urlopen(url, json.dumps(event).encode()) as response:
            body = response.read().decode()
        # The emulator answers 200 in every case.
        answer = parsed(body)
        if isinstance(answer, dict) and "errorMessage" in answer:
            raise FunctionFailedError(f"{body}\n{self.log.read_text(errors='replace')}")
        return answer


def parsed(body: str) -> Any:
    """Parse an answer. A timeout arrives as a bare sentence and is converted to an error."""
    try:
        return json.loads(body)
    except ValueError:
        return {"errorMessage": body}


def emulator() -> Path:
    """Return the emulator in the SAM command's own virtual environment."""
    name = EMULATORS.get(platform.machine(), "")
    found = list(ROOT.glob(f".venv-sam/lib/python3*/site-packages/samcli/local/rapid/{name}")) if name else []
    if not found:
        raise MissingPieceError(f"No Lambda emulator for {platform.machine()} in .venv-sam: run `make build`.")
    return found[0]


def runtime() -> Path:
    """Return the python3.13 that has the runtime interface client."""
    python = ROOT / ".venv-lambda/bin/python"
    if not list(ROOT.glob(".venv-lambda/lib/python3.13/site-packages/awslambdaric")):
        raise MissingPieceError(
            "There is no awslambdaric for python3.13 in .venv-lambda: run `make .venv-lambda/.done`."
        )
    return python


def built_function(name: str, source: Path) -> Path:
    """Return a function's build output. Reject it if it differs from the current source."""
    folder = existing(BUILD / name, f"{name} has not been built")
    existing(source / "app.py", f"The source of {name} has not been written")
    if (folder / "app.py").read_bytes() != (source / "app.py").read_bytes():
        raise MissingPieceError(
            f"The build output of {name} is not of the present {source.name}/app.py: run `make build`."
        )
    return folder


def existing(path: Path, sentence: str) -> Path:
    if not path.exists():
        raise MissingPieceError(f"{sentence} ({path.relative_to(ROOT)} is not there): run `make build`.")
    return path


def gpg_layer() -> Path:
    return existing(BUILD / "GnupgLayer/bin/gpg", "The layer GnupgLayer has not been built").parents[1]


def dependencies() -> Path:
    """Return the folder of the libraries. Reject it if its pins are not the current ones."""
    folder = existing(BUILD / "DependenciesLayer/python", "The layer DependenciesLayer has not been built")
    pins = "layers/dependencies/requirements.txt"
    if (folder / "requirements.txt").read_bytes() != (ROOT / pins).read_bytes():
        raise MissingPieceError(
            f"The build output of DependenciesLayer is not of the present {pins}: run `make build`."
        )
    return folder


def python_path(function: Path) -> str:
    """Return the function's and the layers' python folders, in Lambda's order, without any folder of this machine."""
    folders = [function, ROOT / "layers/callseal/python", dependencies()]
    return os.pathsep.join(str(folder) for folder in folders)


def lambda_environment(function: Path, work: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that Lambda sets. PATH has no programs, so that only the layer's gpg can run."""
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "eu-north-1",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "LD_LIBRARY_PATH": str(gpg_layer() / "lib"),
        "PATH": str(work / "no-commands-here"),
        "PYTHONPATH": python_path(function),
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
        **variables,
    }


def free_ports() -> tuple[int, int]:
    """Return two free ports, which were held for a moment."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the emulator accepts calls."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise FunctionFailedError(f"The Lambda emulator did not start:\n{log.read_text(errors='replace')}")


@contextmanager
def running(function: Path, work: Path, variables: Mapping[str, str]) -> Iterator[RunningFunction]:
    """Run a function's folder until the block ends. Its log is written into the work folder."""
    port, api_port = free_ports()
    addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    addresses += ["--runtime-api-address", f"127.0.0.1:{api_port}"]
    command: list[str | Path] = [emulator(), *addresses, runtime(), "-m", "awslambdaric", "app.lambda_handler"]
    environment = lambda_environment(function, work, variables)
    log = work / "function.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, env=environment, cwd=function, stdout=sink, stderr=sink, start_new_session=True
        )
        try:
            wait_for(port, process, log)
            yield RunningFunction(port, log)
        finally:
            # The whole process group: the emulator does not end its runtime.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            WATCH.log(log.read_text(errors="replace"))
