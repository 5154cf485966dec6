"""The table of alarms in docs/operations.md equals the alarms of template.yaml."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.template import load_template
from tools.pages.alarms import ROOT, render

GOOD = 'A file waits. Read the log, then redrive; see docs/operations.md, "Who is A & B?".'


def of_one_alarm(description: str) -> dict[str, Any]:
    alarm = {"AlarmName": {"Fn::Sub": "${AWS::StackName}-file-waits"}, "AlarmDescription": description}
    dashboard = {"DashboardBody": {"Fn::Sub": '{"alarms": ["${FileWaitsAlarm.Arn}"]}'}}
    return {"Resources": {"FileWaitsAlarm": {"Properties": alarm}, "Dashboard": {"Properties": dashboard}}}


def test_the_table_has_a_row_for_every_alarm() -> None:
    template = load_template(ROOT / "template.yaml", "eu-north-1")
    alarms = [one for one in template["Resources"].values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(render(template).strip().splitlines()[2:]) == len(alarms)


def test_a_row_has_what_happened_what_to_do_and_a_link_to_the_section() -> None:
    assert render(of_one_alarm(GOOD)).strip().splitlines()[2:] == [
        "| `...-file-waits` | A file waits | Read the log, then redrive | [Who is A & B?](#who-is-a--b) |"
    ]


@pytest.mark.parametrize(
    "description",
    [
        'A file waits; see docs/operations.md, "Dead letters".',
        "A file waits. Read the log.",
        'A file waits. Read the log; see docs/operations.md, "Dead letters"',
    ],
)
def test_a_description_without_event_action_and_section_is_an_error(description: str) -> None:
    with pytest.raises(ValueError, match="FileWaitsAlarm: write its AlarmDescription as"):
        render(of_one_alarm(description))
