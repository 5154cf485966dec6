"""The errors of the local cloud.

LocalCloudError
├── TemplateError             the template or a parameter is wrong, or uses what the local cloud does not support
├── StartError                the local cloud could not start: a port or the state folder is in use
├── FunctionNotFoundError     the template has no such function
└── InvocationError           a function failed in a synchronous invocation
"""

from collections.abc import Mapping
from typing import Any


class LocalCloudError(Exception):
    """The root of the local cloud's errors. The message is one sentence."""


class TemplateError(LocalCloudError):
    """The template is wrong, or uses what the local cloud does not support."""


class StartError(LocalCloudError):
    """The local cloud could not start."""


class FunctionNotFoundError(LocalCloudError):
    """The template has no such function."""


class InvocationError(LocalCloudError):
    """A function failed. `error` is Lambda's own object (errorType, errorMessage, stackTrace)."""

    def __init__(self, function: str, error: Mapping[str, Any]) -> None:
        super().__init__(f"{function} failed with {error.get('errorType')}: {error.get('errorMessage')}")
        self.error = dict(error)
