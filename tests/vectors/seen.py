"""Three judges of a key file: `callseal keys check`, the function on moto, and openssl or gpg. Each judges once."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from callseal_cli.keycheck import read_key
from tests.e2e.cli.command import call
from tests.interop.lab import folder, once
from tests.support import functions
from tests.support.keys import gpg_home, tool
from tests.support.stack import SFTP, Stack, failures, sqs_event, stack
from tests.vectors import openpgp_cases, x509_cases
from tests.vectors.case import Case

FAMILIES = {"x509": x509_cases.CASES, "openpgp": openpgp_cases.CASES}
CASES = [(family, case) for family, cases in FAMILIES.items() for case in cases]
# The catalogue's differences apply to these versions. Another version may behave differently.
VERSIONS = {"openssl": "OpenSSL 3.0.", "gpg": "gpg (GnuPG) 2.2."}
USABLE = "usable"


class Opinion(NamedTuple):
    """A judge's verdict: whether files may be sealed to the key, and the judge's words."""

    accepts: bool
    says: str


class Seen(NamedTuple):
    """The verdicts on one file."""

    check: Opinion
    exit_code: int
    function: Opinion
    outside: Opinion


def seen(family: str, case: Case) -> Seen:
    """Return the verdicts on a file. The first caller asks the judges."""
    path = _file(family, case)
    check, code = once(f"{path.name}-check", lambda: _check(path))
    outside = once(f"{path.name}-tool", lambda: _openssl(path) if family == "x509" else _gpg(path))
    function = once("key-function", _function)[path.name]
    return Seen(Opinion(*check), code, Opinion(*function), Opinion(*outside))


def _file(family: str, case: Case) -> Path:
    """Return a case's file. The first caller makes it."""
    path = folder() / re.sub(r"\W+", "-", f"key-{family}-{case.name}")
    once(f"{path.name}-file", lambda: path.write_bytes(case.data))
    return path


@cache
def skip_other_version(family: str) -> None:
    """Skip the test outside CI if the machine's tool has another version than the catalogue's."""
    name = "openssl" if family == "x509" else "gpg"
    version = subprocess.run([tool(name), "version" if name == "openssl" else "--version"],
                             capture_output=True, text=True, check=True).stdout.splitlines()[0]  # fmt: skip
    if not version.startswith(VERSIONS[name]) and not os.environ.get("CI"):
        pytest.skip(f"{version} here, and the catalogue of keys is about {VERSIONS[name]}x")


def _check(path: Path) -> tuple[Opinion, int]:
    answer = call("keys", "check", path, "--json")
    assert not answer.err, answer
    verdict = json.loads(answer.out)
    return Opinion(verdict["usable"], verdict["reason"] or USABLE), answer.code


def _function() -> dict[str, Opinion]:
    """Store each file as a tenant's key, land a recording, and return the outcome."""
    with stack() as cloud, redirect_stdout(StringIO()):
        handler = functions.load("encrypt_recording").lambda_handler
        return {path.name: _landed(cloud, handler, f"tenant-{number}", path)
                for number, path in enumerate(_file(family, case) for family, case in CASES)}  # fmt: skip


def _landed(cloud: Stack, handler: Callable[..., Any], tenant: str, path: Path) -> Opinion:
    cloud.tenant(tenant, read_key(path))
    key = f"{tenant}/1.wav"
    assert failures(handler(sqs_event(cloud.land(key, b"said")), None)) == []
    suffix = ".p7m" if "x509" in path.name else ".pgp"
    sent = cloud.s3.list_objects_v2(Bucket=SFTP, Prefix=f"{tenant}/").get("Contents", [])
    if f"{key}{suffix}" in [one["Key"] for one in sent]:
        return Opinion(True, USABLE)
    return Opinion(False, cloud.tags(key)["callseal-reason"])


def _openssl(path: Path) -> Opinion:
    """Encrypt to the file with stock openssl, then check dates and strength (level 2: 112 bits)."""
    openssl = tool("openssl")
    sealed, _ = _tool([openssl, "cms", "-encrypt", "-binary", "-aes-256-cbc", "-outform", "DER", path], b"said")
    if not sealed:
        read, _ = _tool([openssl, "x509", "-in", path, "-noout"])
        return Opinion(False, "does not seal" if read else "reads no certificate")
    verified, said = _tool([openssl, "verify", "-auth_level", "2", "-partial_chain", "-trusted", path, path])
    if verified:
        return Opinion(True, "seals")
    why = re.search(r"depth lookup: (.*)", said)
    return Opinion(False, f"seals, but `verify`: {why[1] if why else said}")


def _gpg(path: Path) -> Opinion:
    """Import the file into a fresh home with stock gpg, and encrypt to all imported keys."""
    home = gpg_home("judge")
    program = [tool("gpg"), "--homedir", home, "--batch", "--no-tty", "--pinentry-mode", "loopback"]
    # The agent imports a secret key, and gpg itself does not wait long for the agent on a busy machine.
    _tool(["gpgconf", "--homedir", home, "--launch", "gpg-agent"])
    _tool([*program, "--import", path])
    _, listing = _tool([*program, "--with-colons", "--list-keys"])
    names = re.findall(r"^pub:.*\n(?:tfs:.*\n)?fpr:+([0-9A-F]+):", listing, re.MULTILINE)
    if not names:
        return Opinion(False, "does not seal")
    recipients = [part for name in names for part in ("--recipient", name)]
    sealed, _ = _tool([*program, "--trust-model", "always", *recipients, "--encrypt"], b"said")
    _tool(["gpgconf", "--homedir", home, "--kill", "all"])
    return Opinion(sealed, "seals" if sealed else "does not seal")


def _tool(command: list[str | Path], data: bytes = b"") -> tuple[bool, str]:
    """Run a tool that may refuse, without a terminal on which it could ask for a passphrase."""
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run([str(part) for part in command], input=data, capture_output=True, cwd=empty, check=False,
                              env={**os.environ, "LC_ALL": "C"}, start_new_session=True)  # fmt: skip
    return done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
