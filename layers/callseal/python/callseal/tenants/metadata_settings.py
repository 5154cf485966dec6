"""The kinds of the settings about calls: how metadata is read, and what a telephone number is.

The names and the grammar are here and not in the room `calls`, because settings are checked on this floor.
"""

from __future__ import annotations

import re
from typing import Any

from callseal.tenants.setting_kinds import Kind, choice, pattern, patterns

PROFILES = (
    "puzzel",
    "siprec",
    "verba",
    "genesys-gir",
    "genesys-cloud",
    "amazon-connect",
    "ringcentral",
    "zoom-phone",
    "vcon",
    "generic",
)
FLAG_MEMBERS = ("restricted", "sensitive", "denied", "consent", "informed", "paused", "agent_accepted")
# What a metadata file can say of a call: the members of a card, flags by their bare name.
FACT_MEMBERS = (
    "session_id",
    "started",
    "ended",
    "seconds",
    "direction",
    "caller",
    "callee",
    "agent",
    "queue",
    *FLAG_MEMBERS,
)
# `/a/b`, `/a/@b` and `//c`; a step may have one condition: `x[0]`, `x[k=v]` or `x[@k=v]`. calls/paths.py reads it.
_NAME = r"@?[^/@=\[\]\x00-\x1f]+"
STEP = rf"{_NAME}(\[([0-9]{{1,4}}|{_NAME}=[^\]\x00-\x1f]+)\])?"
PATH = rf"//?{STEP}(/{STEP})*"
MAX_PATH = 256
MAX_OWN_NUMBERS = 200


def _paths(value: Any) -> Any:
    if not isinstance(value, dict) or not set(value) <= set(FACT_MEMBERS):
        return None
    good = all(isinstance(path, str) and len(path) <= MAX_PATH and re.fullmatch(PATH, path) for path in value.values())
    return dict(value) if good else None


def _zone(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(_ZONE, value):
        return None
    return value if value == "UTC" or _has_zone(value) else None


def _has_zone(name: str) -> bool:
    # Imported here, because most tenants have UTC and a cold start does without the import.
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


_ZONE = r"[A-Za-z][A-Za-z0-9_+/-]{0,63}"
PROFILE = choice(*PROFILES).accepts_null()
PATHS = Kind(
    _paths,
    f"an object of paths (`//remoteAddress`) by fact: {', '.join(FACT_MEMBERS)}",
    {
        "type": "object",
        "propertyNames": {"enum": list(FACT_MEMBERS)},
        "additionalProperties": {"type": "string", "maxLength": MAX_PATH, "pattern": f"^{PATH}$"},
    },
)
REGION = pattern("[A-Z]{2}", "two capital letters (NO)").accepts_null()
OWN_NUMBERS = patterns(
    r"\+[1-9][0-9]{1,14}",
    MAX_OWN_NUMBERS,
    f"a list of at most {MAX_OWN_NUMBERS} numbers or prefixes in international form (+4721890000, +472189), each once",
)
ZONE = Kind(_zone, "the IANA name of a time zone (Europe/Oslo)", {"type": "string", "pattern": f"^{_ZONE}$"})
DURATION = pattern(
    "([0-9]{1,5}h|[0-9]{1,4}d|[0-9]{1,3}m|[0-9]{1,2}y)", "a duration in hours, days, months or years (72h, 90d, 6m, 5y)"
)
