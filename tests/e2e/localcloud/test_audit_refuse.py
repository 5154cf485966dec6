"""While AuditRefuseFile exists, no event can be put on a bus."""

import json
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.e2e.localcloud.support import Site

ENTRY = {"Source": "callseal", "DetailType": "RecordingViewed", "Detail": "{}"}


def test_events_are_refused_while_the_file_exists(site: Site) -> None:
    with site.cloud() as cloud:
        published = json.loads((cloud.state_dir / "outputs.json").read_text(encoding="utf-8"))
        file = Path(published["AuditRefuseFile"])
        config = Config(retries={"total_max_attempts": 1})
        session = boto3.Session("local", "local", region_name="eu-north-1")
        events = session.client("events", endpoint_url=cloud.endpoint_url, config=config)
        assert events.put_events(Entries=[ENTRY])["FailedEntryCount"] == 0

        file.touch()
        with pytest.raises(ClientError) as refused:
            events.put_events(Entries=[ENTRY])
        events.list_event_buses()

        file.unlink()
        assert events.put_events(Entries=[ENTRY])["FailedEntryCount"] == 0
    response = refused.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == (503, "ServiceUnavailable")
