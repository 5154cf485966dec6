"""`callseal selftest` on a local cloud: first intact, then broken on purpose, one fault at a time."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from callseal_cli.selftest import removal, trial
from callseal_cli.selftest.checks import CHECKS, refusals, sftp
from callseal_cli.stack import Stack
from localcloud import LocalCloud
from simulation.fault_proxy import Fault, FaultProxy, Refuse, Seen
from tests.e2e.cli.command import PATHS, Answer, call
from tests.security.privacy.watch import WATCH
from tests.support.functions import ROOT
from tests.support.keys import x509_tenant

LOG_GROUP = "/callseal-local/audit"
PASSED, FAILED, ONLY_AWS, NOT_TRIED = "passed", "failed", "only on AWS", "not tried"
# The result of each check on an intact local cloud.
RIGHT = {
    "taken up": PASSED,
    "sealed as CMS, GCM": PASSED,
    "sealed as CMS, CBC": PASSED,
    "sealed as OpenPGP": PASSED,
    "second copy": ONLY_AWS,
    "held": PASSED,
    "released": PASSED,
    "missing key": ONLY_AWS,
    "key announced": ONLY_AWS,
    "SFTP listing": ONLY_AWS,
    "SFTP fetch": PASSED,
    "fetched state": ONLY_AWS,
    "rejected connection": NOT_TRIED,
    "overwrite": PASSED,
    "unconditional overwrite": ONLY_AWS,
    "AWS managed key": ONLY_AWS,
    "customer's key": ONLY_AWS,
    "audit": PASSED,
    "locked copy": ONLY_AWS,
    "retention": PASSED,
}
# On a broken stack, no result arrives within this time or later.
BROKEN_SECONDS = 6.0
OPERATORS_GPG = os.environ.get("GPG_BINARY") or "gpg"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    state = tmp_path_factory.mktemp("operator") / ".local"
    with LocalCloud(state_dir=state, on_line=lambda _, line: WATCH.log(line)) as cloud:
        cloud.prewarm()
        yield cloud


@dataclasses.dataclass
class Bench:
    """An operator of the local cloud, with only the endpoint set."""

    cloud: LocalCloud
    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def point_to(self, **outputs: str) -> None:
        """Work in a folder whose local cloud has these outputs."""
        written = {**self.cloud.outputs, "StackName": self.cloud.stack_name, "Region": self.cloud.region}
        written |= {"EndpointUrl": self.cloud.endpoint_url, **outputs}
        (self.folder / ".local").mkdir(exist_ok=True)
        (self.folder / ".local" / "outputs.json").write_text(json.dumps(written))
        self.monkeypatch.setenv("AWS_ENDPOINT_URL", written["EndpointUrl"])

    def selftest(self, code: int = 0) -> Any:
        """Run the selftest and return its JSON."""
        answer = call("selftest", "--json")
        assert answer.out, answer
        document = json.loads(answer.out)
        failed = [f"{check['check']}: {check['message']}" for check in document["checks"] if check["state"] == FAILED]
        assert (answer.code, answer.err, document["not_removed"]) == (code, "", []), failed
        return document

    def fails(self, name: str, *without: str) -> Any:
        """Run the selftest on a broken stack: one check fails, some cannot be tried, the others pass."""
        section = f"docs/operations.md, '{next(check.look for check in CHECKS if check.name == name)}'"
        self.monkeypatch.setattr(removal, "QUIET_SECONDS", 0.5)
        document = self.selftest(code=1)
        assert states(document) == RIGHT | {name: FAILED} | dict.fromkeys(without, NOT_TRIED)
        failed = next(check for check in document["checks"] if check["state"] == FAILED)
        assert failed["look"] == section
        assert failed["means"]
        return failed["message"]

    def shorten(self, name: str) -> None:
        """Shorten the time of a check that waits in vain. On a slow machine the others need their time."""
        changed = [
            dataclasses.replace(check, seconds=min(check.seconds, BROKEN_SECONDS)) if check.name == name else check
            for check in CHECKS
        ]
        self.monkeypatch.setattr("callseal_cli.selftest.command.CHECKS", tuple(changed))

    def audit(self, detail_type: str, tenant: str) -> list[Any]:
        """Return a tenant's events of a type from the audit log group."""
        pages = self.cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName=LOG_GROUP)
        events = [json.loads(entry["message"]) for page in pages for entry in page["events"]]
        return [one for one in events if (one["detail-type"], one["detail"]["tenant"]) == (detail_type, tenant)]

    @contextmanager
    def standing_still(self, queue: str) -> Iterator[None]:
        """Hold back a queue's messages. New messages stay there until long after the tests."""
        sqs = self.cloud.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{self.cloud.stack_name}-{queue}")["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "900"})
        try:
            yield
        finally:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0"})

    @contextmanager
    def without_audit_target(self, wanted: Callable[[str], bool]) -> Iterator[None]:
        """Remove a target from the rule that copies every audit event."""
        events, bus = self.cloud.client("events"), self.cloud.outputs["AuditBusName"]
        targets = {
            rule["Name"]: events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)["Targets"]
            for rule in events.list_rules(EventBusName=bus)["Rules"]
        }
        rule = next(name for name, all_ in targets.items() if any(":log-group:" in one["Arn"] for one in all_))
        taken = [one for one in targets[rule] if wanted(one["Arn"])]
        events.remove_targets(Rule=rule, EventBusName=bus, Ids=[one["Id"] for one in taken])
        try:
            yield
        finally:
            events.put_targets(Rule=rule, EventBusName=bus, Targets=taken)

    @contextmanager
    def without_sweep_at_changes(self) -> Iterator[None]:
        """Disable the rules that start the sweep at a change of a tenant's settings or key."""
        rules, sweep = self.cloud._stack.rules, self.cloud.functions["SweepLandingFunction"].arn
        before = list(rules)
        rules[:] = [rule for rule in before if not (rule.pattern and sweep in rule.function_arns)]
        assert len(rules) < len(before)
        try:
            yield
        finally:
            rules[:] = before


