"""Run each command of docs/fetching.md, exactly as on the page, against the local SFTP front."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.e2e.sftp.conftest import Front, front, sftp_cloud  # noqa: F401  # fixtures
from tests.support.functions import ROOT

PAGE = (ROOT / "docs/fetching.md").read_text()
COMMANDS = dict(re.findall(r"<!-- run: (\w+) -->\n```sh\n(.*?)```", PAGE, re.DOTALL))
FINGERPRINT = "A1" * 20
FILES = {"call_1.wav.p7m": b"one", "2026/11/call 2.wav.p7m": b"two" * 100_000}


@pytest.fixture
def desk(front: Front, tmp_path: Path) -> Path:  # noqa: F811  # pytest's way
    """Return the folder of a tenant's machine, with a key, the host's key, and an ssh without configuration."""
    for name, data in FILES.items():
        front.deliver(f"acme/{name}", data)
    front.deliver(f"acme/key-check/{FINGERPRINT}.challenge", b"?")
    run("key", front, tmp_path)
    front.let_in("acme", (tmp_path / "callseal_key.pub").read_text())
    run("host", front, tmp_path)
    return tmp_path


def run(name: str, front: Front, folder: Path) -> str:  # noqa: F811  # pytest's way
    """Run a command of the page in a tenant's shell, and return its output."""
    environment = {
        **os.environ, "SFTP_HOST": "127.0.0.1", "SFTP_PORT": str(front.port), "SFTP_USER": "acme",
        "FINGERPRINT": FINGERPRINT, "HOME": str(folder), "SSH_AUTH_SOCK": "",
    }  # fmt: skip
    done = subprocess.run(
        ["sh", "-euc", COMMANDS[name]], cwd=folder, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def fetched(folder: Path) -> dict[str, bytes]:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.p7m")}
    return {name: data for name, data in files.items() if not name.startswith("key-check")}


def test_every_command_of_the_page_is_run_by_a_test() -> None:
    assert len(COMMANDS) == PAGE.count("```sh") == PAGE.count("<!-- run:")
    assert set(COMMANDS) == {"key", "host", "sftp", "all", "answer", "script", "lftp"}


def test_fingerprint_of_the_host_is_that_of_the_front(front: Front, tmp_path: Path) -> None:  # noqa: F811
    shown = run("host", front, tmp_path)
    known = subprocess.run(
        ["ssh-keygen", "-lf", front.state / "sftp/known_hosts"], capture_output=True, text=True, check=True
    )
    assert fingerprints(shown) == fingerprints(known.stdout)
    assert set(fingerprints(shown)) == {"(ED25519)", "(ECDSA)", "(RSA)"}


def fingerprints(listing: str) -> dict[str, str]:
    """Return the fingerprints that ssh-keygen printed, by the kind of key."""
    return {line.split()[-1]: line.split()[1] for line in listing.splitlines()}


def test_a_file_is_fetched_by_hand(desk: Path, front: Front) -> None:  # noqa: F811
    listing = run("sftp", front, desk)
    assert "2026" in listing
    assert (desk / "call_1.wav.p7m").read_bytes() == b"one"


def test_all_files_are_fetched_and_partial_files_replaced(desk: Path, front: Front) -> None:  # noqa: F811
    (desk / "2026/11").mkdir(parents=True)
    (desk / "2026/11/call 2.wav.p7m").write_bytes(FILES["2026/11/call 2.wav.p7m"][:1000])
    run("all", front, desk)
    assert fetched(desk) == FILES


FIRST = {f"again {size}.wav.p7m": f"first {size} ".encode() * 1000 for size in ("longer", "shorter", "same")}
SECOND = {
    "again longer.wav.p7m": b"second longer " * 3000,
    "again shorter.wav.p7m": b"second shorter " * 10,
    "again same.wav.p7m": b"2nd. same- " * 1000,
}


@pytest.fixture
def relanded(desk: Path, front: Front) -> Iterator[Callable[[str], None]]:  # noqa: F811
    """Return a function that lands three files, fetches them by a command, and lands others under their names."""
    s3, bucket = front.cloud.client("s3"), front.cloud.outputs["SftpBucketName"]

    def land(files: dict[str, bytes]) -> datetime:
        for name, data in files.items():
            s3.delete_object(Bucket=bucket, Key=f"acme/{name}")
            front.deliver(f"acme/{name}", data)
        return s3.head_object(Bucket=bucket, Key=f"acme/{name}")["LastModified"]

    def fetch_and_land_again(command: str) -> None:
        before = land(FIRST)
        run(command, front, desk)
        # SFTP's times are in seconds, so a name is never reused within a second.
        while land(SECOND) <= before:
            pass

    yield fetch_and_land_again
    for name in FIRST:
        s3.delete_object(Bucket=bucket, Key=f"acme/{name}")


@pytest.mark.parametrize(("command", "folder"), [("all", "."), ("script", "recordings"), ("lftp", "recordings")])
def test_reused_name_is_fetched_again(
    desk: Path,
    front: Front,  # noqa: F811
    relanded: Callable[[str], None],
    command: str,
    folder: str,
) -> None:
    assert len(SECOND["again same.wav.p7m"]) == len(FIRST["again same.wav.p7m"])
    relanded(command)
    got = fetched(desk / folder)
    assert {name: got[name] for name in FIRST} == FIRST

    run(command, front, desk)

    assert fetched(desk / folder) == {**FILES, **SECOND}


def test_job_resumes_interrupted_files_and_never_mixes_two_files(
    desk: Path,
    front: Front,  # noqa: F811
    relanded: Callable[[str], None],
) -> None:
    relanded("script")
    # given: transfers of both landings were interrupted, and their partial files are marked
    old = (desk / "fetched.list").read_text().splitlines()
    run("script", front, desk)
    new = (desk / "fetched.list").read_text().splitlines()
    for line in {*old, *new}:
        if "again longer" in line:
            (desk / "partial" / hashlib.sha256(line.encode()).hexdigest()).write_bytes(
                b"OLD" if line in old else b"NEW"
            )
    (desk / "fetched.list").write_text("")

    run("script", front, desk)

    name = "again longer.wav.p7m"
    assert fetched(desk / "recordings") == {**FILES, **SECOND, name: b"NEW" + SECOND[name][3:]}


def test_job_fetches_each_file_once_with_any_name(desk: Path, front: Front) -> None:  # noqa: F811
    odd = """2026/a "b"  c'd \\ $HOME;x&y*.wav.p7m"""
    front.deliver(f"acme/{odd}", b"odd")
    run("script", front, desk)
    assert fetched(desk / "recordings") == {**FILES, odd: b"odd"}
    shutil.rmtree(desk / "recordings")
    run("script", front, desk)
    assert fetched(desk / "recordings") == {}
    front.cloud.client("s3").delete_object(Bucket=front.cloud.outputs["SftpBucketName"], Key=f"acme/{odd}")


def test_job_fails_if_it_cannot_fetch(desk: Path, front: Front) -> None:  # noqa: F811
    run("script", front, desk)
    (desk / "callseal_key").unlink()
    with pytest.raises(AssertionError):
        run("script", front, desk)


def test_a_key_check_is_answered(desk: Path, front: Front) -> None:  # noqa: F811
    (desk / "answer.txt").write_text("the words")
    run("answer", front, desk)
    assert front.delivered("acme/key-check/")[f"acme/key-check/{FINGERPRINT}.answer"] == b"the words"


def test_job_fetches_new_files_and_can_be_repeated(desk: Path, front: Front) -> None:  # noqa: F811
    run("script", front, desk)
    assert fetched(desk / "recordings") == FILES
    front.deliver("acme/call_3.wav.p7m", b"three")
    run("script", front, desk)
    assert fetched(desk / "recordings") == {**FILES, "call_3.wav.p7m": b"three"}


@pytest.mark.skipif(not shutil.which("lftp") and not os.environ.get("CI"), reason="there is no lftp on this machine")
def test_lftp_mirrors(desk: Path, front: Front) -> None:  # noqa: F811
    run("lftp", front, desk)
    assert fetched(desk / "recordings") == FILES
