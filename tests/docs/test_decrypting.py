"""Run each command of docs/decrypting.md, exactly as on the page, on files that the package sealed."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest

from callseal.crypto.envelopes import cms, openpgp
from callseal.crypto.gpg import Gpg
from callseal.crypto.recipients import CmsRecipients, OpenPgpRecipients, judge
from tests.support.functions import ROOT
from tests.support.keys import openpgp_tenant, run, tool, x509_tenant

PAGE = (ROOT / "docs" / "decrypting.md").read_text()
COMMANDS = re.findall(r"<!-- run: (\w+) -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
RECORDING = (ROOT / "tests" / "samples" / "4711000000000001_1.wav").read_bytes()
PASSPHRASE = "correct horse"


def x509_folder(folder: Path, profile: str = "authenveloped-gcm") -> dict[str, str]:
    """Create the files of the page's X.509 tenant: key, certificate, PKCS#12, passphrase, delivered files."""
    tenant = x509_tenant()
    shutil.copy(tenant.certificate, folder / "our.crt")
    shutil.copy(tenant.private_key, folder / "our.key")
    (folder / "passphrase.txt").write_text(PASSPHRASE + "\n")
    secret = ("-passout", f"pass:{PASSPHRASE}")
    run(tool("openssl"), "pkey", "-in", folder / "our.key", "-aes256", *secret, "-out", folder / "our-encrypted.key")
    run(tool("openssl"), "pkcs12", "-export", "-in", folder / "our.crt", "-inkey", folder / "our.key", *secret,
        "-out", folder / "our.p12")  # fmt: skip
    recipients = judge(tenant.public_text, datetime.now(UTC), lambda: Gpg("gpg"))
    assert isinstance(recipients, CmsRecipients)
    for name in ("call.wav.p7m", "another call.wav.p7m"):
        with (folder / name).open("wb") as file:
            cms.seal(BytesIO(RECORDING), len(RECORDING), recipients.members, profile, file.write)
    return {}


def openpgp_folder(folder: Path) -> dict[str, str]:
    """Create the files of the page's OpenPGP tenant: a keyring with its private key, delivered files."""
    tenant, gpg = openpgp_tenant(), Gpg("gpg")
    recipients = judge(tenant.public_text, datetime.now(UTC), lambda: gpg)
    assert isinstance(recipients, OpenPgpRecipients)
    for name in ("call.wav.pgp", "another call.wav.pgp"):
        with (folder / name).open("wb") as file:
            openpgp.seal(BytesIO(RECORDING), len(RECORDING), recipients, gpg, file.write)
    return {"GNUPGHOME": str(tenant.home)}


FOLDERS: dict[str, Callable[[Path], dict[str, str]]] = {"x509": x509_folder, "openpgp": openpgp_folder}


def shell(command: str, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-euc", command],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_page_has_commands_for_both_families() -> None:
    assert {family for family, _ in COMMANDS} == {"x509", "openpgp"}
    assert len(COMMANDS) == PAGE.count("```sh")


@pytest.mark.parametrize(("family", "command"), COMMANDS, ids=lambda value: value.strip().split("\n")[0][:40])
def test_command_opens_delivered_files(tmp_path: Path, family: str, command: str) -> None:
    variables = FOLDERS[family](tmp_path)

    done = shell(command, tmp_path, variables)

    assert done.returncode == 0, done.stderr
    opened = [path for path in tmp_path.glob("*.wav") if path.read_bytes() == RECORDING]
    inspects = "print" in command or "list-packets" in command
    wanted = 0 if inspects else 2 if "for sealed" in command else 1
    assert len(opened) == len(list(tmp_path.glob("*.wav"))) == wanted
    if inspects:
        assert "authEnvelopedData" in done.stdout or ":pubkey enc packet:" in done.stdout


def test_same_command_opens_the_other_profile(tmp_path: Path) -> None:
    x509_folder(tmp_path, "enveloped-cbc")
    assert shell(COMMANDS[0][1], tmp_path, {}).returncode == 0
    assert (tmp_path / "call.wav").read_bytes() == RECORDING


@pytest.mark.parametrize("family", ["x509", "openpgp"])
def test_folder_job_keeps_no_part_of_a_changed_file(tmp_path: Path, family: str) -> None:
    variables = FOLDERS[family](tmp_path)
    sealed = next(path for path in sorted(tmp_path.iterdir()) if path.name.startswith("call.wav."))
    data = bytearray(sealed.read_bytes())
    data[-100_000] ^= 1
    sealed.write_bytes(data)
    (command,) = [command for of, command in COMMANDS if of == family and "for sealed" in command]

    done = shell(command, tmp_path, variables)

    assert "cannot open call.wav." in done.stderr
    assert not list(tmp_path.glob("call.wav")) and not list(tmp_path.glob("*.part"))
    assert (tmp_path / "another call.wav").read_bytes() == RECORDING
