"""Failures in the middle of a delivery: no wrong or unfinished output remains, and the retry delivers."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session

from callseal.aws.calls import CONFIG
from tests.support.families import FAMILIES
from tests.support.network import Network, Request, answer
from tests.support.queueing import announce_landings, pump, waiting
from tests.support.recordings import MIB, land_large, recording
from tests.support.stack import ARCHIVE, LANDING, SFTP, Stack, failures, sqs_event

KEY = "acme/4711_1.wav"
SMALL, LARGE = 70_000, 17 * MIB
BOTH = {"deliver_to_archive": True, "archive_formats": ["wav"]}
PLAIN = {**BOTH, "encrypt": False}


def land(cloud: Stack, size: int, key: str = KEY) -> dict[str, Any]:
    return land_large(cloud, key, recording(size)) if size > MIB else cloud.land(key, recording(size))


def assert_failed_without_trace(cloud: Stack, module: ModuleType, landed: dict[str, Any], size: int) -> None:
    """Process the message: it must return to the queue, and leave no trace."""
    assert failures(module.lambda_handler(sqs_event(landed), None)) == ["m0"]
    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == {}
    assert_landing_is_untouched(cloud, size)
    assert cloud.audit() == []


def assert_landing_is_untouched(cloud: Stack, size: int) -> None:
    assert cloud.unfinished_uploads(SFTP) == cloud.unfinished_uploads(ARCHIVE) == []
    assert cloud.objects(LANDING) == {KEY: recording(size)}
    assert cloud.tags(KEY) == {}


def assert_retry_delivers(
    cloud: Stack, network: Network, module: ModuleType, landed: dict[str, Any], size: int, family: str = "x509"
) -> None:
    network.mend()
    assert failures(module.lambda_handler(sqs_event(landed, receives=2), None)) == []
    (sealed,) = cloud.objects(SFTP).values()
    assert FAMILIES[family].make("tenant").open(sealed) == recording(size)
    assert cloud.objects(LANDING) == {}
    assert len({detail["id"] for detail in cloud.audit_details("RecordingDelivered")}) == 1
    assert cloud.unfinished_uploads(SFTP) == cloud.unfinished_uploads(ARCHIVE) == []


# ---- the source is interrupted --------------------------------------------------------------------------------------


@contextmanager
def breaking_server(data: bytes, sent: int, how: str) -> Iterator[str]:
    """Serve one GET over a real connection that ends, or is reset, after `sent` of the announced bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while b"\r\n\r\n" not in connection.recv(65536):
                pass
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data))
            connection.sendall(data[:sent])
            if how == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    thread = Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        thread.join(10)
        listener.close()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize(("how", "part"), [("closed", 0), ("closed", 0.5), ("closed", 0.999), ("reset", 0.5)])
def test_source_that_breaks_off(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, family: str, size: int, how: str, part: float
) -> None:
    """The most important promise: no valid but shorter recording."""
    cloud.tenant("acme", FAMILIES[family].make("tenant").public_text)
    landed = land(cloud, size)
    pool = URLLib3Session()

    with breaking_server(recording(size), int(size * part), how) as url:
        network.before(
            "GetObject",
            lambda _: pool.send(AWSPreparedRequest("GET", url, {}, None, stream_output=True)),  # type: ignore[arg-type]
            bucket=LANDING,
        )
        assert_failed_without_trace(cloud, encrypt_recording, landed, size)
    pool.close()
    assert not [one for name in ("PutObject", "CompleteMultipartUpload") for one in network.asked(name, SFTP)]

    assert_retry_delivers(cloud, network, encrypt_recording, landed, size, family)


# ---- gpg is killed --------------------------------------------------------------------------------------------------


