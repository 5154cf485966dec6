"""Where the comparison of the audit trail's copies goes on: a parameter of SSM."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.core.errors import CallsealError
from callseal.trail.progress import Progress, loads

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


class _NotThereError(CallsealError):
    """Nothing was compared yet."""


class ReconcileProgress:
    """Keeps the progress; of two runs at once the last one's stays, and windows are compared again."""

    def __init__(self, ssm: SSMClient, name: str) -> None:
        """Take the client and the parameter's name."""
        self._ssm, self._name = ssm, name

    def read(self, now: datetime) -> Progress:
        """Return the progress; a text that cannot be read counts as none, and the last 12 hours are compared again."""
        try:
            with calling("Reading the progress of the comparison", on_ParameterNotFound=_NotThereError):
                return loads(self._ssm.get_parameter(Name=self._name)["Parameter"]["Value"])
        except (_NotThereError, ValueError, KeyError, TypeError):
            return Progress.beginning(now)

    def write(self, progress: Progress) -> None:
        """Keep the progress."""
        with calling("Keeping the progress of the comparison"):
            self._ssm.put_parameter(Name=self._name, Value=progress.dumps(), Type="String", Overwrite=True)
