"""What the template declares of the archive's front, as the gateway serves it."""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from localcloud.http.routes import Route


@dataclass(frozen=True)
class Behaviour:
    """A cache behaviour of a distribution: whether its origin is the API, and the headers that it adds to answers."""

    pattern: str
    to_api: bool
    headers: Mapping[str, str]

    def matches(self, path: str) -> bool:
        """Return whether the behaviour is for a path. `*` is any text, with slashes too, and `?` one character."""
        pattern = self.pattern if self.pattern.startswith(("/", "*")) else f"/{self.pattern}"
        # fnmatch knows brackets, CloudFront does not.
        return bool(re.match(fnmatch.translate(pattern.replace("[", "[[]")), path))


@dataclass(frozen=True)
class Distribution:
    """A distribution: its behaviours in their order, of which the last one matches every path."""

    logical_id: str
    behaviours: tuple[Behaviour, ...]

    def behaviour(self, path: str) -> Behaviour:
        """Return the first behaviour that matches a path."""
        return next(each for each in self.behaviours if each.matches(path))


@dataclass
class Front:
    """The API with its own host name and routes, the distribution before it, and headers by the id of their policy."""

    api_id: str = ""
    domain: str = ""
    routes: list[Route] = field(default_factory=list)
    policies: dict[str, dict[str, str]] = field(default_factory=dict)
    distribution: Distribution | None = None

    @property
    def function_arns(self) -> set[str]:
        """The functions behind the routes."""
        return {route.function_arn for route in self.routes}

    def behaviour(self, path: str) -> Behaviour:
        """Return the distribution's behaviour for a path. Without one everything goes to the API."""
        return self.distribution.behaviour(path) if self.distribution else Behaviour("*", True, {})