@pytest.fixture
def bench(cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    for name in [name for name in os.environ if name.startswith(("AWS_", "CALLSEAL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    made = Bench(cloud, tmp_path, monkeypatch)
    made.point_to()
    return made


def states(document: Mapping[str, Any]) -> dict[str, str]:
    return {check["check"]: check["state"] for check in document["checks"]}


def everything(cloud: LocalCloud) -> dict[str, Any]:
    """Return all tenant data in reach of a selftest: objects with tags, secrets, parameters, and rows of tables."""
    s3, secrets, ssm, dynamodb = (cloud.client(name) for name in ("s3", "secretsmanager", "ssm", "dynamodb"))
    buckets = [cloud.outputs[f"{name}BucketName"] for name in ("Landing", "Sftp", "Archive")]
    found: dict[str, Any] = {
        f"{bucket}/{item['Key']}": (item["ETag"], s3.get_object_tagging(Bucket=bucket, Key=item["Key"])["TagSet"])
        for bucket in buckets
        for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    }
    versions = s3.list_object_versions(Bucket=cloud.outputs["ArchiveBucketName"])
    found |= {
        f"{one['Key']} {one['VersionId']}": 1
        for kind in ("Versions", "DeleteMarkers")
        for one in versions.get(kind, [])
    }
    found |= {one["Name"]: one["SecretVersionsToStages"] for one in secrets.list_secrets()["SecretList"]}
    found |= {one["Name"]: one["Version"] for one in ssm.describe_parameters()["Parameters"]}
    for table in dynamodb.list_tables()["TableNames"]:
        rows = [
            json.dumps([table, row], sort_keys=True, default=str) for row in dynamodb.scan(TableName=table)["Items"]
        ]
        found |= {row: 1 for row in rows if any(name in row for name in ("selftest-", "acme", "nobody"))}
    return found


def take_on(cloud: LocalCloud, tenant: str) -> None:
    name = f"{cloud.stack_name}/tenants/{tenant}"
    cloud.client("secretsmanager").create_secret(Name=f"{name}/public-key", SecretString=x509_tenant().public_text)
    cloud.client("ssm").put_parameter(Name=f"/{name}/settings", Type="String", Value="{}")


def land(cloud: LocalCloud, key: str) -> None:
    cloud.client("s3").put_object(Bucket=cloud.outputs["LandingBucketName"], Key=key, Body=b"said")


def name_of_run(minutes_ago: float) -> str:
    return f"selftest-{int(time.time() - minutes_ago * 60):08x}-0a1b2c"


def canary_in(message: str) -> str:
    found = re.search(r"selftest-[^/ ]+(?=/)", message)
    assert found
    return found[0]


# Everything is intact.


def test_selftest_passes_and_removes_everything(cloud: LocalCloud, bench: Bench) -> None:
    # given: tenants of all kinds, including one named like a canary, and one of another run that has just begun
    for tenant in ("acme", "selftest-acme", f"{name_of_run(1)}-gcm"):
        take_on(cloud, tenant)
        land(cloud, f"{tenant}/1.wav")
    land(cloud, "nobody/1.wav")
    cloud.wait_until_idle()
    before = everything(cloud)
    # and the remains of an interrupted run
    run = name_of_run(20)
    take_on(cloud, f"{run}-gcm")
    land(cloud, f"{run}-gcm/1.wav")
    land(cloud, f"{run}-held/1.wav")
    cloud.wait_until_idle()

    # when
    document = bench.selftest()

    # then: the only line that cannot be tried explains why, and no check that only AWS can answer has passed
    assert states(document) == RIGHT
    assert all(check["only_aws"] for check in document["checks"] if check["state"] == ONLY_AWS)
    assert "A client cannot provoke it" in document["checks"][list(RIGHT).index("rejected connection")]["message"]
    counts = {name: document[name] for name in ("passed", "failed", "only_on_aws", "not_tried")}
    assert counts == {"passed": 10, "failed": 0, "only_on_aws": 9, "not_tried": 1}
    assert document["seconds"] < 300
    # and everything is as before
    assert document["leftovers_removed"] == [f"{run}-gcm", f"{run}-held"]
    cloud.wait_until_idle()
    after = everything(cloud)
    assert after.keys() - before.keys() == set()
    assert after == before
    assert set(document["removed"]) == {"objects", "secrets", "parameters", "rows"}
    # except for the records that it took place
    assert [cloud.outputs["AuditLogGroupName"] in one for one in document["remains"]] == [True, False, False]
    assert cloud.outputs["AuditBucketName"] in document["remains"][1]


# The stack broken on purpose. Each fault makes its own check fail, and the others pass.

NEED_TAKEN_UP = (
    "sealed as CMS, GCM", "sealed as CMS, CBC", "sealed as OpenPGP", "second copy", "held", "released", "missing key",
    "SFTP listing", "SFTP fetch", "fetched state", "overwrite", "audit", "locked copy", "retention",
)  # fmt: skip


def test_encrypt_recording_does_not_get_its_messages(bench: Bench) -> None:
    """The text output: a table, what only AWS can show, and for failed checks their meaning and where to look."""
    with bench.standing_still("encrypt"):
        bench.shorten("taken up")
        answer = call("selftest")
    assert (answer.code, answer.err) == (1, "")
    header, *rows = [line.split("\t") for line in answer.out.split("\n\n")[0].splitlines()]
    assert header == ["check", "result", "seconds", "seen"]
    found = {name: state for name, state, *_ in rows}
    assert found == RIGHT | {"taken up": FAILED} | dict.fromkeys(NEED_TAKEN_UP, NOT_TRIED)
    assert rows[0][3] == "see below"
    assert rows[1][3] == "It needs 'taken up'."
    assert "\nOnly AWS can show:\n  key announced: that EventBridge receives " in answer.out
    assert "\ntaken up failed: After 6 s none of 9 files is delivered or held (in the queue: " in answer.out
    assert "\n  What should hold: Files that land reach encrypt_recording" in answer.out
    assert "\n  What it means: The landing bucket does not announce files" in answer.out
    assert "\n  Where to look: docs/operations.md, 'The queue grows old'.\n" in answer.out
    assert re.search(r"^\d+ passed, 1 failed, \d+ only on AWS, \d+ not tried; \d+ s\.$", answer.out, re.MULTILINE)
    assert f"  audit events of the tenants selftest-... in the log group {LOG_GROUP}\n" in answer.out


def test_a_tenants_key_is_swapped(bench: Bench) -> None:
    write = trial.store.write_secret

    def swapped(stack: Stack, tenant: str, text: str) -> Any:
        return write(stack, tenant, x509_tenant(name="stranger").public_text if tenant.endswith("-cbc") else text)

    bench.monkeypatch.setattr(trial.store, "write_secret", swapped)
    message = bench.fails("sealed as CMS, CBC", "audit")
    assert "_1.wav.p7m in the SFTP bucket: the canary's RSA key does not open it" in message


def test_settings_cannot_be_read(bench: Bench) -> None:
    write = trial.store.write_settings

    def damaged(stack: Stack, tenant: str, members: Any, *, overwrite: bool) -> None:
        write(stack, tenant, {"encript": True} if tenant.endswith("-pgp") else members, overwrite=overwrite)

    bench.monkeypatch.setattr(trial.store, "write_settings", damaged)
    message = bench.fails("sealed as OpenPGP", "audit")
    assert re.fullmatch(r"selftest-\S+-pgp/\S+_1\.wav is held SettingsInvalid\.", message)


def test_the_sweep_does_not_run_at_changes(bench: Bench) -> None:
    with bench.without_sweep_at_changes():
        bench.shorten("released")
        message = bench.fails("released")
    assert "is not in the SFTP bucket after 6 s: it is held SettingsMissing." in message
    # A late sweep on a slow machine would have left its event.
    bench.cloud.wait_until_idle()
    assert not bench.audit("RecordingReleased", canary_in(message))


def test_the_audit_rule_has_lost_its_log_group(bench: Bench) -> None:
    with bench.without_audit_target(lambda arn: ":log-group:" in arn):
        bench.shorten("audit")
        message = bench.fails("audit")
    assert "the log group lacks 7 of 7 events: RecordingDelivered of selftest-" in message
    bench.cloud.wait_until_idle()
    assert not bench.audit("RecordingDelivered", canary_in(message))


def test_the_audit_rule_has_lost_its_stream(bench: Bench) -> None:
    with bench.without_audit_target(lambda arn: ":log-group:" not in arn):
        bench.shorten("locked copy")
        message = bench.fails("locked copy", "retention")
    assert message == "After 6 s no object of the audit bucket has the event."


def test_the_audit_bucket_locks_nothing(bench: Bench) -> None:
    with bench.standing_still("audit-lock"):
        bench.shorten("retention")
        message = bench.fails("retention")
    assert re.fullmatch(r"audit/\S+ is not locked\.", message)


def test_the_sftp_front_is_down(bench: Bench) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    bench.point_to(SftpPort=port)
    # A broken pipe, as when ssh ends before sftp writes to it, must not end sftp without a word.
    (client := bench.folder / "sftp").write_text(f'#!/bin/sh\nkill -PIPE $$\nexec {shutil.which("sftp")} "$@"\n')
    client.chmod(0o700)
    bench.monkeypatch.setenv("PATH", f"{bench.folder}{os.pathsep}{os.environ['PATH']}")
    bench.shorten("SFTP listing")
    message = bench.fails("SFTP listing", "SFTP fetch", "fetched state")
    assert message.startswith("sftp ended with 255: ")


def test_file_register_receives_no_downloads(bench: Bench) -> None:
    bench.monkeypatch.setattr(removal, "SETTLE_SECONDS", 0.1)
    with bench.standing_still("files"):
        bench.shorten("fetched state")
        message = bench.fails("fetched state")
    assert "is not in the register." in message


def test_key_register_receives_no_keys(bench: Bench) -> None:
    bench.monkeypatch.setattr(removal, "SETTLE_SECONDS", 0.1)
    with bench.standing_still("key-register"):
        bench.shorten("key announced")
        message = bench.fails("key announced")
    assert message == "After 6 s the key register has as accepted: none."


def test_a_delivered_file_can_be_overwritten(cloud: LocalCloud, bench: Bench) -> None:
    def clear_the_way(seen: Seen) -> None:
        if seen.operation == "PutObject" and seen.body == b"another file of the selftest":
            cloud.client("s3").delete_object(Bucket=seen.bucket, Key=seen.key)

    with FaultProxy(cloud.endpoint_url, lambda _: None, before=clear_the_way) as proxy:
        bench.point_to(EndpointUrl=proxy.endpoint_url)
        message = bench.fails("overwrite")
    assert message.endswith("in the bucket of SftpBucketName was overwritten (S3 answered OK).")


# As on AWS: the same cloud, with the features that the emulator lacks.


@pytest.fixture
def on_aws(cloud: LocalCloud, bench: Bench) -> Callable[..., AbstractContextManager[None]]:
    find = sftp._front
    front = (cloud.outputs["SftpHost"], cloud.outputs["SftpPort"])

    def lands_wrongly(seen: Seen) -> Fault | None:
        is_wrong = (
            seen.headers.get("x-amz-server-side-encryption") == "aws:kms"
            or "x-amz-server-side-encryption-customer-algorithm" in seen.headers
        )
        return Refuse(403, "AccessDenied") if seen.operation == "PutObject" and is_wrong else None

    @contextmanager
    def aws(*, denies_keys: bool = True, denies_writes: bool = True) -> Iterator[None]:
        buckets = [cloud.outputs[f"{name}BucketName"] for name in ("Sftp", "Archive")] if denies_writes else []
        decide = lands_wrongly if denies_keys else lambda _: None
        with FaultProxy(cloud.endpoint_url, decide, output_buckets=buckets) as proxy:
            bench.point_to(EndpointUrl=proxy.endpoint_url)
            bench.monkeypatch.setattr("callseal_cli.stack._is_this_machine", lambda _: False)
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                bench.monkeypatch.setenv(name, "local")
            bench.monkeypatch.setattr(sftp, "_front", lambda stack: find(stack) and front)
            yield

    return aws


ON_AWS = {name: PASSED if state == ONLY_AWS else state for name, state in RIGHT.items()}


def test_on_aws_every_question_is_answered(bench: Bench, on_aws: Any) -> None:
    with on_aws():
        document = bench.selftest()
    assert states(document) == ON_AWS
    assert (document["local"], document["only_on_aws"], document["passed"]) == (False, 0, 19)


def test_on_aws_missing_policy_is_detected_and_missing_front_is_no_failure(bench: Bench, on_aws: Any) -> None:
    with on_aws(denies_keys=False, denies_writes=False):
        bench.monkeypatch.setattr(sftp, "_front", lambda _: None)
        document = bench.selftest(code=1)
    broken = dict.fromkeys(("unconditional overwrite", "AWS managed key", "customer's key"), FAILED)
    without = dict.fromkeys(("SFTP listing", "SFTP fetch", "fetched state"), NOT_TRIED)
    assert states(document) == ON_AWS | broken | without
    message = {check["check"]: check["message"] for check in document["checks"]}
    assert "was overwritten" in message["unconditional overwrite"]
    assert message["AWS managed key"] == message["customer's key"] == "S3 answered OK instead of AccessDenied."
    assert "SftpFront=none" in message["SFTP listing"]


# What it does not do.


def test_missing_programs_are_reported_before_any_change(bench: Bench) -> None:
    before = everything(bench.cloud)
    bench.monkeypatch.setenv("GPG_BINARY", "no-such-gpg")
    assert_refused(call("selftest"), "there is no no-such-gpg")
    bench.monkeypatch.setenv("GPG_BINARY", OPERATORS_GPG)
    bench.monkeypatch.setattr("shutil.which", lambda name: None if name == "sftp" else name)
    assert_refused(call("selftest"), "Install the OpenSSH client")
    assert_refused(call("selftest", "--limit", "0"), "--limit")
    assert everything(bench.cloud) == before


def assert_refused(answer: Answer, words: str) -> None:
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_removes_what_it_made(cloud: LocalCloud, bench: Bench, number: signal.Signals) -> None:
    before = everything(cloud)
    # A short path: gpg's agent creates a socket below it, and a socket's path is limited to 108 characters.
    with tempfile.TemporaryDirectory(prefix="st-") as folder:
        interrupt(cloud, bench, number, folder)
    cloud.wait_until_idle()
    assert everything(cloud).keys() - before.keys() == set()


def interrupt(cloud: LocalCloud, bench: Bench, number: signal.Signals, folder: str) -> None:
    """Interrupt a run once its recordings have landed, and check that its private keys are gone."""
    environment = {name: os.environ[name] for name in ("PATH", "AWS_ENDPOINT_URL")}
    environment |= {"PYTHONPATH": os.pathsep.join(map(str, PATHS)), "TMPDIR": folder}
    with bench.standing_still("encrypt"):
        command = [sys.executable, "-m", "callseal_cli", "selftest"]
        with subprocess.Popen(
            command, env=environment, cwd=bench.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        ) as running:  # fmt: skip
            landing = f"{cloud.outputs['LandingBucketName']}/selftest-"
            deadline = time.monotonic() + 300
            while (landed := sum(name.startswith(landing) for name in everything(cloud))) < 9:
                assert time.monotonic() < deadline, landed
                time.sleep(0.1)
            running.send_signal(number)
            out, err = running.communicate(timeout=300)
    assert (running.returncode, out, err) == (2, b"", b"callseal: Interrupted.\n")
    assert not list(Path(folder).glob("cs-*")), "private keys were left behind"


@pytest.mark.parametrize(
    "tenant", ["acme", "selftest-acme", "selftest-0a1b2c3d-0a1b2c-gcm2", "selftest-0a1b2c3d-gcm", ""]
)
def test_nothing_is_removed_of_another_tenant(tenant: str) -> None:
    with pytest.raises(ValueError, match="not canaries"):
        removal.remove(None, [f"{name_of_run(20)}-gcm", tenant])  # type: ignore[arg-type]


# What its documentation states.


def test_every_check_states_what_it_proves_and_where_to_look() -> None:
    headings = set(re.findall(r"^#+ (.+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE))
    text = (ROOT / "docs" / "cli.md").read_text()
    for check in CHECKS:
        assert check.look in headings, check.name
        assert check.proves.endswith("."), check.name
        assert check.means or check is sftp.rejected_connection
        assert f"\n| {check.name} |" in text, check.name
    assert [check.name for check in CHECKS] == list(RIGHT)
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_a_check_needs_what_runs_before_it() -> None:
    seen: set[str] = set()
    for check in CHECKS:
        assert set(check.needs) <= seen, check.name
        seen.add(check.name)


def test_local_cloud_skips_only_refusals_that_the_emulator_lacks() -> None:
    left_out = [check for check in CHECKS if not check.local]
    assert left_out == [refusals.unconditional, refusals.aws_managed_key, refusals.customer_key]
    assert all(check.only_aws for check in left_out)
