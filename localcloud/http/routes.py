"""The routes of an HTTP API, from the body of its translated resource, and which of them a request takes.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from localcloud.errors import TemplateError

DEFAULT_ROUTE = "$default"
_ANY = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"
_METHODS = {"delete", "get", "head", "options", "patch", "post", "put", _ANY}
_FUNCTION = re.compile(r"arn:aws:apigateway:[^:]+:lambda:path/2015-03-31/functions/(.+)/invocations")
_VARIABLE = re.compile(r"\{([A-Za-z0-9._-]+)(\+?)\}")


@dataclass(frozen=True)
class Route:
    """A route with the ARN of its function. `method` is ANY for every method."""

    method: str
    path: str
    function_arn: str

    @property
    def key(self) -> str:
        """The route's key in events, such as `GET /api/calls/{id}`."""
        return DEFAULT_ROUTE if self.path == DEFAULT_ROUTE else f"{self.method} {self.path}"


@dataclass(frozen=True)
class Match:
    """The route that a request takes, with the values of its path's variables."""

    route: Route
    parameters: Mapping[str, str]


def routes_of(logical_id: str, body: Mapping[str, Any]) -> list[Route]:
    """Return the routes of an API's OpenAPI body. Raise TemplateError for what the local cloud does not know."""
    routes = []
    for path, operations in body.get("paths", {}).items():
        for method, operation in operations.items():
            if method not in _METHODS:
                raise TemplateError(f"{logical_id}: the local cloud does not know {method} of the path {path}.")
            name = "ANY" if method == _ANY else method.upper()
            routes.append(Route(name, path, _function_arn(logical_id, path, operation.get(_INTEGRATION, {}))))
    return routes


def find_route(routes: Sequence[Route], method: str, path: str) -> Match | None:
    """Return the most specific route of a request, or None. `path` is percent-encoded.

    A text in a path counts before a variable, a variable before a greedy one, the method before ANY, and all of them
    before $default.
    """
    matches = [(route, _match(route, path)) for route in routes if route.method in (method, "ANY")]
    found = [(route, parameters) for route, parameters in matches if parameters is not None]
    if not found:
        return None
    route, parameters = min(found, key=lambda each: _rank(each[0]))
    return Match(route, parameters)


def _function_arn(logical_id: str, path: str, integration: Mapping[str, Any]) -> str:
    found = _FUNCTION.fullmatch(str(integration.get("uri")))
    kind = integration.get("type"), integration.get("payloadFormatVersion")
    if not found or kind != ("aws_proxy", "2.0"):
        raise TemplateError(
            f"{logical_id}: the local cloud knows functions with the payload format 2.0 only, which {path} is not."
        )
    return found[1]


def _match(route: Route, path: str) -> dict[str, str] | None:
    """Return the decoded values of a path's variables, or None if the path is not the route's."""
    if route.path == DEFAULT_ROUTE:
        return {}
    names, pattern = [], ""
    for segment in route.path.removeprefix("/").split("/"):
        variable = _VARIABLE.fullmatch(segment)
        names += [variable[1]] if variable else []
        pattern += "/" + (("(.+)" if variable[2] else "([^/]+)") if variable else re.escape(segment))
    found = re.fullmatch(pattern, path)
    return dict(zip(names, map(unquote, found.groups()), strict=True)) if found else None


def _rank(route: Route) -> tuple[list[int], bool]:
    if route.path == DEFAULT_ROUTE:
        return [3], False
    variables = [_VARIABLE.fullmatch(segment) for segment in route.path.removeprefix("/").split("/")]
    return [(2 if each[2] else 1) if each else 0 for each in variables], route.method == "ANY"
