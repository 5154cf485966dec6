"""The handlers that are measured on the null AWS: the whole function, and a plain copy of the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.support import functions
from tests.support.keys import clean_up, openpgp_tenant, x509_tenant

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 10
ETAG = "0123456789abcdef0123456789abcdef"
Handler = Callable[[Mapping[str, Any]], object]


@contextmanager
def null_aws(key: str, settings: Mapping[str, object], delay_seconds: float = 0) -> Iterator[None]:
    """Run the null AWS during the block, with the function's environment set."""
    with tempfile.NamedTemporaryFile("w", suffix=".key") as file:
        file.write(key)
        file.flush()
        server = x509_tenant("p256", "null-aws", "-addext", "subjectAltName=IP:127.0.0.1")
        command = [sys.executable, "-m", "benchmarks.null_aws", str(server.certificate), str(server.private_key),
                   file.name, json.dumps(settings), str(delay_seconds)]  # fmt: skip
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as process:
            port = process.stdout.readline().decode().strip()  # type: ignore[union-attr]
            try:
                with patch.dict(os.environ, environment(f"https://127.0.0.1:{port}", server.certificate)):
                    yield
            finally:
                process.kill()


def environment(endpoint: str, trusted: Path) -> dict[str, str]:
    """Return the function's environment variables, as in template.yaml."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CA_BUNDLE": str(trusted),
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "STACK_NAME": "bench",
        "TENANTS_PREFIX": "bench/tenants",
        "SWEEP_MEMORY": "bench-sweep",
        "LANDING_BUCKET": "landing",
        "SFTP_BUCKET": "sftp",
        "ARCHIVE_BUCKET": "archive",
        "MAXIMUM_COMPLIANCE_YEARS": "10",
        "ENCRYPT_QUEUE_URL": f"{endpoint}/queue",
        "RECHECK_QUEUE_URL": f"{endpoint}/rechecks",
        "METADATA_QUEUE_URL": f"{endpoint}/metadata",
        "AUDIT_BUS": "bench",
        "KEY_REGISTER": "bench-key-register",
        "KEY_EVENTS": "bench-key-events",
        "CALLS_TABLE": "bench-calls",
        "GPG_BINARY": "gpg",
        "LOG_LEVEL": "ERROR",
        "POWERTOOLS_SERVICE_NAME": "callseal",
    }


def batch(size: int, count: int = 1) -> dict[str, Any]:
    """Return an SQS batch that announces `count` landed files of `size` bytes."""
    return {"Records": [_message(f"acme/{size}-{number}.wav", size, number) for number in range(count)]}


def _message(key: str, size: int, number: int) -> dict[str, Any]:
    landed = {"key": key, "size": size, "eTag": ETAG}
    s3 = {"bucket": {"name": "landing"}, "object": landed}
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}
    return {
        "messageId": str(number),
        "receiptHandle": "h",
        "eventSource": "aws:sqs",
        "body": json.dumps({"Records": [record]}),
    }


def our_function() -> Handler:
    """Return our handler as Lambda calls it. It raises AssertionError if a record fails."""
    module = functions.load("encrypt_recording", watch=False)

    def handle(event: Mapping[str, Any]) -> None:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # the metrics; the log is at ERROR
            failed = module.lambda_handler(event, None)["batchItemFailures"]
        assert not failed, failed

    return handle


def pass_through() -> Handler:
    """Return a handler that copies each landed file to one bucket with plain boto3, as many at once as ours."""
    import boto3
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config

    s3 = boto3.client("s3", config=Config(max_pool_connections=32))
    part = 8 * 1024**2
    config = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=4)
    executor = ThreadPoolExecutor(WORKERS)

    def copy(message: Mapping[str, Any]) -> None:
        landed = json.loads(message["body"])["Records"][0]["s3"]["object"]
        body = s3.get_object(Bucket="landing", Key=landed["key"])["Body"]
        if landed["size"] > part:
            s3.upload_fileobj(body, "sftp", landed["key"], Config=config)
        else:
            s3.put_object(Bucket="sftp", Key=landed["key"], Body=body.read())

    return lambda event: list(executor.map(copy, event["Records"]))


def peak_mb() -> float:
    """Return this process's peak resident memory in MB (VmHWM, because ru_maxrss begins with the parent's)."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    """Handle files and print this process's peak memory. Arguments: kind of key, size in bytes, number of files."""
    family, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    key = (x509_tenant() if family == "x509" else openpgp_tenant()).public_text
    with null_aws(key, {}):
        our_function()(batch(size, count))
    clean_up()
    print(json.dumps({"peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
