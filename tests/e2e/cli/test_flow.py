"""Complete commands, as separate programs, on a real local cloud."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.e2e.cli.command import PATHS, Answer, run
from tests.e2e.flow.test_commands import local_cloud
from tests.support.keys import OpenPgpTenant, X509Tenant, openpgp_tenant, x509_tenant


class Cloud:
    """A running local cloud, and the command on it, with only the endpoint set."""

    def __init__(self, folder: Path, outputs: dict[str, str]) -> None:
        self.folder, self.outputs = folder, outputs
        self.s3: Any = boto3.client("s3", endpoint_url=outputs["EndpointUrl"], region_name=outputs["Region"],
                                    aws_access_key_id="x", aws_secret_access_key="x")  # fmt: skip

    def __call__(self, *arguments: str | Path, data: bytes = b"") -> Answer:
        return run(*arguments, data=data, env={"AWS_ENDPOINT_URL": self.outputs["EndpointUrl"]}, cwd=self.folder)

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        answer = self(*arguments, "--json")
        assert (answer.code, answer.err) == (code, ""), answer
        return json.loads(answer.out)

    def land(self, key: str, data: bytes = b"said") -> None:
        self.s3.put_object(Bucket=self.outputs["LandingBucketName"], Key=key, Body=data)

    def delivered(self, prefix: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.outputs["SftpBucketName"], Prefix=prefix).get("Contents", [])
        return [item["Key"] for item in found]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("operator")
    with local_cloud(folder / ".local") as outputs:
        yield Cloud(folder, outputs)


def until(ready: Any, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.2)


UNPROVEN = ("--set", "require_key_proof=false")


def compared(tenant: X509Tenant | OpenPgpTenant) -> tuple[str, str]:
    """Return the options with the fingerprint that the tenant reads out over another channel."""
    return "--fingerprint", tenant.fingerprint


def test_operator_adds_tenants_and_their_held_recordings_are_delivered(cloud: Cloud, tmp_path: Path) -> None:
    # A key that expires within 60 days would need attention.
    x509, weak = x509_tenant("rsa2048", "lasting", "-days", "300"), x509_tenant("rsa1024")
    openpgp = openpgp_tenant("cv25519", "lasting", "300d")
    (tmp_path / "beta.asc").write_text(openpgp.public_text)

    # given: recordings of two tenants that are not set up
    cloud.land("acme/1.wav")
    cloud.land("beta/æ 2.mp3")
    until(lambda: len(cloud.json("held", "list")["held"]) == 2)
    assert cloud.json("status", code=1)["held"]["by_reason"] == {"SettingsMissing": 2}
    assert "parameter /callseal-local/tenants/acme/settings" in cloud("held", "show", "acme/1.wav").out

    # when: they are added, the first one with a bad key first
    assert cloud("tenants", "add", "acme", "--key", weak.certificate).code == 1
    assert cloud("tenants", "add", "acme", "--key", x509.certificate, *compared(x509), *UNPROVEN).code == 0
    assert cloud("tenants", "add", "beta", "--set", "deliver_to_archive=true", *UNPROVEN).code == 0
    put = cloud.json("keys", "put", "beta", tmp_path / "beta.asc", *compared(openpgp))
    assert put["keys"][0]["fingerprint"] == openpgp.fingerprint

    # then: all recordings are delivered, and nothing needs attention
    until(lambda: cloud.delivered("acme/") and cloud.delivered("beta/"))
    until(lambda: not cloud.json("held", "list")["held"])
    assert cloud.delivered("acme/1.wav") == ["acme/1.wav.p7m"]
    assert cloud.delivered("beta/") == ["beta/æ 2.mp3.pgp"]
    until(lambda: cloud.json("status")["delivered_last_hour"] == 2)
    assert [one["tenant"] for one in cloud.json("tenants", "list")["tenants"]] == ["acme", "beta"]
    assert cloud.json("tenants", "show", "beta")["settings"]["deliver_to_archive"] is True


def test_new_key_is_checked_at_once_without_waiting_for_its_event(cloud: Cloud) -> None:
    """Here the creation sends an event as well. The cause in the log distinguishes the two."""
    log = cloud.folder / ".local" / "logs" / "CheckKeysFunction.log"

    def invoked() -> int:
        return log.read_text().count('"cause":"invoked"')

    before = invoked()
    key = x509_tenant()
    assert cloud("tenants", "add", "epsilon", "--key", key.certificate, *compared(key)).code == 0
    until(lambda: invoked() == before + 1)
    assert cloud("tenants", "add", "zeta").code == 0
    assert cloud("keys", "put", "zeta", key.certificate, *compared(key)).code == 0
    until(lambda: invoked() == before + 2)


def test_file_released_by_hand_is_processed_at_once(cloud: Cloud) -> None:
    # given: a file whose output key exists already
    key = x509_tenant()
    cloud("tenants", "add", "gamma", "--key", key.certificate, *compared(key), *UNPROVEN)
    cloud.s3.put_object(Bucket=cloud.outputs["SftpBucketName"], Key="gamma/1.wav.p7m", Body=b"another", IfNoneMatch="*")
    cloud.land("gamma/1.wav")
    until(lambda: cloud.json("held", "list", "--tenant", "gamma")["held"])
    assert cloud.json("held", "show", "gamma/1.wav")["event"]["reason"] == "OutputConflict"

    # when: that object is removed
    cloud.s3.delete_object(Bucket=cloud.outputs["SftpBucketName"], Key="gamma/1.wav.p7m")
    assert [one["key"] for one in cloud.json("held", "release", "gamma")["put_back"]] == ["gamma/1.wav"]

    # then: it is delivered before the next scheduled sweep, which runs every five minutes
    until(lambda: cloud.delivered("gamma/") == ["gamma/1.wav.p7m"])


def test_a_key_is_proven_by_command(cloud: Cloud) -> None:
    # given: a tenant that requires key proof, and a recording held for it
    key = x509_tenant("p256", "proving")
    cloud("tenants", "add", "delta", "--key", key.certificate, *compared(key))
    cloud.land("delta/1.wav")
    challenge = f"delta/key-check/{cloud.json('tenants', 'show', 'delta')['key']['keys'][0]['fingerprint']}.txt.p7m"
    until(lambda: challenge in cloud.delivered("delta/key-check/"))
    until(lambda: cloud.json("held", "list", "--tenant", "delta")["by_reason"] == {"KeyUnproven": 1})

    # when: the tenant opens the challenge, and the operator types a wrong code, then the right one
    sealed = cloud.s3.get_object(Bucket=cloud.outputs["SftpBucketName"], Key=challenge)["Body"].read()
    (code,) = re.findall(r"^ +(\w{4}-\w{4}-\w{4})$", key.open(sealed).decode(), re.MULTILINE)
    refused = cloud.json("keys", "prove", "delta", "0000-0000-0000", code=1)
    assert "it is not the code" in refused["message"]
    proven = cloud.json("keys", "prove", "delta", code.lower())["proven"]

    # then: the key is proven, the released file is delivered before the next sweep, and the register is complete
    assert cloud("held", "release", "delta").code == 0
    until(lambda: "delta/1.wav.p7m" in cloud.delivered("delta/1"))
    (listed,) = cloud.json("keys", "list", "delta")["keys"]
    assert [listed["fingerprint"]] == proven
    assert (listed["kind"], listed["algorithm"], listed["strength"]) == ("x509", "EC P-256", 256)
    assert listed["proven"]


def test_every_tenants_key_is_judged_again_by_command(cloud: Cloud, tmp_path: Path) -> None:
    good, weak = x509_tenant("p256", "rechecked"), x509_tenant("rsa1024", "rechecked")
    assert cloud("tenants", "add", "eta", "--key", good.certificate, *compared(good)).code == 0
    assert cloud.json("keys", "recheck", "eta") == {"tenants": [{"tenant": "eta", "verdict": "accepted"}]}
    secrets: Any = boto3.client(
        "secretsmanager", endpoint_url=cloud.outputs["EndpointUrl"], region_name=cloud.outputs["Region"],
        aws_access_key_id="x", aws_secret_access_key="x",
    )  # fmt: skip
    name = f"{cloud.outputs['StackName']}/tenants/theta/public-key"
    secrets.create_secret(Name=name, SecretString=weak.public_text)
    verdicts = cloud.json("keys", "recheck", "--all", code=1)["tenants"]
    assert {"tenant": "eta", "verdict": "accepted"} in verdicts
    assert {"tenant": "theta", "verdict": "rejected"} in verdicts
    assert cloud.json("keys", "recheck", "iota", code=1) == {"tenants": [{"tenant": "iota", "verdict": "missing"}]}


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_on_a_terminal_the_operator_is_asked_to_compare(cloud: Cloud, typed: str, code: int) -> None:
    key, tenant = x509_tenant("p256", "compared"), f"kappa-{ord(typed[0])}"
    ended, shown = on_terminal(cloud, typed, "tenants", "add", tenant, "--key", str(key.certificate))
    assert ended == code, shown
    assert " ".join(key.fingerprint[at : at + 4] for at in range(0, 64, 4)) in shown
    assert "another channel" in shown
    has_key = {one["tenant"]: one["has_key"] for one in cloud.json("tenants", "list")["tenants"]}
    assert has_key.get(tenant, False) is (code == 0)


def on_terminal(cloud: Cloud, typed: str, *arguments: str) -> tuple[int, str]:
    """Run the command on a terminal, and type an answer when it asks. Return its exit code and output."""
    ours, its = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, PATHS)), "TERM": "dumb",
                   "COLUMNS": "200", "AWS_ENDPOINT_URL": cloud.outputs["EndpointUrl"]}  # fmt: skip
    command, shown = [sys.executable, "-m", "callseal_cli", *arguments], b""
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment, cwd=cloud.folder) as process:
        os.close(its)
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # how Linux reports that the other end is closed
                break
            if b"[y/N]" in shown and typed:
                os.write(ours, typed.encode())
                typed = ""
    os.close(ours)
    return process.returncode, shown.decode()


def test_the_installed_command_works_from_any_folder(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("callseal")
    assert program.exists(), "make setup installs the command beside Python; run it again"
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    certificate = x509_tenant().certificate
    done = subprocess.run(
        [program, "keys", "check", certificate, "--json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["usable"] is True