def sealing_gpg() -> list[int]:
    """Return the ids of the gpg processes that encrypt as children of this process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"--encrypt" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_gpg_killed_half_way(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, how: signal.Signals
) -> None:
    size = 64 * MIB
    cloud.tenant("acme", FAMILIES["openpgp"].make("tenant").public_text)
    landed = land(cloud, size)
    killed = []

    def kill(_: Request) -> None:
        for pid in sealing_gpg():
            os.kill(pid, how)
            killed.append(pid)

    network.before("UploadPart", kill)
    assert_failed_without_trace(cloud, encrypt_recording, landed, size)
    assert len(killed) == 1
    assert sealing_gpg() == []

    assert_retry_delivers(cloud, network, encrypt_recording, landed, size, "openpgp")


# ---- AWS refuses ----------------------------------------------------------------------------------------------------

REFUSALS = {  # size, operation, bucket, requests let through first, status, code
    "settings throttled": (SMALL, "GetParameters", None, 0, 400, "ThrottlingException"),
    "settings forbidden": (SMALL, "GetParameters", None, 0, 400, "AccessDeniedException"),
    "key throttled": (SMALL, "GetSecretValue", None, 0, 400, "ThrottlingException"),
    "key forbidden": (SMALL, "GetSecretValue", None, 0, 400, "AccessDeniedException"),
    "key not decryptable": (SMALL, "GetSecretValue", None, 0, 400, "DecryptionFailure"),
    "Secrets Manager down": (SMALL, "GetSecretValue", None, 0, 500, "InternalServiceError"),
    "look forbidden": (SMALL, "HeadObject", ARCHIVE, 0, 403, "Forbidden"),
    "look down": (SMALL, "HeadObject", SFTP, 0, 503, "ServiceUnavailable"),
    "read slowed down": (SMALL, "GetObject", LANDING, 0, 503, "SlowDown"),
    "read forbidden": (SMALL, "GetObject", LANDING, 0, 403, "AccessDenied"),
    "put failed": (SMALL, "PutObject", ARCHIVE, 0, 500, "InternalError"),
    "put forbidden": (SMALL, "PutObject", ARCHIVE, 0, 403, "AccessDenied"),
    "put raced": (SMALL, "PutObject", ARCHIVE, 0, 409, "ConditionalRequestConflict"),
    "put said 412, and nothing is there": (SMALL, "PutObject", ARCHIVE, 0, 412, "PreconditionFailed"),
    "upload not begun": (LARGE, "CreateMultipartUpload", ARCHIVE, 0, 503, "SlowDown"),
    "first part failed": (LARGE, "UploadPart", ARCHIVE, 0, 500, "InternalError"),
    "second part failed": (LARGE, "UploadPart", ARCHIVE, 1, 500, "InternalError"),
    "last part forbidden": (LARGE, "UploadPart", ARCHIVE, 2, 403, "AccessDenied"),
    "second part slowed down": (LARGE, "UploadPart", ARCHIVE, 1, 503, "SlowDown"),
    "complete failed": (LARGE, "CompleteMultipartUpload", ARCHIVE, 0, 500, "InternalError"),
    "complete raced": (LARGE, "CompleteMultipartUpload", ARCHIVE, 0, 409, "ConditionalRequestConflict"),
    "complete said 412, and nothing is there": (
        LARGE, "CompleteMultipartUpload", ARCHIVE, 0, 412, "PreconditionFailed"
    ),
    "complete forbidden": (LARGE, "CompleteMultipartUpload", ARCHIVE, 0, 403, "AccessDenied"),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("which", REFUSALS)
def test_refusal_before_the_first_commit_leaves_no_trace(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, family: str, which: str
) -> None:
    size, operation, bucket, skip, status, code = REFUSALS[which]
    cloud.tenant("acme", FAMILIES[family].make("tenant").public_text, BOTH)
    landed = land(cloud, size)
    network.fail(operation, status, code, bucket=bucket, skip=skip)

    assert_failed_without_trace(cloud, encrypt_recording, landed, size)

    assert_retry_delivers(cloud, network, encrypt_recording, landed, size, family)
    assert cloud.objects(ARCHIVE) == cloud.objects(SFTP)


@pytest.mark.parametrize("settings", [BOTH, PLAIN], ids=["sealed", "plain"])
@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "InternalError"), (503, "SlowDown"), (403, "AccessDenied"), (409, "ConditionalRequestConflict"),
     (412, "PreconditionFailed")],
)  # fmt: skip
def test_second_copy_refused(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, settings: dict[str, Any], status: int, code: str
) -> None:
    """By then the archive copy is committed and stays. The tenant sees no output before the delivery is complete."""
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text, settings)
    landed = land(cloud, SMALL)
    network.fail("CopyObject", status, code, bucket=SFTP)

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == ["m0"]
    archived = cloud.objects(ARCHIVE)
    assert len(archived) == 1
    assert cloud.objects(SFTP) == {}
    assert_landing_is_untouched(cloud, SMALL)
    assert cloud.audit() == []

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []
    assert cloud.objects(ARCHIVE) == cloud.objects(SFTP) == archived
    assert cloud.objects(LANDING) == {}


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("after", [False, True], ids=["request lost", "answer lost"])
@pytest.mark.parametrize("attempts", [1, 3])
def test_connection_lost_at_the_commit(
    cloud: Stack,
    network: Network,
    encrypt_recording: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    after: bool,
    attempts: int,
) -> None:
    """With the SDK's own retries, a lost answer comes back as 412: our own commit, and not a conflict."""
    monkeypatch.setitem(CONFIG.retries, "total_max_attempts", attempts)  # type: ignore[attr-defined]
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text, BOTH)
    landed = land(cloud, size)
    network.cut("PutObject" if size == SMALL else "CompleteMultipartUpload", bucket=ARCHIVE, after=after)

    failed = failures(encrypt_recording.lambda_handler(sqs_event(landed), None))

    if failed:
        assert bool(cloud.objects(ARCHIVE)) == after
        assert list(cloud.objects(LANDING)) == [KEY]
        assert attempts == 1 or (
            after and size == LARGE
        )  # a retried Complete of a completed upload is 404, in S3 as in moto
        assert_retry_delivers(cloud, network, encrypt_recording, landed, size)
    assert cloud.objects(ARCHIVE) == cloud.objects(SFTP)
    assert cloud.objects(LANDING) == {}
    assert cloud.audit_details("RecordingHeld") == []
    (detail,) = cloud.audit_details("RecordingDelivered")
    first, second = detail["outputs"]
    assert first["sha256"] == second["sha256"] is not None


