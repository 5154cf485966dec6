"""The SFTP front starts with the template's server, publishes its address, and leaves nothing behind when it stops."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from localcloud import LocalCloud, StartError


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_front_uses_the_configured_port_and_keeps_its_host_key(tmp_path: Path) -> None:
    port, keys = free_port(), list[list[bytes]]()
    for _ in range(2):
        with LocalCloud(state_dir=tmp_path, sftp_port=port):
            written = json.loads((tmp_path / "outputs.json").read_text())
            assert (written["SftpHost"], written["SftpPort"]) == ("127.0.0.1", str(port))
            with socket.create_connection(("127.0.0.1", port)) as client:
                assert client.recv(8) == b"SSH-2.0-"
            files = sorted((tmp_path / "sftp").glob("host_key*"))
            assert [file.name for file in files] == ["host_key", "host_key_ecdsa", "host_key_rsa"]
            assert [file.stat().st_mode & 0o077 for file in files] == [0, 0, 0]
            keys.append([file.read_bytes() for file in files])
        with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", port)):
            pytest.fail("it still listens")
    assert keys[0] == keys[1]


def test_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
        with (
            pytest.raises(StartError, match=f"SFTP front cannot listen on port {port}"),
            LocalCloud(state_dir=tmp_path, sftp_port=port),
        ):
            pytest.fail("it started")


def test_a_stack_without_a_server_has_no_front(tmp_path: Path) -> None:
    with LocalCloud(state_dir=tmp_path, parameters={"SftpFront": "none"}) as cloud:
        assert not {"SftpHost", "SftpPort", "SftpEndpoint"} & set(cloud.outputs)
