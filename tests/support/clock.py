"""A clock that runs normally and can be moved forward and back."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Replaces `callseal.wiring.container.now`."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def pass_by(self, **times: float) -> None:
        """Move the clock, in the members of timedelta: seconds=61, days=-1."""
        self._ahead += timedelta(**times)

    def put_to(self, moment: datetime) -> None:
        """Set the clock to a moment."""
        self._ahead = moment - datetime.now(UTC)


class StillClock(Clock):
    """A clock that only moves by `pass_by`."""

    def __init__(self) -> None:
        super().__init__()
        self._began = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self._began + self._ahead
