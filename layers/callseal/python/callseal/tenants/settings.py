"""A tenant's settings: a JSON object in SSM. The JSON Schema for editors is schemas/tenant-settings.schema.json.

Checked by hand and not by that schema, for a validator costs a cold start more than the members are worth;
tests/unit/test_settings.py holds the two together.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from callseal.core.errors import HeldError, Reason
from callseal.tenants.login_sources import MAX_PATTERNS, parse_network

RECORDING_FORMATS = ("wav", "mp3")
_LIKE_A_NAME = re.compile(r"[A-Za-z_ -]{0,32}")
CMS_PROFILES = ("authenveloped-gcm", "enveloped-cbc")
MAX_OVERLAP_DAYS = 90


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """A tenant's settings; README.md has each member's meaning."""

    encrypt: bool = True
    deliver_to_sftp: bool = True
    deliver_to_archive: bool = False
    only_encrypt_sftp: bool = False
    encrypt_metadata: bool = True
    archive_formats: tuple[str, ...] = ("mp3",)
    cms_profile: str = "authenveloped-gcm"
    sftp_may_delete: bool = False
    sftp_source_addresses: tuple[str, ...] = ()
    require_key_proof: bool = False
    rotation_overlap_days: int = 0

    @property
    def follows_rotation(self) -> bool:
        """Whether more than the current version of the secret decides what a file is sealed to."""
        return self.require_key_proof or self.rotation_overlap_days > 0


def parse_settings(text: str) -> TenantSettings:
    """Read settings from their JSON text; raises HeldError `SettingsInvalid`."""
    try:
        members = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as exc:
        raise invalid(f"they are no proper JSON ({exc})") from exc
    if not isinstance(members, dict):
        raise invalid("they are no JSON object")
    return TenantSettings(**{name: _checked(name, value) for name, value in members.items()})


def invalid(why: str) -> HeldError:
    """Say that a tenant's settings cannot be used."""
    return HeldError(
        Reason.SETTINGS_INVALID,
        f"The tenant's settings cannot be used: {why}. Put them right in the parameter .../settings.",
    )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands in it twice")
    return members


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
    # JSON has one kind of number: 7.0 is a whole one. In Python True is one, too.
    whole = not isinstance(value, bool) and isinstance(value, int | float) and value in range(MAX_OVERLAP_DAYS + 1)
    return int(value) if whole else None


_CHECKS: dict[str, tuple[Callable[[Any], Any], str]] = {
    **{field.name: (_flag, "true or false") for field in fields(TenantSettings)},
    "archive_formats": (_formats, f"a list of {', '.join(RECORDING_FORMATS)}, each once at most"),
    "cms_profile": (_profile, f"one of {', '.join(CMS_PROFILES)}"),
    "sftp_source_addresses": (
        _networks,
        f"a list of at most {MAX_PATTERNS} addresses or networks (192.0.2.0/24, 2001:db8::/32), each once and exact",
    ),
    "rotation_overlap_days": (_days, f"a whole number of days from 0 to {MAX_OVERLAP_DAYS}"),
}


def _checked(name: str, value: Any) -> Any:
    if name not in _CHECKS:
        # A name that could be one is told; anything else may be a key's text or a caller's number, pasted here.
        told = repr(name) if _LIKE_A_NAME.fullmatch(name) else "of such a name"
        raise invalid(f"there is no setting {told}; known are {', '.join(_CHECKS)}")
    check, wanted = _CHECKS[name]
    checked = check(value)
    if checked is None:
        raise invalid(f"{name} must be {wanted}")
    return checked
