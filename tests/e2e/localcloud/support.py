"""A small template and function, so that the local cloud is tested independently of Callseal's functions."""

from __future__ import annotations

import copy
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from localcloud import LocalCloud, Pace
from tests.security.privacy.watch import WATCH

PROJECT = Path(__file__).resolve().parents[3]
FUNCTION = Path(__file__).with_name("sample_function")
FAST = Pace(schedule=600, change_poll=0.1, retry_delays=(0.1, 0.1))

TEMPLATE: dict[str, Any] = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Work": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "QueueName": "work",
                "VisibilityTimeout": 1,
                "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 2},
            },
        },
        "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "dead"}},
        "Worker": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "FunctionName": "worker",
                "CodeUri": "function",
                "Handler": "app.lambda_handler",
                "Runtime": "python3.13",
                "MemorySize": 512,
                "Timeout": 2,
                "Role": "arn:aws:iam::1:role/any",
                "Events": {
                    "Work": {
                        "Type": "SQS",
                        "Properties": {
                            "Queue": {"Fn::GetAtt": ["Work", "Arn"]},
                            "BatchSize": 10,
                            "FunctionResponseTypes": ["ReportBatchItemFailures"],
                        },
                    }
                },
            },
        },
        "Sweeper": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": "function",
                "Handler": "app.lambda_handler",
                "Runtime": "python3.13",
                "Timeout": 2,
                "Role": "arn:aws:iam::1:role/any",
                "Events": {
                    "Often": {"Type": "Schedule", "Properties": {"Schedule": "rate(5 minutes)"}},
                    "Key": {
                        "Type": "EventBridgeRule",
                        "Properties": {
                            "Pattern": {"source": ["aws.secretsmanager"], "detail": {"name": [{"prefix": "mine/"}]}}
                        },
                    },
                    "Settings": {
                        "Type": "EventBridgeRule",
                        "Properties": {"Pattern": {"source": ["aws.ssm"], "detail": {"name": [{"prefix": "/mine/"}]}}},
                    },
                },
            },
        },
    },
    "Outputs": {"WorkUrl": {"Value": {"Ref": "Work"}}, "DeadUrl": {"Value": {"Ref": "Dead"}}},
}


class Site:
    """Write templates into a folder, run local clouds from them, and read what their function recorded."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.journal = folder, folder / "state", folder / "journal.jsonl"
        shutil.copytree(FUNCTION, folder / "function", dirs_exist_ok=True)

    def cloud(self, resources: Mapping[str, Any] | None = None, pace: Pace = FAST, **options: Any) -> LocalCloud:
        """Prepare a cloud from TEMPLATE, or from other resources."""
        template = copy.deepcopy(TEMPLATE)
        if resources is not None:
            template = {**template, "Resources": resources, "Outputs": {}}
        return self.cloud_from(template, pace, **options)

    def cloud_from(self, template: Mapping[str, Any], pace: Pace = FAST, **options: Any) -> LocalCloud:
        """Prepare a cloud from a whole template."""
        path = self.write(template)
        environment = {"JOURNAL": str(self.journal)}
        options.setdefault("on_line", lambda _, line: WATCH.log(line))
        return LocalCloud(
            "tested", state_dir=self.state, template=path, pace=pace, function_environment=environment, **options
        )

    def write(self, template: Mapping[str, Any]) -> Path:
        """Write a template beside its function's folder."""
        path = self.folder / "template.yaml"
        path.write_text(yaml.safe_dump(json.loads(json.dumps(template))), encoding="utf-8")
        return path

    def notes(self) -> list[dict[str, Any]]:
        """Return what the function recorded, in order."""
        if not self.journal.exists():
            return []
        return [json.loads(line) for line in self.journal.read_text(encoding="utf-8").splitlines()]

    def forget(self) -> None:
        """Empty the journal."""
        self.journal.unlink(missing_ok=True)


def with_properties(logical_id: str, **changes: Any) -> dict[str, Any]:
    """Return TEMPLATE with some properties of one resource changed."""
    template = copy.deepcopy(TEMPLATE)
    template["Resources"][logical_id]["Properties"].update(changes)
    return template


def eventually(what: Callable[[], Any], timeout: float = 300.0) -> Any:
    """Wait until `what` returns a true value, and return it. Fail after the timeout."""
    deadline = time.monotonic() + timeout
    while not (value := what()):
        assert time.monotonic() < deadline, f"not within {timeout} s"
        time.sleep(0.02)
    return value


def is_running(pid: int) -> bool:
    """Return whether a process is alive; a zombie is not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


def empty(cloud: LocalCloud, url: str) -> list[str]:
    """Receive and delete every message of a queue that no function reads, and return the bodies."""
    sqs, bodies = cloud.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies
