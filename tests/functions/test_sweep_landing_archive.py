"""The sweep also checks the archive: a conflict there holds a file, and its removal releases the file."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.functions.test_events import load
from tests.support.stack import ARCHIVE, Stack, failures, sqs_event

KEY = "acme/4711_1.mp3"
SETTINGS = {"encrypt": False, "deliver_to_archive": True}


@pytest.mark.parametrize("to_sftp", [True, False], ids=["archive and SFTP", "archive alone"])
def test_file_is_released_when_its_conflict_in_the_archive_is_removed(
    cloud: Stack, sweep_landing: ModuleType, encrypt_recording: ModuleType, to_sftp: bool
) -> None:
    cloud.tenant("acme", None, SETTINGS | {"deliver_to_sftp": to_sftp})
    cloud.s3.put_object(Bucket=ARCHIVE, Key=KEY, Body=b"stranger")
    assert failures(encrypt_recording.lambda_handler(sqs_event(cloud.land(KEY, b"said")), None)) == []
    assert cloud.tags(KEY)["callseal-reason"] == "OutputConflict"
    assert sweep_landing.lambda_handler(load("schedule"), None) == {"held": 1}

    cloud.s3.delete_object(Bucket=ARCHIVE, Key=KEY)

    assert sweep_landing.lambda_handler(load("schedule"), None) == {"released": 1}