def test_abort_that_fails_too_does_not_hide_the_cause(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    """The bucket's lifecycle rule then aborts the upload. The record fails and is retried as usual."""
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text)
    landed = land(cloud, LARGE)
    network.fail("UploadPart", 500, "InternalError", skip=1)
    network.fail("AbortMultipartUpload", 500, "InternalError")

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == ["m0"]
    assert len(cloud.unfinished_uploads(SFTP)) == 1

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []
    assert FAMILIES["x509"].make("tenant").open(cloud.objects(SFTP)[f"{KEY}.p7m"]) == recording(LARGE)


# ---- audit, purge, tags ---------------------------------------------------------------------------------------------


def refused_entry(request: Request) -> AWSResponse:
    """PutEvents answers 200 even if it accepted no entry."""
    body = b'{"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "no"}]}'
    return answer(request, 200, body)


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callseal.aws.bus.PAUSE_SECONDS", 0)


@pytest.mark.usefixtures("_no_pause")
def test_rejected_audit_entry_is_put_again(cloud: Stack, network: Network, encrypt_recording: ModuleType) -> None:
    cloud.tenant("acme", None, PLAIN)
    network.before("PutEvents", refused_entry)

    assert failures(encrypt_recording.lambda_handler(sqs_event(land(cloud, SMALL)), None)) == []

    assert len(cloud.audit_details("RecordingDelivered")) == 1


def audit_down(network: Network) -> None:
    network.fail("PutEvents", 500, "InternalFailure", times=None)


def audit_refuses(network: Network) -> None:
    network.before("PutEvents", refused_entry, times=None)


