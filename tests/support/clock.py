"""A clock that runs as clocks do, and can be put forward and back."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Stands in for `callseal.wiring.container.now`."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def pass_by(self, **times: float) -> None:
        """Let time pass, in the members of timedelta: seconds=61, days=-1."""
        self._ahead += timedelta(**times)

    def put_to(self, moment: datetime) -> None:
        """Put the clock to a moment."""
        self._ahead = moment - datetime.now(UTC)


class StillClock(Clock):
    """A clock that moves by `pass_by` alone."""

    def __init__(self) -> None:
        super().__init__()
        self._began = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self._began + self._ahead
