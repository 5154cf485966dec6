"""The clock file moves the functions' clock and S3's forward, so that days pass in seconds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localcloud.clock_file import ClockFile
from tests.e2e.localcloud.console import Console, moment
from tests.e2e.localcloud.support import eventually
from tests.support.keys import x509_tenant

DAYS = timedelta(days=8)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, 0), ("86400", 86_400), ("86400\n", 86_400), ("-60", -60), ("", 7), ("1.5", 7), ("x", 7)],
)
def test_clock_file_is_read_and_invalid_text_changes_nothing(tmp_path: Path, text: str | None, seconds: int) -> None:
    clock = ClockFile(tmp_path / "clock")
    clock.path.write_text("7")
    clock.seconds_ahead()
    clock.path.unlink() if text is None else clock.path.write_text(text)

    assert clock.seconds_ahead() == seconds


def test_days_pass_for_functions_and_for_s3(console: Console) -> None:
    cloud = console.cloud
    outputs = json.loads((cloud.state_dir / "outputs.json").read_text())
    console.take_on("ahead", x509_tenant())
    console.land("ahead/today.wav")
    today = eventually(lambda: console.delivered("ahead").get("ahead/today.wav"))

    try:
        Path(outputs["ClockFile"]).write_text(str(int(DAYS.total_seconds())))
        console.land("ahead/later.wav")
        later = eventually(lambda: console.delivered("ahead").get("ahead/later.wav"))
        head = cloud.client("s3").head_object(Bucket=cloud.outputs["SftpBucketName"], Key="ahead/later.wav.p7m")
    finally:
        Path(outputs["ClockFile"]).unlink()

    assert abs(moment(later["time"]) - DAYS - moment(today["time"])) < timedelta(minutes=5)
    assert abs(head["LastModified"] - DAYS - datetime.now(UTC)) < timedelta(minutes=5)


def test_functions_are_invoked_by_their_names(console: Console) -> None:
    """On the endpoint of everything else, as `aws lambda invoke --endpoint-url` does it; a scheduled one takes {}."""
    answer = console.cloud.client("lambda").invoke(
        FunctionName=f"{console.cloud.stack_name}-watch-files", Payload=b"{}"
    )

    assert (answer["StatusCode"], "FunctionError" in answer) == (200, False)