@pytest.mark.usefixtures("_no_pause")
@pytest.mark.parametrize("outage", [audit_down, audit_refuses])
def test_file_is_not_purged_while_the_audit_bus_is_unavailable(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, outage: Callable[[Network], None]
) -> None:
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text, BOTH)
    landed = land(cloud, SMALL)
    outage(network)

    for _ in range(2):
        assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == ["m0"]
        assert_landing_is_untouched(cloud, SMALL)
    committed = cloud.objects(SFTP)

    assert_retry_delivers(cloud, network, encrypt_recording, landed, SMALL)
    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == committed


@pytest.mark.usefixtures("_no_pause")
@pytest.mark.parametrize("outage", [audit_down, audit_refuses])
def test_file_is_not_tagged_as_held_while_the_audit_bus_is_unavailable(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, outage: Callable[[Network], None]
) -> None:
    cloud.tenant("acme", "no key")
    landed = land(cloud, SMALL)
    outage(network)

    assert_failed_without_trace(cloud, encrypt_recording, landed, SMALL)

    network.mend()
    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []
    assert cloud.tags(KEY)["callseal-reason"] == "KeyUnreadable"


def test_held_file_that_cannot_be_tagged_is_retried(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", "no key")
    landed = land(cloud, SMALL)
    network.fail("PutObjectTagging", 503, "SlowDown")

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == ["m0"]
    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []

    assert cloud.tags(KEY)["callseal-reason"] == "KeyUnreadable"
    first, second = cloud.audit_details("RecordingHeld")
    assert first["id"] == second["id"]


@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (403, "AccessDenied")])
def test_purge_refused(cloud: Stack, network: Network, encrypt_recording: ModuleType, status: int, code: str) -> None:
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text, BOTH)
    landed = land(cloud, SMALL)
    network.fail("DeleteObject", status, code)

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == ["m0"]
    assert_landing_is_untouched(cloud, SMALL)
    committed = cloud.objects(SFTP)

    assert_retry_delivers(cloud, network, encrypt_recording, landed, SMALL)
    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == committed


# ---- the message is redelivered -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("receives", "seconds"), [(1, 5), (2, 20), (3, 80), (4, 320), (5, 900), (999, 900)])
def test_failed_message_comes_back_sooner(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, receives: int, seconds: int
) -> None:
    cloud.tenant("acme", None, PLAIN)
    network.fail("CopyObject", 503, "SlowDown")

    encrypt_recording.lambda_handler(sqs_event(land(cloud, SMALL), receives=receives), None)

    (asked,) = network.asked("ChangeMessageVisibility")
    assert asked.members == {
        "QueueUrl": cloud.queue_url, "ReceiptHandle": "handle-0", "VisibilityTimeout": seconds
    }  # fmt: skip


def test_failed_visibility_change_has_no_other_effect(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", None, PLAIN)
    landed = [land(cloud, SMALL, key) for key in (KEY, "acme/4711_2.wav")]
    network.fail("CopyObject", 503, "SlowDown", times=None)
    network.fail("ChangeMessageVisibility", 500, "InternalError", times=None)

    assert failures(encrypt_recording.lambda_handler(sqs_event(*landed), None)) == ["m0", "m1"]


def test_failed_message_is_delivered_by_its_retry_from_the_real_queue(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.aws.queue.FIRST_RETRY_SECONDS", 0)
    announce_landings(cloud)
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text)
    cloud.land(KEY, recording(SMALL))
    network.fail("PutObject", 500, "InternalError", times=3)

    counts = [pump(cloud, encrypt_recording.lambda_handler) for _ in range(5)]

    assert counts == [1, 1, 1, 1, 0]
    assert waiting(cloud) == 0
    assert FAMILIES["x509"].make("tenant").open(cloud.objects(SFTP)[f"{KEY}.p7m"]) == recording(SMALL)


def test_sdk_retries_a_brief_error(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(CONFIG.retries, "total_max_attempts")  # type: ignore[attr-defined]
    cloud.tenant("acme", None, PLAIN)
    network.fail("CopyObject", 503, "SlowDown")

    assert failures(encrypt_recording.lambda_handler(sqs_event(land(cloud, SMALL)), None)) == []
