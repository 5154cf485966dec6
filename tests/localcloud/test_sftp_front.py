"""The SFTP front comes with the template's server, says where it is, and goes without leaving anything behind."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import LocalCloud, StartError
from tests.localcloud.support import PROJECT, eventually, is_running
from tests.localcloud.test_lifecycle import python_environment

HOLDER = """
import sys, time
from pathlib import Path
from localcloud import LocalCloud
with LocalCloud(state_dir=Path(sys.argv[1])) as cloud:
    print(*cloud.pids(), flush=True)
    time.sleep(600)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def served_by_rclone(pids: list[int]) -> bool:
    """Tell whether one of the processes is rclone."""
    commands = [Path(f"/proc/{pid}/cmdline") for pid in pids]
    return any(path.exists() and path.read_bytes().split(b"\0")[0].endswith(b"/rclone") for path in commands)


def test_it_listens_where_it_is_told_and_keeps_its_host_key(tmp_path: Path) -> None:
    port, keys = free_port(), list[list[bytes]]()
    for _ in range(2):
        with LocalCloud(state_dir=tmp_path, sftp_port=port) as cloud:
            written = json.loads((tmp_path / "outputs.json").read_text())
            assert (written["SftpHost"], written["SftpPort"]) == ("127.0.0.1", str(port))
            with socket.create_connection(("127.0.0.1", port)) as client:
                assert client.recv(8) == b"SSH-2.0-"
            pids = cloud.pids()
            assert served_by_rclone(pids)
            files = sorted((tmp_path / "sftp").glob("host_key*"))
            assert [file.name for file in files] == ["host_key", "host_key_ecdsa", "host_key_rsa"]
            assert [file.stat().st_mode & 0o077 for file in files] == [0, 0, 0]
            keys.append([file.read_bytes() for file in files])
            assert (tmp_path / "sftp/word").stat().st_mode & 0o077 == 0
        assert not any(is_running(pid) for pid in pids)
        with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", port)):
            pytest.fail("it still listens")
    assert keys[0] == keys[1]


def test_nothing_runs_after_the_parent_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT, env=python_environment()) as holder:
        assert holder.stdout
        pids = [int(pid) for pid in holder.stdout.readline().split()]
        served = served_by_rclone(pids)
        holder.kill()
        holder.wait(10)
    assert served
    eventually(lambda: not any(is_running(pid) for pid in pids))


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
        with (
            pytest.raises(StartError, match=f"SFTP front cannot listen on port {port}"),
            LocalCloud(state_dir=tmp_path, sftp_port=port),
        ):
            pytest.fail("it started")


def test_without_rclone_everything_else_runs_and_its_absence_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localcloud.cloud.find_rclone", lambda: None)
    with LocalCloud(state_dir=tmp_path) as cloud:
        assert "SftpPort" not in cloud.outputs
        (why,) = [one.why for one in cloud.left_out if one.what == "SftpServer"]
        assert "no rclone on this machine" in why
        assert not served_by_rclone(cloud.pids())


def test_a_stack_without_a_server_has_no_front(tmp_path: Path) -> None:
    with LocalCloud(state_dir=tmp_path, parameters={"SftpFront": "none"}) as cloud:
        assert not {"SftpHost", "SftpPort", "SftpEndpoint"} & set(cloud.outputs)
        assert not served_by_rclone(cloud.pids())
