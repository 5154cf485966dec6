"""Changes of secrets and parameters, and schedules, reach the functions of the rules of the default bus."""

from dataclasses import replace
from typing import Any

import pytest

from localcloud import LocalCloud, native_event
from tests.e2e.localcloud.support import FAST, TEMPLATE, Site, eventually


def details(site: Site) -> list[dict[str, Any]]:
    return [note["event"]["detail"] for note in site.notes()]


def test_new_secret_is_announced(cloud: LocalCloud, shared_site: Site) -> None:
    secret = cloud.client("secretsmanager").create_secret(Name="mine/new", SecretString="one")
    cloud.wait_until_idle()
    (note,) = shared_site.notes()
    event = note["event"]
    assert event["source"] == "aws.secretsmanager"
    assert event["detail-type"] == "Secret Label Updated"
    assert event["detail"] == {"name": "mine/new", "labelUpdated": "AWSCURRENT", "versionId": secret["VersionId"]}
    assert event["resources"] == [secret["ARN"]]
    assert event["region"] == "eu-north-1"
    assert event["account"] in secret["ARN"]
    assert note["context"]["name"] == "tested-Sweeper"


def test_new_version_of_a_secret_is_announced_once(cloud: LocalCloud, shared_site: Site) -> None:
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name="mine/changed", SecretString="one")
    cloud.wait_until_idle()
    shared_site.forget()
    version = secrets.put_secret_value(SecretId="mine/changed", SecretString="two")["VersionId"]
    cloud.wait_until_idle()
    cloud.wait_until_idle()
    assert [detail["versionId"] for detail in details(shared_site)] == [version]


def test_pending_version_of_a_secret_is_not_announced(cloud: LocalCloud, shared_site: Site) -> None:
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name="mine/pending", SecretString="one")
    cloud.wait_until_idle()
    shared_site.forget()
    secrets.put_secret_value(SecretId="mine/pending", SecretString="two", VersionStages=["AWSPENDING"])
    cloud.wait_until_idle()
    assert details(shared_site) == []


def test_life_of_a_parameter_is_announced(cloud: LocalCloud, shared_site: Site) -> None:
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name="/mine/p", Value="1", Type="String")
    cloud.wait_until_idle()
    ssm.put_parameter(Name="/mine/p", Value="2", Type="String", Overwrite=True)
    cloud.wait_until_idle()
    ssm.delete_parameter(Name="/mine/p")
    cloud.wait_until_idle()
    assert details(shared_site) == [
        {"operation": operation, "name": "/mine/p", "type": "String"} for operation in ("Create", "Update", "Delete")
    ]
    event = shared_site.notes()[0]["event"]
    assert event["source"] == "aws.ssm"
    assert event["detail-type"] == "Parameter Store Change"
    assert event["resources"][0].endswith(":parameter/mine/p")


def test_change_that_no_rule_matches_invokes_nothing(cloud: LocalCloud, shared_site: Site) -> None:
    cloud.client("secretsmanager").create_secret(Name="theirs/new", SecretString="one")
    cloud.client("ssm").put_parameter(Name="/theirs/p", Value="1", Type="String")
    cloud.wait_until_idle()
    assert shared_site.notes() == []


def test_change_is_detected_without_a_waiting_caller(cloud: LocalCloud, shared_site: Site) -> None:
    cloud.client("ssm").put_parameter(Name="/mine/noticed", Value="1", Type="String")
    eventually(shared_site.notes)


def test_many_secrets_and_parameters_are_all_detected(cloud: LocalCloud, shared_site: Site) -> None:
    secrets, ssm = cloud.client("secretsmanager"), cloud.client("ssm")
    cloud.pause()
    for n in range(120):
        secrets.create_secret(Name=f"many/{n}", SecretString="one")
        ssm.put_parameter(Name=f"/many/{n}", Value="1", Type="String")
    secrets.create_secret(Name="mine/last", SecretString="one")
    ssm.put_parameter(Name="/mine/last", Value="1", Type="String")
    cloud.resume()
    cloud.wait_until_idle()
    assert sorted(detail["name"] for detail in details(shared_site)) == ["/mine/last", "mine/last"]


def test_failed_invocation_by_a_rule_is_retried_twice(cloud: LocalCloud, shared_site: Site) -> None:
    event = native_event("1", "eu-north-1", "aws.ssm", "Parameter Store Change", {"name": "/mine/x"})
    cloud.publish({**event, "do": "raise"})
    cloud.wait_until_idle()
    assert [note["event"]["id"] for note in shared_site.notes()] == [event["id"]] * 3


@pytest.mark.parametrize("retries", [0, 1])
def test_failed_invocation_is_retried_as_the_template_declares(site: Site, retries: int) -> None:
    config = {"FunctionName": {"Ref": "Sweeper"}, "Qualifier": "$LATEST", "MaximumRetryAttempts": retries}
    resources = {**TEMPLATE["Resources"], "Tries": {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": config}}
    event = native_event("1", "eu-north-1", "aws.ssm", "Parameter Store Change", {"name": "/mine/x"})
    with site.cloud(resources) as cloud:
        cloud.publish({**event, "do": "raise"})
        cloud.wait_until_idle()
    assert len(site.notes()) == 1 + retries


def test_successful_invocation_by_a_rule_is_not_repeated(cloud: LocalCloud, shared_site: Site) -> None:
    cloud.publish(native_event("1", "eu-north-1", "aws.ssm", "Parameter Store Change", {"name": "/mine/x"}))
    cloud.wait_until_idle()
    assert len(shared_site.notes()) == 1


def test_schedule_runs_at_its_pace(site: Site) -> None:
    with site.cloud(pace=replace(FAST, schedule=0.5)):
        notes = eventually(lambda: len(site.notes()) >= 3 and site.notes())
    event = notes[0]["event"]
    assert event["source"] == "aws.events"
    assert event["detail-type"] == "Scheduled Event"
    assert event["detail"] == {}
    assert event["resources"][0].endswith(":rule/tested-SweeperOften")
    assert notes[2]["at"] - notes[0]["at"] > 0.5, "nominally 1.0"


def test_schedule_keeps_the_templates_rate_by_itself(site: Site) -> None:
    with site.cloud(pace=replace(FAST, schedule=None)) as cloud:
        assert [rule.rate for rule in cloud.rules if rule.rate] == [300.0]
        cloud.wait_until_idle()
    assert site.notes() == []
