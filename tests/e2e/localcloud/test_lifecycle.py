"""A local cloud starts completely, publishes its address, and stops without leaving anything behind."""

import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

from localcloud import InvocationError, LocalCloud, StartError
from localcloud.errors import FunctionNotFoundError
from localcloud.state_folder import StateFolder
from tests.e2e.localcloud.support import PROJECT, Site, eventually, is_running

HOLDER = """
import sys, pathlib, time
from localcloud.state_folder import StateFolder
from tests.e2e.localcloud.support import Site
site = Site(pathlib.Path(sys.argv[1]))
with site.cloud() as cloud:
    cloud.prewarm()
    print(*cloud.pids(), flush=True)
    cloud.invoke("Worker", {"do": "start_child", "seconds": 1})
    time.sleep(600)
"""


def outputs(state: Path) -> dict[str, str]:
    loaded: dict[str, str] = json.loads((state / "outputs.json").read_text(encoding="utf-8"))
    return loaded


def test_outputs_file_lives_as_long_as_the_cloud(site: Site) -> None:
    site.state.mkdir()
    (site.state / "outputs.json").write_text("stale", encoding="utf-8")
    with site.cloud() as cloud:
        written = outputs(site.state)
        assert written == {
            **cloud.outputs, "StackName": "tested", "EndpointUrl": cloud.endpoint_url, "Region": "eu-north-1",
            "ClockFile": str(site.state / "clock"), "AuditRefuseFile": str(site.state / "audit-refuse"),
            "MailDir": str(site.state / "mail"),
        }  # fmt: skip
        assert set(cloud.outputs) == {"WorkUrl", "DeadUrl"}
    assert not (site.state / "outputs.json").exists()


def test_stale_outputs_file_is_gone_while_the_cloud_starts(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    stale = [tmp_path / name for name in ("outputs.json", "clock", "audit-refuse", "mail/1.eml")]
    for file in stale:
        file.write_text("86400", encoding="utf-8")
    with StateFolder(tmp_path).locked():
        assert not [file for file in stale if file.exists()]


def test_stale_outputs_file_goes_even_when_the_start_fails(site: Site) -> None:
    site.state.mkdir()
    (site.state / "outputs.json").write_text("stale", encoding="utf-8")
    with pytest.raises(StartError, match="no AWS region"), site.cloud(region="nowhere-1"):
        pytest.fail("the local cloud started")
    assert not (site.state / "outputs.json").exists()


def test_plain_boto3_reaches_it_with_any_credentials(site: Site) -> None:
    with site.cloud():
        url, queue = outputs(site.state)["EndpointUrl"], outputs(site.state)["WorkUrl"]
        session = boto3.Session("AKIAANYTHING", "anything", region_name="eu-north-1")
        session.client("sqs", endpoint_url=url).send_message(QueueUrl=queue, MessageBody="{}")
        session.client("secretsmanager", endpoint_url=url).create_secret(Name="mine/s", SecretString="x")
        eventually(lambda: len(site.notes()) == 2)


def test_nothing_runs_after_the_end(site: Site) -> None:
    with site.cloud() as cloud:
        cloud.prewarm()
        pids = cloud.pids()
        assert len(pids) == 5
        assert all(is_running(pid) for pid in pids)
    assert not any(is_running(pid) for pid in pids)


def test_nothing_runs_after_a_failed_start(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []
    popen = subprocess.Popen.__init__

    def note(self: "subprocess.Popen[bytes]", *arguments: object, **options: object) -> None:
        popen(self, *arguments, **options)  # type: ignore[call-overload]
        pids.append(self.pid)

    monkeypatch.setattr(subprocess.Popen, "__init__", note)
    with pytest.raises(Exception, match="does not know"), site.cloud({"T": {"Type": "AWS::No::Such"}}):
        pytest.fail("the local cloud started")
    assert pids
    assert not any(is_running(pid) for pid in pids)


def test_end_does_not_wait_for_a_function_at_work(site: Site) -> None:
    with site.cloud() as cloud:
        body = json.dumps({"do": "start_child", "seconds": 60})
        cloud.client("sqs").send_message(QueueUrl=cloud.outputs["WorkUrl"], MessageBody=body)
        child = eventually(site.notes)[0]["child"]
    eventually(lambda: not is_running(child))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_runs_after_the_parent_is_killed(site: Site, number: int) -> None:
    command = [sys.executable, "-c", HOLDER, str(site.folder)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT, env=python_environment())
    with holder:
        assert holder.stdout
        pids = [int(pid) for pid in holder.stdout.readline().split()]
        pids.append(eventually(site.notes)[0]["child"])
        assert len(pids) == 6
        holder.send_signal(number)
        holder.wait(10)
    eventually(lambda: not any(is_running(pid) for pid in pids))


def python_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT)}


