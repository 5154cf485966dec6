"""The commands that the README shows, as a newcomer runs them, and an external script that imports none of our code."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.security.privacy.watch import WATCH
from tests.support.functions import ROOT
from tests.support.keys import x509_tenant

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONPATH"))}
SECONDS = 60
# What the demo shows of people in the archive: a search, a play, refusals, and the audit of them.
ARCHIVE = (
    r"kari +searches for the caller \+47 90 00 00 01 +200 +4711000000000001_1\b",
    r"kari +plays its first range +206 +262,144 of 453,\d{3} bytes, the first 8\.2 s",
    r"kari +follows a link to a restricted call +403 +RestrictedRecording",
    r"ola +plays it +409 +SealedRecording",
    r"\$ openssl cms -decrypt [^\n]*-in 4711000000000002_1\.mp3\.p7m",
    r"kari +AccessRefused +[0-9a-f]+\.\.\. +- +RestrictedRecording",
    r"kari +RecordingPlayed +[0-9a-f]+\.\.\. +0 to 8\.2 +-",
    r"ola +RecordingOpenedByKey",
)
# What it shows of locks, holds, disposals and erasures.
LAW = (
    r"locks each file in the archive +GOVERNANCE until \d{4}-\d\d-\d\d",
    r"tries to delete a recording in the archive +S3 refuses: AccessDenied",
    r"kari +holds the calls of \+47 90 00 00 02: claim 12 +held: 1 call",
    r"fetches them by SFTP: sha256sum -c manifest\.sha256 +all OK",
    r"kari +approves it herself +refused: Another person",
    r"ola +approves it +running: the calls are hidden at once",
    r"opens the sealed notice with its key +5 files",
    r"erases its copies, and answers by SFTP +done: 7 files erased",
    r"verifies the signed certificate of the erasure +Verified OK",
    r"deletes what is due by its class, and records it +1 call; the held one stays",
    r"tries to delete the recording of claim 12 +S3 refuses: AccessDenied",
    r"deletes that call, too, within an hour +0 files of the three calls are left",
    r"\$ openssl dgst -sha256 -verify proof\.pem -signature erasure-[0-9a-f]{16}\.json\.sig",
)


@contextmanager
def local_cloud(state: Path) -> Iterator[dict[str, str]]:
    """Run what `make local` runs until the outputs exist. Stop it as Ctrl-C does."""
    command = [sys.executable, "-m", "localcloud", "--state-dir", str(state)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            yield wait_for_outputs(state / "outputs.json", process)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=SECONDS)
            for log in (state / "logs").glob("*Function.log"):
                WATCH.log(log.read_text())
    assert process.returncode == 0


def wait_for_outputs(path: Path, process: subprocess.Popen[bytes]) -> dict[str, str]:
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline, "the local cloud did not become ready"
        time.sleep(0.05)
    outputs: dict[str, str] = json.loads(path.read_text())
    return outputs


def test_demo_shows_each_step_and_succeeds() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "localcloud.demo"],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "All checks succeeded" in done.stdout
    assert "\x1b[" not in done.stdout, "colours where there is no terminal"
    # If the machine has no openssl, the demo names the reader that it used instead.
    cms_reader = "openssl cms -decrypt" if shutil.which("openssl") else "asn1crypto"
    for word in ("nordlys", "fjordbank", "kystradio", "held KeyExpired", cms_reader, "RecordingReleased"):
        assert word in done.stdout
    for word in ("held RecordingDenied", "by-law-only", "callseal calls list nordlys", "90000001 occurs 0 times"):
        assert word in done.stdout
    for words in (*ARCHIVE, *LAW):
        assert re.search(words, done.stdout), words


def test_demo_reports_what_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "localcloud.demo"], cwd=ROOT, env={**ENVIRONMENT, "PATH": "/nonexistent"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "gpg is not installed" in done.stdout


def test_external_script_needs_only_boto3_and_the_readme(tmp_path: Path) -> None:
    # given: the README's own script, unchanged
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    tenant, recording = x509_tenant(), ROOT / "tests" / "samples" / "4711000000000001_1.wav"
    (tmp_path / "acme.crt").write_text(tenant.public_text)
    (tmp_path / "call_1.wav").write_bytes(recording.read_bytes())
    fetch = """
import time
for _ in range(200):
    found = aws("s3").list_objects_v2(Bucket=out["SftpBucketName"]).get("Contents", [])
    if found:
        break
    time.sleep(0.1)
assert [item["Key"] for item in found] == ["acme/call_1.wav.p7m"], found
aws("s3").download_file(out["SftpBucketName"], "acme/call_1.wav.p7m", "call_1.wav.p7m")
"""
    with local_cloud(tmp_path / ".local") as outputs:
        # when: it runs without access to our modules
        done = subprocess.run(
            [sys.executable, "-I", "-c", script + fetch], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert set(outputs) >= {
            "LandingBucketName", "SftpBucketName", "ArchiveBucketName", "AuditBusName", "AuditLogGroupName",
            "EncryptQueueUrl", "EncryptDeadLetterQueueUrl", "StackName", "EndpointUrl", "Region",
        }  # fmt: skip

    # then: the tenant opens it
    assert tenant.open((tmp_path / "call_1.wav.p7m").read_bytes()) == recording.read_bytes()
    assert not (tmp_path / ".local" / "outputs.json").exists()


TARGETS = ("help", "setup", "demo", "local", "test", "check", "docs", "bench", "bench-sftp", "build", "deploy", "clean")


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_the_target(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=True)
