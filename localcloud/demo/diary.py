"""What people and Callseal did, day by day, on a cloud whose clock can be put ahead."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from localcloud.cloud import LocalCloud
from localcloud.demo.command import callseal

PATIENCE_SECONDS = 60


class Diary:
    """The rows of a table: day, who, what, answer, and sentences about them. Days pass only by `pass_days`."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud, self.rows, self.said = cloud, list[tuple[object, ...]](), list[str]()
        self._days = 0

    def add(self, who: str, what: str, answer: object) -> None:
        """Add a row of the present day."""
        day = datetime.now(UTC) + timedelta(days=self._days)
        self.rows.append((f"{day:%Y-%m-%d}", who, what, answer))

    def command(self, person: str, *arguments: str, code: int = 0) -> Any:
        """Return the JSON of the command `callseal` for a person, after the work that follows from it."""
        answer = callseal(self.cloud, *arguments, person=person, code=code)
        self.cloud.wait_until_idle(PATIENCE_SECONDS)
        return answer

    def pass_days(self, days: int) -> None:
        """Put the clock of the functions and of S3 ahead."""
        self._days += days
        outputs = json.loads((self.cloud.state_dir / "outputs.json").read_text())
        Path(outputs["ClockFile"]).write_text(str(int(timedelta(days=self._days).total_seconds())))
