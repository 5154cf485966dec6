"""What a tenant, or a stranger, must not reach: each attempt is refused, without effect, and audited."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import pytest

from tests.e2e.sftp.conftest import Front

OWN, OTHER, NEIGHBOUR = "acme/in/a.wav.p7m", "nordlys/b.wav.p7m", "acme-two/c.wav.p7m"


@pytest.fixture
def stocked(front: Front, tmp_path: Path) -> Front:
    for key in (OWN, OTHER, NEIGHBOUR):
        front.deliver(key, key.encode())
    (tmp_path / "mine").write_bytes(b"mine")
    return front


OUTSIDE = {
    "another tenant's folder": "get /nordlys/b.wav.p7m got",
    "a neighbour by name": "get /acme-two/c.wav.p7m got",
    "up and over": "get ../nordlys/b.wav.p7m got",
    "up twice": "get in/../../nordlys/b.wav.p7m got",
    "up from the root": "get /../nordlys/b.wav.p7m got",
    "up in code": "get ..%2Fnordlys%2Fb.wav.p7m got",
    "the bucket itself": "ls /acme/in",
    "an absolute path of the machine": "get /etc/passwd got",
    "the front's own host key": "get /host_key got",
}


@pytest.mark.parametrize("what", OUTSIDE)
def test_files_outside_the_folder_do_not_exist(stocked: Front, tmp_path: Path, what: str) -> None:
    done = stocked.sftp(f"{OUTSIDE[what]}\n", cwd=tmp_path)
    assert done.returncode == 1
    assert "not found" in done.stderr
    assert not (tmp_path / "got").exists()


def test_parent_of_the_root_is_the_root(stocked: Front) -> None:
    done = stocked.sftp("cd ..\ncd ../..\npwd\nls -1\n")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-3:] == ["Remote working directory: /", "sftp> ls -1", "in"]
    with stocked.session() as sftp:
        assert [sftp.normalize(path) for path in ("..", "/../../etc", "in/../..")] == ["/", "/etc", "/"]
        assert sftp.listdir("..") == ["in"]


# Each attempt, with the method and key of the S3 request that the session policy refuses.
REFUSED = {
    "an upload": ("put mine", "PUT", "acme/mine"),
    "an upload beside its files": ("put mine in/b.wav.p7m", "PUT", "acme/in/b.wav.p7m"),
    "an upload over its file": ("put mine in/a.wav.p7m", "PUT", OWN),
    "an answer that is none": ("put mine in/x.answer", "PUT", "acme/in/x.answer"),
    "an answer in a folder below": (
        f"mkdir key-check/{'A' * 20}\nput mine key-check/{'A' * 20}/{'B' * 19}.answer",
        "PUT",
        f"acme/key-check/{'A' * 20}/{'B' * 19}.answer",
    ),
    "an answer to no fingerprint": ("put mine key-check/short.answer", "PUT", "acme/key-check/short.answer"),
    "a rename": ("rename in/a.wav.p7m in/c.wav.p7m", "PUT", "acme/in/c.wav.p7m"),
    "a rename into an answer": (
        f"rename in/a.wav.p7m in/{'A' * 40}.answer", "PUT", f"acme/in/{'A' * 40}.answer"
    ),
    "a removal": ("rm in/a.wav.p7m", "DELETE", OWN),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_write_is_refused_without_effect_and_audited(stocked: Front, tmp_path: Path, what: str) -> None:
    command, method, key = REFUSED[what]
    stocked.deliver(f"acme/key-check/{'A' * 40}.challenge", b"?")
    before = stocked.delivered()

    done = stocked.sftp(f"{command}\n", cwd=tmp_path)

    assert done.returncode == 1, done.stdout
    assert stocked.delivered() == before
    tried = [(detail["session"]["operation"], detail["session"]["path"], detail["tenant"], detail["reason"])
             for detail in stocked.told("SftpOperationRefused")]  # fmt: skip
    bucket = stocked.cloud.outputs["SftpBucketName"]
    assert (method, f"/{bucket}/{key}", "acme", "AccessDenied") in tried


HARMLESS = {
    "a symlink": "symlink in/a.wav.p7m link",
    "a symlink to the machine's files": "symlink /etc/passwd link",
    "a hard link": "ln in/a.wav.p7m link",
    "a folder's removal": "rmdir in",
    "an upload to another tenant": "put /etc/hostname /nordlys/x.wav",
    "chmod": "chmod 777 in/a.wav.p7m",
    "a folder": "mkdir new",
}


@pytest.mark.parametrize("what", HARMLESS)
def test_requests_without_an_s3_equivalent_change_nothing(stocked: Front, what: str) -> None:
    """The local front refuses links and rmdir itself, and accepts chmod and mkdir without effect."""
    before = stocked.delivered()
    done = stocked.sftp(f"{HARMLESS[what]}\n")
    assert done.returncode == (0 if what in ("chmod", "a folder") else 1)
    assert stocked.delivered() == before
    with stocked.session() as sftp:
        assert sftp.listdir(".") == ["in"]
        assert oct(sftp.stat("in/a.wav.p7m").st_mode or 0)[-3:] == "644"


def refusals(front: Front) -> list[tuple[str | None, str]]:
    return [(detail["tenant"], detail["reason"]) for detail in front.told("SftpLoginRefused")]


def test_a_wrong_key_opens_nothing(stocked: Front) -> None:
    assert stocked.sftp("ls\n", key=stocked.key("stranger")).returncode == 255
    assert refusals(stocked) == [("acme", "KeyRefused")]


def test_another_tenants_key_opens_nothing(stocked: Front) -> None:
    assert stocked.sftp("ls\n", key=stocked.key("nordlys")).returncode == 255
    assert refusals(stocked) == [("acme", "KeyRefused")]


def test_a_good_key_that_cannot_sign_opens_nothing(stocked: Front) -> None:
    """A client with only the public key may ask whether the server accepts it, and gets no further."""

    class Impostor(paramiko.Ed25519Key):
        def get_name(self) -> str:
            return "ssh-ed25519"

        def asbytes(self) -> bytes:
            return paramiko.Ed25519Key.from_private_key_file(str(stocked.key("acme"))).asbytes()

    impostor = Impostor.from_private_key_file(str(stocked.key("stranger")))
    with paramiko.Transport(("127.0.0.1", stocked.port)) as transport:
        transport.start_client(timeout=300)
        with pytest.raises(paramiko.AuthenticationException):
            transport.auth_publickey("acme", impostor)
    refusals = eventually_told(stocked, "SftpLoginRefused")
    assert [(detail["tenant"], detail["reason"]) for detail in refusals] == [("acme", "KeyRefused")]


def eventually_told(front: Front, detail_type: str) -> list[dict[str, object]]:
    """Wait for events that the end of a connection causes."""
    found: list[dict[str, object]] = []
    deadline = time.monotonic() + 300
    while not found and time.monotonic() < deadline:
        found = [dict(detail) for detail in front.told(detail_type)]
        time.sleep(0.1)
    return found


def test_no_key_opens_nothing(stocked: Front) -> None:
    with paramiko.Transport(("127.0.0.1", stocked.port)) as transport:
        transport.start_client(timeout=300)
        with pytest.raises(paramiko.SSHException):
            transport.auth_none("acme")
    refusals = eventually_told(stocked, "SftpLoginRefused")
    assert [detail["reason"] for detail in refusals] == ["KeyRefused"]


def test_password_opens_no_session_and_is_not_recorded(stocked: Front) -> None:
    stocked.sftp("ls\n")  # a tenant is known once it has logged in
    stocked.audit()
    with paramiko.Transport(("127.0.0.1", stocked.port)) as transport:
        transport.start_client(timeout=300)
        with pytest.raises(paramiko.AuthenticationException):
            transport.auth_password("acme", "correct horse")
    assert refusals(stocked) == [("acme", "PasswordNotTaken")]
    logs = "".join(path.read_text() for path in (stocked.state / "logs").glob("*.log"))
    assert "correct horse" not in logs


def test_unknown_user_gets_the_same_answer_as_a_tenant(stocked: Front) -> None:
    said = [
        stocked.sftp("ls\n", user, stocked.key("stranger")).stderr.replace(user, "USER")
        for user in ("acme", "nobody", "no such name")
    ]
    assert said[0] == said[1] == said[2]
    # An event counts the logins of an address and minute. A minute may end between two of them.
    assert set(refusals(stocked)) == {("acme", "KeyRefused"), (None, "TenantUnknown")}


def test_key_from_another_address_opens_no_session(stocked: Front) -> None:
    stocked.let_in("acme", f'from="192.0.2.0/24" {stocked.public("acme")}')
    assert stocked.sftp("ls\n").returncode == 255
    stocked.let_in("acme", f'from="127.0.0.0/8" {stocked.public("acme")}')
    assert stocked.sftp("ls\n").returncode == 0
    stocked.set("acme", sftp_source_addresses=["192.0.2.0/24"])
    assert stocked.sftp("ls\n").returncode == 255
    assert refusals(stocked) == [("acme", "NoKeyUsable"), ("acme", "SourceNotAllowed")]


def test_removed_key_opens_no_further_session(stocked: Front) -> None:
    """The server asks the identity function at each login and caches no key."""
    assert stocked.sftp("ls\n").returncode == 0
    stocked.let_in("acme", stocked.public("successor"))
    assert stocked.sftp("ls\n").returncode == 255
    assert stocked.sftp("ls\n", key=stocked.key("successor")).returncode == 0


def test_a_hundred_wrong_attempts_are_all_counted_in_fewer_events(stocked: Front) -> None:
    wrong = paramiko.Ed25519Key.from_private_key_file(str(stocked.key("stranger")))

    def attempt(_: int) -> None:
        with paramiko.Transport(("127.0.0.1", stocked.port)) as transport:
            transport.start_client(timeout=300)
            with pytest.raises(paramiko.AuthenticationException):
                transport.auth_publickey("acme", wrong)

    with ThreadPoolExecutor(10) as executor:
        list(executor.map(attempt, range(100)))
    refusals = stocked.told("SftpLoginRefused")
    assert {(detail["tenant"], detail["reason"]) for detail in refusals} == {("acme", "KeyRefused")}
    assert sum(detail["session"]["attempts"] for detail in refusals) == 100
    assert len(refusals) < 100
    assert stocked.sftp("ls\n").returncode == 0


def test_audit_contains_no_key_material(stocked: Front) -> None:
    stocked.sftp("ls\n", key=stocked.key("stranger"))
    stocked.sftp("put /etc/hostname x\n")
    audited = json.dumps(stocked.audit())
    assert audited.count("SftpLogin") >= 2
    for name in ("acme", "stranger"):
        assert stocked.public(name).split()[1] not in audited
