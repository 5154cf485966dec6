"""The watch: it detects each kind of secret in each form and place, and accepts permitted content."""

from __future__ import annotations

import base64
import json
import logging
import sys
from io import StringIO
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from aws_lambda_powertools.logging import Logger
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from callseal.calls.call_name import CallName
from callseal.calls.card_facts import blind_facts
from callseal.calls.card_table import CardTable
from callseal.calls.facts import Facts
from tests.functions.conftest import clock, cloud, encrypt_recording, network
from tests.security.privacy import hooks, watch
from tests.security.privacy.watch import CALLERS, CARD, NAMED, PEOPLE_AND_QUEUES, SPOKEN, Watch
from tests.support.calls import TABLE as CALLS
from tests.support.keys import openpgp_tenant, x509_tenant
from tests.support.stack import Stack, sqs_event

__all__ = ["clock", "cloud", "encrypt_recording", "network"]

DETAIL: dict[str, Any] = {
    "tenant": "acme",
    "source": {"bucket": "landing", "key": f"acme/+{CALLERS[0]}.wav", "etag": "0" * 32, "size": 1},
    "outputs": [{"bucket": "sftp", "key": f"acme/+{CALLERS[0]}.wav.p7m", "sha256": "ab" * 32}],
    "recipients": [{"fingerprint": "AB" * 32, "kind": "x509"}],
    "message": "The tenant acme has no key.",
    "session": {"address": "192.0.2.1", "path": f"/sftp/acme/+{CALLERS[0]}.wav"},
}
FORMS = {
    "plain": lambda text: text,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after a byte": lambda text: base64.b64encode(b"x" + text.encode() + b"yz").decode(),
    "base64 after two": lambda text: base64.b64encode(b"xy" + text.encode() + b"z").decode(),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "a URL": quote,
    "bytes' repr": lambda text: repr(b"\0RIFF" + text.encode()),
}


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Return a watch for this test only: a leak on purpose is not a leak of the run."""
    own = Watch()
    for module in (watch, hooks, sys.modules["tests.support.network"], sys.modules["tests.support.stack"]):
        monkeypatch.setattr(module, "WATCH", own)
    return own


def leaked(own: Watch) -> set[str]:
    return {f"{leak.kind}: {leak.what}" for leak in own.leaks}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("secret", "what"), [*((one, "a caller's number") for one in CALLERS), *((one, "what was said") for one in SPOKEN)]
)
def test_canary_is_detected_in_every_form_and_place(secret: str, what: str, form: str) -> None:
    own, written = watching(), FORMS[form](secret)
    own.log(f'{{"level": "INFO", "message": "x {written} y"}}')
    own.metric(f'{{"_aws": {{}}, "Stack": "{written}"}}')
    own.audit({**DETAIL, "message": f"It was {written}."})
    assert leaked(own) == {f"{kind}: {what}" for kind in watch.KINDS}


@pytest.mark.parametrize("form", ["plain", "a URL", "hex", "base64"])
def test_landing_key_is_detected_in_logs_and_metrics(form: str) -> None:
    own = Watch()
    own.landed("acme/2026/Åsa 1.wav")
    own.log("x" + FORMS[form]("acme/2026/Åsa 1.wav") + "y")
    own.metric(FORMS[form]("acme/2026/Åsa 1.wav"))
    assert leaked(own) == {"log line: a landing key", "metric: a landing key"}


def watching() -> Watch:
    """Return a watch that knows the landing key in DETAIL."""
    own = Watch()
    own.landed(DETAIL["source"]["key"])
    return own


def ssh_key() -> str:
    key = load_pem_private_key(x509_tenant().private_key.read_bytes(), None).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode().split()[1]


@pytest.mark.parametrize("which", ["certificate", "private key", "OpenPGP key", "SSH key"])
@pytest.mark.parametrize("cut", [slice(None), slice(3, 60), slice(100, 140)], ids=str)
def test_key_text_is_detected_whole_and_in_part(which: str, cut: slice) -> None:
    texts = {
        "certificate": x509_tenant().public_text,
        "private key": x509_tenant().private_key.read_text(),
        "OpenPGP key": openpgp_tenant("cv25519").public_text,
        "SSH key": f'# acme\nfrom="192.0.2.0/24" ssh-rsa {ssh_key()} it@acme.example\n',
    }
    own = watching()
    own.learn(texts[which])
    lines = [line for line in texts[which].splitlines() if len(line) == 64] or [ssh_key()]
    body = "".join(lines)[cut]
    own.log(json.dumps({"why": f"it is {body}"}))
    own.metric(body)
    own.audit({**DETAIL, "message": body})
    assert leaked(own) == {f"{kind}: a key's text" for kind in watch.KINDS}


def test_permitted_content_is_no_leak() -> None:
    """Landing keys in an audit event's three members; fingerprints, hashes, ids; the words of our own sentences."""
    own = Watch()
    own.learn(x509_tenant().public_text)
    own.landed(f"acme/+{CALLERS[0]}.wav")
    own.audit(DETAIL)
    own.audit({**DETAIL, "outputs": None})
    assert own.read.pop(NAMED) > 0, "it is counted, as what a landing key brings"
    own.log(json.dumps({"message": "recording delivered", "tenant": "acme", "event_id": "0" * 32, "size": 7}))
    own.log("-----BEGIN CERTIFICATE----- and no '-----BEGIN PGP PUBLIC KEY BLOCK-----'")
    own.metric('{"Stack": "callseal-test", "BytesSealed": [4670123]}')
    assert own.leaks == set()
    assert own.read == {"log line": 2, "metric": 1, "audit event": 2}


