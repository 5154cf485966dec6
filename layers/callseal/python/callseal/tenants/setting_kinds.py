"""The kinds of a setting's values: each checks a value from JSON, and describes it for people and for a JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callseal.tenants.login_sources import MAX_PATTERNS, parse_network


@dataclass(frozen=True, slots=True)
class Kind:
    """The values of a setting.

    `check` returns the value as the functions use it, or None if it is refused. `wanted` describes the values for
    people, `schema` for a JSON Schema. `optional` accepts null as well, which the functions use as None.
    """

    check: Callable[[Any], Any]
    wanted: str
    schema: Mapping[str, Any]
    optional: bool = False

    def accepts_null(self) -> Kind:
        """Return the same kind with null as a further value."""
        return Kind(self.check, f"{self.wanted}, or null", {"anyOf": [self.schema, {"type": "null"}]}, optional=True)


def choice(*names: str) -> Kind:
    """Return the kind of one text among `names`."""
    return Kind(
        lambda value: value if isinstance(value, str) and value in names else None,
        f"one of {', '.join(names)}",
        {"enum": list(names)},
    )


def texts_among(*names: str) -> Kind:
    """Return the kind of a list of texts among `names`, without duplicates."""

    def check(value: Any) -> Any:
        known = isinstance(value, list) and all(isinstance(item, str) and item in names for item in value)
        return tuple(value) if known and len(set(value)) == len(value) else None

    schema = {"type": "array", "items": {"enum": list(names)}, "uniqueItems": True}
    return Kind(check, f"a list of {', '.join(names)}, each once at most", schema)


def pattern(regex: str, wanted: str) -> Kind:
    """Return the kind of a text that matches a regular expression, which Python and ECMA-262 read alike."""
    return Kind(
        lambda value: value if isinstance(value, str) and re.fullmatch(regex, value) else None,
        wanted,
        {"type": "string", "pattern": f"^{regex}$"},
    )


def patterns(regex: str, most: int, wanted: str) -> Kind:
    """Return the kind of a list of at most `most` texts that match a regular expression, without duplicates."""

    def check(value: Any) -> Any:
        if not isinstance(value, list) or len(value) > most:
            return None
        good = all(isinstance(item, str) and re.fullmatch(regex, item) for item in value)
        return tuple(value) if good and len(set(value)) == len(value) else None

    items = {"type": "string", "pattern": f"^{regex}$"}
    return Kind(check, wanted, {"type": "array", "items": items, "maxItems": most, "uniqueItems": True})


def whole_number(most: int, unit: str) -> Kind:
    """Return the kind of a whole number of units from 0 to `most`."""

    def check(value: Any) -> Any:
        # JSON has one kind of number, so 7.0 is a whole number. In Python True is a whole number, too.
        whole = not isinstance(value, bool) and isinstance(value, int | float) and value in range(most + 1)
        return int(value) if whole else None

    schema = {"type": "integer", "minimum": 0, "maximum": most}
    return Kind(check, f"a whole number of {unit} from 0 to {most}", schema)


def _networks(value: Any) -> Any:
    if not isinstance(value, list) or len(value) > MAX_PATTERNS or not all(isinstance(item, str) for item in value):
        return None
    try:
        networks = {parse_network(item) for item in value}
    except ValueError:
        return None
    return tuple(value) if len(networks) == len(value) else None


FLAG = Kind(lambda value: value if isinstance(value, bool) else None, "true or false", {"type": "boolean"})
NETWORKS = Kind(
    _networks,
    f"a list of at most {MAX_PATTERNS} addresses or networks (192.0.2.0/24, 2001:db8::/32), each once and exact",
    {
        "type": "array",
        "items": {"type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"},
        "maxItems": MAX_PATTERNS,
        "uniqueItems": True,
    },
)
