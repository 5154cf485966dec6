"""lambda:Invoke on the local cloud's endpoint: by name and ARN, synchronous and not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud import LocalCloud
from tests.e2e.localcloud.support import Site, eventually


def payload(answer: Any) -> Any:
    return json.loads(answer["Payload"].read())


@pytest.fixture
def worker(cloud: LocalCloud) -> Any:
    """Return a function that invokes the sample function."""
    return lambda name="worker", **options: cloud.client("lambda").invoke(FunctionName=name, **options)


def test_event_is_accepted_and_handled_later(cloud: LocalCloud, shared_site: Site, worker: Any) -> None:
    answer = worker(InvocationType="Event", Payload=b'{"tenant": "acme"}')

    assert answer["StatusCode"] == 202
    cloud.wait_until_idle()
    assert [note["event"] for note in shared_site.notes()] == [{"tenant": "acme"}]


@pytest.mark.parametrize("form", ["name", "ARN", "ARN with a qualifier"])
def test_answer_is_that_of_the_function(cloud: LocalCloud, shared_site: Site, worker: Any, form: str) -> None:
    arn = cloud.functions["Worker"].arn
    answer = worker({"name": "worker", "ARN": arn, "ARN with a qualifier": f"{arn}:$LATEST"}[form], Payload=b"{}")

    assert (answer["StatusCode"], "FunctionError" in answer) == (200, False)
    assert payload(answer) == cloud.invoke("Worker", {})


def test_failure_is_that_of_the_function(cloud: LocalCloud, shared_site: Site, worker: Any) -> None:
    answer = worker(Payload=b'{"do": "raise"}')

    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert payload(answer)["errorType"] == "ValueError"


def test_dry_run_invokes_nothing(shared_site: Site, worker: Any) -> None:
    assert worker(InvocationType="DryRun", Payload=b"{}")["StatusCode"] == 204
    assert shared_site.notes() == []


def test_unknown_function_is_not_found(cloud: LocalCloud, worker: Any) -> None:
    with pytest.raises(cloud.client("lambda").exceptions.ResourceNotFoundException, match="nothing"):
        worker("nothing", Payload=b"{}")


def test_payload_that_is_no_json_is_refused(cloud: LocalCloud, worker: Any) -> None:
    with pytest.raises(cloud.client("lambda").exceptions.InvalidRequestContentException):
        worker(Payload=b"{")


def test_failed_event_is_retried(cloud: LocalCloud, shared_site: Site, worker: Any) -> None:
    worker(InvocationType="Event", Payload=b'{"do": "raise"}')

    eventually(lambda: len(shared_site.notes()) == 3)
