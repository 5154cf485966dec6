"""The conditions of a policy's rules: each one's values, its JSON Schema, and when a call meets it.

On a blind card the numbers, agent and queue are keyed hashes. There an exact text is compared by its hash, and a
pattern, a number's prefix or its country cannot be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from callseal.calls.facts import CONSENTS, DIRECTIONS, Facts
from callseal.calls.members import CONTROLS, MAX_TEXT, UNSPACED, Member, flag, matching, schema_of

MAX_SECONDS = 1_000_000
# A text with `*` at either end, or at both. `*` alone is any text.
PATTERN = rf"{UNSPACED}(\*|\*?[^*{CONTROLS}]{{1,{MAX_TEXT}}}\*?)"
NUMBER_PREFIX = r"\+[1-9][0-9]{0,14}"
COUNTRY = "[A-Z]{2}"
# Returns the ISO code of the country of an E.164 number, or None.
CountryOf = Callable[[str], str | None]
# Returns the keyed hash of a fact, `agent` or `queue`, for the comparison with a blind card.
Hashed = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the conditions see it. If `hashed` is given, the numbers, agent and queue of `facts` are hashes."""

    facts: Facts
    country_of: CountryOf
    hashed: Hashed | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition. `meets(wanted, call)` returns whether a call meets it, or None if a blind card cannot say."""

    member: Member
    meets: Callable[[Any, Call], bool | None]


def any_of(answers: Iterable[bool | None]) -> bool | None:
    """Return True if an answer is True, else None if one is None, else False."""
    found = set(answers)
    return True if True in found else None if None in found else False


def all_of(answers: Iterable[bool | None]) -> bool | None:
    """Return False if an answer is False, else None if one is None, else True."""
    found = set(answers)
    return False if False in found else None if None in found else True


def fits(pattern: str, text: str) -> bool:
    """Return whether a text fits a pattern, which may have `*` at either end."""
    begins, ends = not pattern.startswith("*"), not pattern.endswith("*")
    core = pattern.removeprefix("*").removesuffix("*")
    if begins and ends:
        return text == core
    return text.startswith(core) if begins else text.endswith(core) if ends else core in text


def _list_of(read: Callable[[Any], str], wanted: str, schema: Mapping[str, Any]) -> Member:
    def read_list(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise ValueError(list)
        return tuple(read(item) for item in value)

    return Member(read_list, f"a list of {wanted}", {"type": "array", "minItems": 1, "items": schema})


_TEXT = "texts, which may have * at either end"
_TEXTS = _list_of(matching(PATTERN), _TEXT, schema_of(PATTERN))


def _values(*values: str) -> Member:
    """Return a list of these values; a text with `*` is a pattern for them."""
    pattern = rf"{'|'.join(values)}|{UNSPACED}(?=.*\*){PATTERN}"
    return _list_of(matching(pattern), f"{', '.join(values)}", schema_of(pattern))


def _seconds(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or not value or not value.keys() <= {"min", "max"}:
        raise ValueError(dict)
    if not all(_is_number(bound) and 0 <= bound <= MAX_SECONDS for bound in value.values()):
        raise ValueError(float)
    if value.get("min", 0) > value.get("max", MAX_SECONDS):
        raise ValueError("min is over max")
    return {bound: value[bound] for bound in ("min", "max") if bound in value}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_BOUND = {"type": "number", "minimum": 0, "maximum": MAX_SECONDS}
_SECONDS = Member(
    _seconds,
    f"an object with min, max or both: seconds from 0 to {MAX_SECONDS}, min not over max",
    {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {"min": _BOUND, "max": _BOUND},
    },
)


def _text(name: str) -> Condition:
    """Return the condition of a fact that a blind card has as a hash."""

    def meets(wanted: tuple[str, ...], call: Call) -> bool | None:
        found: str | None = getattr(call.facts, name)
        return found is not None and any_of(_equals(pattern, found, call.hashed) for pattern in wanted)

    def _equals(pattern: str, found: str, hashed: Hashed | None) -> bool | None:
        if hashed is None or pattern == "*":
            return fits(pattern, found)
        return None if "*" in pattern else hashed(name, pattern) == found

    return Condition(_TEXTS, meets)


def _number(member: Member, test: Callable[[tuple[str, ...], str, CountryOf], bool]) -> Condition:
    """Return a condition on the outside party's number, which a blind card has as a hash."""

    def meets(wanted: tuple[str, ...], call: Call) -> bool | None:
        number = call.facts.outside_party
        if number is None:
            return False
        return None if call.hashed else number.startswith("+") and test(wanted, number, call.country_of)

    return Condition(member, meets)


def _flag(name: str) -> Condition:
    return Condition(flag(False), lambda wanted, call: getattr(call.facts.flags, name) is wanted)


def _within(wanted: Mapping[str, float], call: Call) -> bool:
    seconds = call.facts.seconds
    return seconds is not None and wanted.get("min", 0) <= seconds <= wanted.get("max", seconds)


def _has_session(wanted: tuple[str, ...], call: Call) -> bool:
    session = call.facts.session_id
    return session is not None and any(fits(f"{prefix.removesuffix('*')}*", session) for prefix in wanted)


CONDITIONS: Mapping[str, Condition] = {
    "queue": _text("queue"),
    "agent": _text("agent"),
    "direction": Condition(
        _values(*DIRECTIONS),
        lambda wanted, call: call.facts.direction is not None and _is_any(wanted, call.facts.direction),
    ),
    "country": _number(
        _list_of(matching(COUNTRY), "ISO codes of countries in capitals, such as NO", schema_of(COUNTRY)),
        lambda wanted, number, country_of: country_of(number) in wanted,
    ),
    "number_prefix": _number(
        _list_of(matching(NUMBER_PREFIX), "beginnings of E.164 numbers, such as +47", schema_of(NUMBER_PREFIX)),
        lambda wanted, number, _: number.startswith(wanted),
    ),
    "session_prefix": Condition(_TEXTS, _has_session),
    "restricted": _flag("restricted"),
    "sensitive": _flag("sensitive"),
    "denied": _flag("denied"),
    "paused": _flag("paused"),
    "agent_accepted": _flag("agent_accepted"),
    "consent": Condition(_values(*CONSENTS), lambda wanted, call: _is_any(wanted, call.facts.flags.consent)),
    "seconds": Condition(_SECONDS, _within),
}


def _is_any(wanted: tuple[str, ...], value: str) -> bool:
    return any(fits(pattern, value) for pattern in wanted)
