"""Where the sweep goes on: a parameter of SSM with the last landing key of a run that had no time for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from callseal.aws.calls import calling
from callseal.errors import CallsealError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

# SSM takes no empty value.
BEGINNING = "/"


class _NotThereError(CallsealError):
    """No run has had to stop yet."""


class SweepPosition:
    """Keeps the position; two sweeps at once overwrite each other's, and sweep something twice, which does no harm."""

    def __init__(self, ssm: SSMClient, name: str) -> None:
        """Take the client and the parameter's name."""
        self._ssm = ssm
        self._name = name

    def read(self) -> str:
        """Give the landing key to go on after; "" is the beginning."""
        try:
            with calling("Reading the sweep's position", on_ParameterNotFound=_NotThereError):
                value = self._ssm.get_parameter(Name=self._name)["Parameter"]["Value"]
        except _NotThereError:
            return ""
        return "" if value == BEGINNING else unquote(value)

    def write(self, key: str) -> None:
        """Keep a landing key, encoded, for SSM refuses some characters."""
        with calling("Keeping the sweep's position"):
            self._ssm.put_parameter(
                Name=self._name, Value=quote(key, safe="") or BEGINNING, Type="String", Overwrite=True
            )
