"""A tenant's settings: a JSON object in an SSM parameter.

Each setting is declared once, as a field of `TenantSettings`: its type, its default, its kind (the check and its JSON
Schema) and a sentence for the operator. `make docs` writes schemas/tenant-settings.schema.json and the table in
README.md from the fields.

Values are checked here and not by that schema, because loading a validator would slow each cold start.
tests/unit/tenants/test_settings.py compares the parser with the schema.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from callseal.core.errors import HeldError, Reason
from callseal.core.formats import RECORDING_TYPES
from callseal.tenants.login_sources import MAX_PATTERNS, parse_network

RECORDING_FORMATS = tuple(RECORDING_TYPES)
_LIKE_A_NAME = re.compile(r"[A-Za-z_ -]{0,32}")
CMS_PROFILES = ("authenveloped-gcm", "enveloped-cbc")
MAX_OVERLAP_DAYS = 90


def _flag(value: Any) -> Any:
    return value if isinstance(value, bool) else None


def _formats(value: Any) -> Any:
    known = isinstance(value, list) and all(isinstance(item, str) and item in RECORDING_FORMATS for item in value)
    return tuple(value) if known and len(set(value)) == len(value) else None


def _profile(value: Any) -> Any:
    return value if isinstance(value, str) and value in CMS_PROFILES else None


def _networks(value: Any) -> Any:
    if not isinstance(value, list) or len(value) > MAX_PATTERNS or not all(isinstance(item, str) for item in value):
        return None
    try:
        networks = {parse_network(item) for item in value}
    except ValueError:
        return None
    return tuple(value) if len(networks) == len(value) else None


def _days(value: Any) -> Any:
    # JSON has one kind of number, so 7.0 is a whole number. In Python True is a whole number, too.
    whole = not isinstance(value, bool) and isinstance(value, int | float) and value in range(MAX_OVERLAP_DAYS + 1)
    return int(value) if whole else None


@dataclass(frozen=True, slots=True)
class Kind:
    """The values of a setting.

    `check` returns the value as the functions use it, or None if it is refused. `wanted` describes the values for
    people, `schema` for a JSON Schema.
    """

    check: Callable[[Any], Any]
    wanted: str
    schema: Mapping[str, Any]


FLAG = Kind(_flag, "true or false", {"type": "boolean"})
FORMATS = Kind(
    _formats,
    f"a list of {', '.join(RECORDING_FORMATS)}, each once at most",
    {"type": "array", "items": {"enum": list(RECORDING_FORMATS)}, "uniqueItems": True},
)
PROFILE = Kind(_profile, f"one of {', '.join(CMS_PROFILES)}", {"enum": list(CMS_PROFILES)})
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
DAYS = Kind(
    _days,
    f"a whole number of days from 0 to {MAX_OVERLAP_DAYS}",
    {"type": "integer", "minimum": 0, "maximum": MAX_OVERLAP_DAYS},
)


def _setting(default: Any, kind: Kind, meaning: str) -> Any:
    return field(default=default, metadata={"kind": kind, "meaning": meaning})


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """A tenant's settings. A setting that the parameter does not have is at its default."""

    encrypt: bool = _setting(True, FLAG, "Seal with the tenant's key.")
    deliver_to_sftp: bool = _setting(True, FLAG, "Deliver to the SFTP bucket.")
    deliver_to_archive: bool = _setting(False, FLAG, "Deliver to the archive bucket.")
    only_encrypt_sftp: bool = _setting(
        False, FLAG, "'Only encrypt recordings to FTP': the archive gets plain, playable files."
    )
    encrypt_metadata: bool = _setting(True, FLAG, "The metadata is sealed too when its recording is sealed.")
    archive_formats: tuple[str, ...] = _setting(
        ("mp3",), FORMATS, "Which recording formats the archive gets; this does not limit metadata."
    )
    cms_profile: str = _setting(
        "authenveloped-gcm",
        PROFILE,
        "For X.509 keys: `enveloped-cbc` is for receivers without RFC 5083, and is not authenticated.",
    )
    sftp_may_delete: bool = _setting(False, FLAG, "The tenant may delete files that it has fetched.")
    sftp_source_addresses: tuple[str, ...] = _setting(
        (), NETWORKS, "Addresses and networks that SFTP logins may come from; `[]` allows all."
    )
    require_key_proof: bool = _setting(
        False,
        FLAG,
        "A new key is used only after the tenant has opened a challenge that was sealed to it "
        "(`callseal tenants add` writes `true`).",
    )
    rotation_overlap_days: int = _setting(
        0, DAYS, "For this many days after a new key was accepted, files are sealed to the previous key as well."
    )

    @property
    def follows_rotation(self) -> bool:
        """Whether earlier versions of the secret, too, decide which keys a file is sealed to."""
        return self.require_key_proof or self.rotation_overlap_days > 0


_KINDS: Mapping[str, Kind] = {setting.name: setting.metadata["kind"] for setting in fields(TenantSettings)}


def parse_settings(text: str) -> TenantSettings:
    """Return the settings in a JSON text. Raise HeldError `SettingsInvalid` if the text is no such object."""
    try:
        members = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as exc:
        raise invalid(f"they are no proper JSON ({exc})") from exc
    if not isinstance(members, dict):
        raise invalid("they are no JSON object")
    return TenantSettings(**{name: _checked(name, value) for name, value in members.items()})


def invalid(why: str) -> HeldError:
    """Return the error of settings that cannot be used; `why` completes its sentence."""
    return HeldError(
        Reason.SETTINGS_INVALID,
        f"The tenant's settings cannot be used: {why}. Put them right in the parameter .../settings.",
    )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands in it twice")
    return members


def _checked(name: str, value: Any) -> Any:
    if name not in _KINDS:
        # Only a name that looks like a setting's is repeated. Any other text may be a key or a caller's number.
        shown = repr(name) if _LIKE_A_NAME.fullmatch(name) else "of such a name"
        raise invalid(f"there is no setting {shown}; known are {', '.join(_KINDS)}")
    kind = _KINDS[name]
    checked = kind.check(value)
    if checked is None:
        raise invalid(f"{name} must be {kind.wanted}")
    return checked