def test_second_cloud_on_the_same_state_folder_fails(site: Site) -> None:
    with site.cloud():
        with pytest.raises(StartError, match="Another local cloud"), site.cloud():
            pytest.fail("a second one started")
        assert outputs(site.state), "the first one's outputs stay"
    with site.cloud():
        assert outputs(site.state)


def test_port_is_the_given_one(site: Site) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with site.cloud(port=port) as cloud:
        assert cloud.endpoint_url == f"http://127.0.0.1:{port}"


def test_port_in_use_fails(site: Site) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port}"), site.cloud(port=port):
            pytest.fail("the local cloud started")


def test_function_is_invoked_by_its_logical_id(site: Site) -> None:
    lines: list[tuple[str, str]] = []
    with site.cloud(on_line=lambda *line: lines.append(line)) as cloud:
        assert cloud.invoke("Worker", {"do": "print", "answer": 7}) == 7
        with pytest.raises(InvocationError, match="Worker failed with ValueError: as ordered"):
            cloud.invoke("Worker", {"do": "raise"})
        with pytest.raises(FunctionNotFoundError, match=r"no function Nobody; it has .*Worker"):
            cloud.invoke("Nobody", {})
        eventually(lambda: ("Worker", "to standard output") in lines)
        log = cloud.log_path("Worker")
        assert log == site.state / "logs" / "Worker.log"
        assert "to standard output" in log.read_text(encoding="utf-8")


def test_log_is_new_for_each_cloud(site: Site) -> None:
    for _ in range(2):
        with site.cloud() as cloud:
            cloud.invoke("Worker", {"do": "print", "answer": 7})
            log = cloud.log_path("Worker")
            eventually(functools.partial(says, log, "to standard output"))
    assert log.read_text(encoding="utf-8").count("to standard output") == 1


def says(log: Path, text: str) -> bool:
    return log.exists() and text in log.read_text(encoding="utf-8")


@contextmanager
def foreground(state: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "localcloud", "--state-dir", str(state), *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT, env=python_environment()
    )
    with process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_foreground_ends_well_on_a_signal(tmp_path: Path, number: int) -> None:
    with foreground(tmp_path) as process:
        said = read_until_ready(process)
        assert (tmp_path / "outputs.json").exists()
        process.send_signal(number)
        rest, complained = process.communicate(timeout=300)
    said += rest
    assert process.returncode == 0
    assert complained == ""
    for part in ("LandingBucket  AWS::S3::Bucket", "SftpBucketPolicy.PolicyDocument.TlsOnly: moto applies a Deny"):
        assert part in said
    assert "LandingBucketName  callseal-local-landing-" in said
    assert re.search(r"\nThe archive, in a browser: http://127\.0\.0\.1:\d+\n", said)
    assert said.endswith("The local cloud has ended.\n")
    assert "\x1b" not in said, "plain text where there is no terminal"
    assert not (tmp_path / "outputs.json").exists()


def read_until_ready(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    said = ""
    while "Ready at http://127.0.0.1:" not in said:
        line = process.stdout.readline()
        assert line, f"it ended early, saying {said}"
        said += line
    return said


def test_foreground_ends_well_on_a_signal_while_it_starts(tmp_path: Path) -> None:
    with foreground(tmp_path) as process:
        eventually((tmp_path / "lock").exists)
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate(timeout=300)
    assert (process.returncode, complained) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--parameter", "Nothing=1"), "error: The template has no parameter Nothing.\n"),
        (("--region", "nowhere-1"), "error: There is no AWS region nowhere-1.\n"),
    ],
)
def test_foreground_reports_a_fault_in_one_sentence(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    with foreground(tmp_path, *arguments) as process:
        said, complained = process.communicate(timeout=300)
    assert (process.returncode, said, complained) == (1, "", sentence)


def test_cloud_can_be_made_without_being_started() -> None:
    assert LocalCloud().stack_name == "callseal-local"
