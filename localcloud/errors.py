"""The errors of the local cloud.

LocalCloudError
├── TemplateError             the template, or a parameter given to it, is wrong or beyond what the local cloud knows
├── StartError                the local cloud could not start: a port in use, another one on the same state folder
├── FunctionNotFoundError     no such function in the template
└── InvocationError           a function failed when it was invoked synchronously
"""

from collections.abc import Mapping
from typing import Any


class LocalCloudError(Exception):
    """State in one sentence why the local cloud cannot go on."""


class TemplateError(LocalCloudError):
    """State what in the template is wrong, or unknown to the local cloud."""


class StartError(LocalCloudError):
    """State why the local cloud could not start."""


class FunctionNotFoundError(LocalCloudError):
    """State which function the template lacks."""


class InvocationError(LocalCloudError):
    """State how a function failed; `error` is Lambda's own object (errorType, errorMessage, stackTrace)."""

    def __init__(self, function: str, error: Mapping[str, Any]) -> None:
        super().__init__(f"{function} failed with {error.get('errorType')}: {error.get('errorMessage')}")
        self.error = dict(error)
