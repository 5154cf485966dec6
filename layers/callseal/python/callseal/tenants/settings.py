"""A tenant's settings: a JSON object in an SSM parameter.

Each setting is declared once, as a field of `TenantSettings`: its type, its default, its kind (the check and its JSON
Schema) and a sentence for the operator. `make docs` writes schemas/tenant-settings.schema.json and the table in
docs/settings.md from the fields.

Values are checked here and not by that schema, because loading a validator would slow each cold start.
tests/unit/tenants/test_settings.py compares the parser with the schema.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from callseal.core.errors import HeldError, Reason
from callseal.tenants import metadata_settings as calls
from callseal.tenants.setting_kinds import FLAG, NETWORKS, Kind, choice, texts_among, whole_number

RECORDING_FORMATS = ("wav", "mp3")
_LIKE_A_NAME = re.compile(r"[A-Za-z_ -]{0,32}")
CMS_PROFILES = ("authenveloped-gcm", "enveloped-cbc")
MAX_OVERLAP_DAYS = 90
MAX_WAIT_MINUTES = 1440


def _setting(default: Any, kind: Kind, meaning: str) -> Any:
    metadata = {"kind": kind, "meaning": meaning}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """A tenant's settings. A setting that the parameter does not have is at its default."""

    encrypt: bool = _setting(True, FLAG, "Seal with the tenant's key.")
    deliver_to_sftp: bool = _setting(True, FLAG, "Deliver to the SFTP bucket.")
    deliver_to_archive: bool = _setting(False, FLAG, "Deliver to the archive bucket.")
    only_encrypt_sftp: bool = _setting(
        False, FLAG, "'Only encrypt recordings to FTP': the archive gets plain, playable files."
    )
    encrypt_metadata: bool = _setting(True, FLAG, "The XML is sealed too when its recording is sealed.")
    archive_formats: tuple[str, ...] = _setting(
        ("mp3",),
        texts_among(*RECORDING_FORMATS),
        "Which recording formats the archive gets; this does not limit the XML.",
    )
    cms_profile: str = _setting(
        "authenveloped-gcm",
        choice(*CMS_PROFILES),
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
        0,
        whole_number(MAX_OVERLAP_DAYS, "days"),
        "For this many days after a new key was accepted, files are sealed to the previous key as well.",
    )
    metadata_profile: str | None = _setting(
        None, calls.PROFILE, "The platform whose metadata files are read; docs/metadata.md has the fields of each."
    )
    metadata_paths: Mapping[str, str] = _setting(
        {}, calls.PATHS, "Where single facts are in a metadata file, instead of where the profile looks."
    )
    metadata_required: bool = _setting(False, FLAG, "A recording waits for its metadata file.")
    metadata_wait_minutes: int = _setting(
        15, whole_number(MAX_WAIT_MINUTES, "minutes"), "How long a recording waits before the alarm counts it."
    )
    metadata_missing: str = _setting(
        "hold",
        choice("hold", "deliver"),
        "What happens to a recording whose metadata has not arrived by then: it stays held, or is delivered by the "
        "policy's default.",
    )
    time_zone: str = _setting("UTC", calls.ZONE, "The zone of times in metadata that have no offset.")
    default_region: str | None = _setting(
        None,
        calls.REGION,
        "The country of telephone numbers in national form; with null only international ones are normalised.",
    )
    own_numbers: tuple[str, ...] = _setting((), calls.OWN_NUMBERS, "The tenant's own numbers, which are never indexed.")
    call_index: str = _setting(
        "auto",
        choice("off", "blind", "plain", "auto"),
        "What a call's card has: no facts, facts as keyed hashes, or facts in the clear. `auto` is `off` without "
        "archive and policy, else `blind` if the archive's metadata is sealed, else `plain`.",
    )
    refuse_numbers_in_names: bool = _setting(
        False, FLAG, "Hold a file whose name has a telephone number, as `NameHoldsNumber`."
    )
    denied_erase_after: str = _setting(
        "72h", calls.DURATION, "How long a recording is held that the policy forbids, before it is erased."
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
        # Without commas: the audit has this sentence, and its length is bounded.
        raise invalid(f"there is no setting {shown}; known are {' '.join(_KINDS)}")
    kind = _KINDS[name]
    checked = kind.check(value)
    if checked is None and not (value is None and kind.optional):
        raise invalid(f"{name} must be {kind.wanted}")
    return checked
