"""The sweep requests the check of a key without a verdict, because a new secret may send no event."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest

from tests.functions.scene import PROOF, check, label_updated
from tests.functions.test_sweep_landing import DATA, good_key, sweep
from tests.support.clock import Clock
from tests.support.network import FOREIGN_WORDS, Network, Request, answer
from tests.support.stack import SFTP, STACK, Stack

KEY_NAME = f"{STACK}/tenants/acme/public-key"


@pytest.fixture
def asked(network: Network) -> list[dict[str, Any]]:
    """Collect the events with which check_keys is invoked, as Lambda accepts them."""
    events: list[dict[str, Any]] = []

    def accept(request: Request) -> Any:
        assert f"/functions/{STACK}-check-keys/invocations" in str(request.raw.url)
        assert request.headers["X-Amz-Invocation-Type"] == "Event"
        events.append(request.members)
        return answer(request, 202, b"")

    network.before("Invoke", accept, times=None)
    return events


def test_key_whose_creation_sent_no_event_is_checked_for_the_sweep(
    cloud: Stack, sweep_landing: ModuleType, check_keys: ModuleType, asked: list[dict[str, Any]]
) -> None:
    cloud.tenant("acme", good_key(), PROOF)
    cloud.land("acme/1.wav", DATA)

    sweep(sweep_landing)

    assert asked == [{"tenant": "acme"}]
    assert check_keys.lambda_handler(asked[0], None) == {"accepted": 1}
    assert len(cloud.audit_details("KeyAccepted")) == 1
    assert [key for key in cloud.objects(SFTP) if key.startswith("acme/key-check/")]
    sweep(sweep_landing)
    assert len(asked) == 1


def test_key_whose_creation_sent_an_event_needs_no_request(
    cloud: Stack, sweep_landing: ModuleType, check_keys: ModuleType, asked: list[dict[str, Any]]
) -> None:
    cloud.tenant("acme", good_key())
    check(check_keys, label_updated(KEY_NAME))
    cloud.land("acme/1.wav", DATA)

    sweep(sweep_landing)

    assert asked == []


def test_key_that_is_rejected_is_checked_once(
    cloud: Stack, sweep_landing: ModuleType, check_keys: ModuleType, asked: list[dict[str, Any]]
) -> None:
    """It gets no row in the register, so requests based only on the register would never end."""
    cloud.tenant("acme", "no key")
    cloud.land("acme/1.wav", DATA)
    sweep(sweep_landing)
    assert check_keys.lambda_handler(asked[0], None) == {"rejected": 1}

    sweep(sweep_landing)

    assert len(asked) == 1


def test_tenant_without_a_key_and_other_folders_are_not_checked(
    cloud: Stack, sweep_landing: ModuleType, asked: list[dict[str, Any]]
) -> None:
    cloud.tenant("acme")
    for key in ("acme/1.wav", "nobody/1.wav", "Not A Tenant/1.wav", "1.wav"):
        cloud.land(key, DATA)

    sweep(sweep_landing)

    assert asked == []


def test_change_of_a_tenant_requests_no_check(
    cloud: Stack, sweep_landing: ModuleType, asked: list[dict[str, Any]]
) -> None:
    """check_keys receives that event itself."""
    cloud.tenant("acme", good_key())
    cloud.land("acme/1.wav", DATA)

    sweep(sweep_landing, "settings-changed")

    assert asked == []


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        ("Invoke", 429, "TooManyRequestsException"),
        ("Invoke", 403, "AccessDeniedException"),
        ("GetSecretValue", 400, "AccessDeniedException"),
    ],
)
def test_failed_request_is_repeated_by_the_next_sweep(
    cloud: Stack,
    clock: Clock,
    network: Network,
    sweep_landing: ModuleType,
    caplog: pytest.LogCaptureFixture,
    operation: str,
    status: int,
    code: str,
) -> None:
    cloud.tenant("acme", good_key())
    cloud.land("acme/1.wav", DATA)
    clock.pass_by(minutes=2)
    network.fail(operation, status, code)

    assert sweep(sweep_landing) == {"put_back": 1}

    (record,) = [record for record in caplog.records if record.message == "key check not requested"]
    assert FOREIGN_WORDS not in json.dumps(record.__dict__, default=str)
    network.before("Invoke", lambda request: answer(request, 202, b""))
    caplog.clear()
    sweep(sweep_landing)
    assert [record.message for record in caplog.records] == ["key check requested", "landing swept"]
