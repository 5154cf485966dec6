"""The parameter of SSM that holds the progress of the audit trail's comparison."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.core.errors import CallsealError
from callseal.trail.progress import Progress, loads

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


class _NotThereError(CallsealError):
    """The parameter does not exist: no comparison has run yet."""


class ReconcileProgress:
    """Reads and writes the progress. Of two runs at once the later write remains, and windows are compared again."""

    def __init__(self, ssm: SSMClient, name: str) -> None:
        """Take the client and the parameter's name."""
        self._ssm, self._name = ssm, name

    def read(self, now: datetime) -> Progress:
        """Return the progress; if it is missing or unreadable, that of a first comparison (12 hours back)."""
        try:
            with calling("Reading the progress of the comparison", on_ParameterNotFound=_NotThereError):
                return loads(self._ssm.get_parameter(Name=self._name)["Parameter"]["Value"])
        except (_NotThereError, ValueError, KeyError, TypeError):
            return Progress.beginning(now)

    def write(self, progress: Progress) -> None:
        """Write the progress over the earlier one."""
        with calling("Writing the progress of the comparison"):
            self._ssm.put_parameter(Name=self._name, Value=progress.dumps(), Type="String", Overwrite=True)