def test_leak_names_its_test_and_not_the_secret() -> None:
    own = Watch()
    own.log(CALLERS[0])
    (leak,) = own.leaks
    assert str(leak) == (
        "a caller's number in a log line of "
        "tests/security/privacy/test_watch.py::test_leak_names_its_test_and_not_the_secret"
    )


# ---- in the real handlers: all their output is read -----------------------------------------------------------------


def land_and_hand_over(cloud: Stack, function: ModuleType) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    cloud.tenant("beta")
    landed = [cloud.land(f"{name}/+{CALLERS[0]} 1.wav", SPOKEN[0].encode()) for name in ("acme", "beta")]
    function.lambda_handler(sqs_event(*landed), None)


def test_each_line_metric_and_event_of_a_batch_is_read(
    own: Watch, cloud: Stack, encrypt_recording: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    land_and_hand_over(cloud, encrypt_recording)
    written = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    metrics = [line for line in written if "_aws" in line]
    assert own.read["metric"] == len(metrics) == 2
    assert own.read["audit event"] == len(cloud.audit()) == 2
    assert own.read["log line"] >= 2
    assert own.leaks == set()


def test_handler_that_logs_a_landing_key_is_caught(
    own: Watch, cloud: Stack, encrypt_recording: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.delivery.batch._facts", lambda outcome, landed: {"key": landed.key})
    land_and_hand_over(cloud, encrypt_recording)
    assert leaked(own) == {"log line: a landing key", "log line: a caller's number"}


def test_metric_with_a_landing_key_is_caught(
    own: Watch, cloud: Stack, encrypt_recording: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACK_NAME", f"acme/+{CALLERS[0]} 1.wav")
    land_and_hand_over(cloud, encrypt_recording)
    assert leaked(own) == {"metric: a landing key", "metric: a caller's number"}


def test_audit_event_with_the_keys_text_is_caught(
    own: Watch, cloud: Stack, encrypt_recording: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.core.audit.timestamp", lambda _: x509_tenant().public_text)
    land_and_hand_over(cloud, encrypt_recording)
    assert leaked(own) == {"audit event: a key's text"}


def test_handler_that_raises_foreign_words_is_caught(
    own: Watch, encrypt_recording: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda logs what a handler raises, and botocore's messages name keys."""

    def fail() -> None:
        raise LookupError(f"NoSuchKey: acme/+{CALLERS[0]}.wav, {SPOKEN[0]}")

    monkeypatch.setattr(sys.modules["callseal.delivery.batch"], "queue_messages", lambda _: fail())
    with pytest.raises(LookupError):
        encrypt_recording.lambda_handler({}, None)
    assert leaked(own) == {"log line: a caller's number", "log line: what was said"}


@pytest.mark.parametrize("name", ["callseal", "botocore", "urllib3.connectionpool", "gnupg", "root"])
def test_any_logger_is_read_with_any_stream(own: Watch, encrypt_recording: ModuleType, name: str) -> None:
    """Including a stream of the test's own, and a traceback as well as a message."""
    handler, logger = logging.StreamHandler(StringIO()), logging.getLogger(name)
    logger.addHandler(handler)
    try:
        raise ValueError(CALLERS[1])
    except ValueError:
        logger.critical("failed", exc_info=True)
    finally:
        logger.removeHandler(handler)
    assert leaked(own) == {"log line: a caller's number"}


def test_members_beside_the_message_are_read(own: Watch, encrypt_recording: ModuleType) -> None:
    Logger(service="callseal").warning("x", extra={"why": SPOKEN[1]})
    assert leaked(own) == {"log line: what was said"}


def test_caller_in_a_files_name_is_a_leak_unless_the_landing_key_has_it() -> None:
    own, named = Watch(), {**DETAIL, "source": {**DETAIL["source"], "key": f"acme/+{CALLERS[0]}.wav"}}
    own.audit(named)
    assert leaked(own) == {"audit event: a caller's number that no landing key holds"}
    own = Watch()
    own.landed(f"acme/+{CALLERS[0]}.wav")
    own.audit(named)
    assert leaked(own) == set()
    own.forget_landed()
    own.audit(named)
    assert leaked(own) == {"audit event: a caller's number that no landing key holds"}


def test_spoken_words_are_a_leak_in_a_files_name_as_well() -> None:
    own = watching()
    own.audit({**DETAIL, "session": {"path": f"/bucket/acme/{SPOKEN[0]}.wav"}})
    assert leaked(own) == {"audit event: what was said"}


# ---- cards of blind tenants ------------------------------------------------------------------------------------------


def write_card(name: str, *, blind: bool, **members: str) -> dict[str, Any]:
    """Write the request that stores a card, as `CardTable` does."""
    known = {"facts": {"queue": None}, "hashed": {}, "is_blind": blind}
    values = {":name": {"S": name}, ":facts": {"S": json.dumps(known)}}
    values |= {f":{member}": {"S": value} for member, value in members.items()}
    return {"TransactItems": [{"Update": {"ExpressionAttributeValues": values}}]}


@pytest.mark.parametrize(("secret", "what"), [
    *((each, "a caller's number") for each in CALLERS), *((each, "an agent or a queue") for each in PEOPLE_AND_QUEUES),
    *((each, "what was said") for each in SPOKEN),
])  # fmt: skip
@pytest.mark.parametrize("form", FORMS)
def test_blind_card_that_names_somebody_is_caught(secret: str, what: str, form: str) -> None:
    own = Watch()
    own.table(write_card("1", blind=True, party=f"acme#{FORMS[form](secret)}"))
    assert leaked(own) == {f"{CARD}: {what}"}


def test_plain_card_and_hashes_are_no_leak() -> None:
    own = Watch()
    own.table(write_card("1", blind=False, party=f"acme#{CALLERS[0]}", agent=PEOPLE_AND_QUEUES[0]))
    assert own.read[CARD] == 0
    own.table(write_card("1", blind=True, party="acme#k1:AAAAAAAAAAAAAAAAAAAAAA"))
    own.table({"Key": {"tenant": {"S": "acme"}}})
    assert (own.read[CARD], leaked(own)) == (1, set())


def test_number_in_a_blind_calls_name_is_a_leak_unless_the_landing_key_holds_it() -> None:
    own = Watch()
    own.table(write_card(f"+{CALLERS[0]}", blind=True))
    assert leaked(own) == {f"{CARD}: a caller's number that no landing key holds"}
    own = Watch()
    own.landed(f"acme/+{CALLERS[0]}.wav")
    own.table(write_card(f"+{CALLERS[0]}", blind=True))
    assert leaked(own) == set()


def test_blind_card_written_through_the_network_is_read(
    own: Watch, network: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As read_metadata writes it: with hashes it is no leak, and with a value in the clear it is one."""
    monkeypatch.setattr("tests.support.network._asking_function", lambda: "read_metadata")
    facts = Facts(caller=f"+{CALLERS[0]}", agent=PEOPLE_AND_QUEUES[0], queue=PEOPLE_AND_QUEUES[1])
    cards = CardTable(network.session().client("dynamodb"), CALLS, clock)
    for number, hashed in enumerate((lambda _, text: f"k1:{len(text)}", lambda _, text: text)):
        known = blind_facts(facts, lambda _: False, hashed)
        call = CallName("acme", str(number))
        change = lambda card, known=known: card.with_metadata("acme/1.xml", "read", known, "2026-11-24")  # noqa: E731
        assert cards.apply({call: [change]}) == {}
        assert own.read[CARD] == number + 1
        expected = {f"{CARD}: a caller's number", f"{CARD}: an agent or a queue"} if number else set()
        assert leaked(own) == expected
