"""moto's server as a separate process on 127.0.0.1, and clients for it."""

import json
import os
import threading
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from localcloud.environment import DUMMY_CREDENTIAL, dummy_credentials
from localcloud.errors import StartError
from localcloud.processes import ChildEndedError, ChildSilentError, JsonChild, LineSink

_SCRIPT = Path(__file__).with_name("moto_child.py")
_START_SECONDS = 60.0


class MotoProcess:
    """moto's server. Port 0 is a free one. The options are those of `main` in moto_child.py."""

    def __init__(self, port: int, region: str, log: LineSink, **options: str | int) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
        environment = inherited | dummy_credentials() | {"AWS_DEFAULT_REGION": region}
        self._child = JsonChild(_SCRIPT, [str(port), json.dumps(options)], environment, _SCRIPT.parent, log)
        self._region = region
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        port, self._outstanding = self._await_port()
        self.endpoint_url = f"http://127.0.0.1:{port}"

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._child.pid

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service, the same for all threads, since clients may be shared."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def outstanding(self) -> dict[str, int]:
        """Return how many messages each queue has, by its name: waiting or in flight, but not delayed."""
        with urllib.request.urlopen(f"{self.endpoint_url}{self._outstanding}") as answer:  # noqa: S310
            counts: dict[str, int] = json.load(answer)
        return counts

    def close(self) -> None:
        """Stop the server and delete everything that it stored."""
        self._child.kill()

    def _await_port(self) -> tuple[int, str]:
        try:
            answer = self._child.receive(_START_SECONDS)
        except (ChildEndedError, ChildSilentError) as exc:
            raise StartError(f"moto's server did not start ({exc}); see moto.log.") from exc
        if "error" in answer:
            self._child.kill()
            raise StartError(f"moto's server did not start: {answer['error']}.")
        return int(answer["port"]), str(answer["outstanding"])

    def _new_client(self, service: str) -> Any:
        session = boto3.Session(
            aws_access_key_id=DUMMY_CREDENTIAL, aws_secret_access_key=DUMMY_CREDENTIAL, region_name=self._region
        )
        config = Config(max_pool_connections=32, retries={"mode": "standard"})
        # The stubs know a client only by a literal name.
        return session.client(service, endpoint_url=self.endpoint_url, config=config)  # type: ignore[call-overload]
