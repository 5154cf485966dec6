"""Telephone numbers: normalised to E.164, recognised as the tenant's own, and found in names.

`phonenumbers` is imported in the functions that need it, because a cold start of the sealing path does without it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

WITHHELD = frozenset(("", "anonymous", "withheld", "unknown", "private", "restricted", "unavailable"))
RAW = "raw:"
# `tel:`, `sip:` or `sips:` with an optional display name (RFC 3966, RFC 3261).
_URI = re.compile(r'(?:(?:"[^"]*"\s*|[^<"]*)<)?\s*(?:tel|sips?):', re.IGNORECASE)
_NOT_A_NUMBER = re.compile(r"[^\d+\uff0b\s().,/*#\u00a0\u2010-\u2015-]")
_LONGEST_NATIONAL = 12
_RUN = re.compile(r"([+\uff0b]?)(\d+)")


@dataclass(frozen=True, slots=True)
class Numbering:
    """A tenant's telephone numbers: the region of national numbers, and its own numbers or their prefixes in E.164."""

    default_region: str | None = None
    own_numbers: Sequence[str] = ()

    def normalise(self, text: str) -> str | None:
        """Return a number in E.164, or `raw:<digits>` if it is no possible number. None if it is withheld or no number.

        Takes `tel:` and `sip:` URIs, parameters, spaces, punctuation and `(0)`; `00` is read as `+`.
        """
        user = _user_part(text)
        if user.lower() in WITHHELD or _NOT_A_NUMBER.search(user):
            return None
        digits = _digits(user.replace("(0)", ""))
        plus = user.lstrip(" (").startswith(("+", "\uff0b"))
        if not digits:
            return None
        international = digits if plus else digits[2:] if digits.startswith("00") else ""
        return _e164(f"+{international}" if international else digits, self.default_region) or f"{RAW}{digits}"

    def is_own(self, number: str | None) -> bool:
        """Return whether a normalised number is the tenant's own."""
        return number is not None and number.startswith(tuple(self.own_numbers))


def country_of(number: str | None) -> str | None:
    """Return the ISO 3166 country of a normalised number in capitals, or None if it has none."""
    if number is None or not number.startswith("+"):
        return None
    import phonenumbers

    parsed = _parsed(number, None)
    region = phonenumbers.region_code_for_number(parsed) if parsed else None
    return region if region and region.isalpha() else None


def holds_number(name: str, default_region: str | None) -> bool:
    """Return whether a name has a telephone number.

    That is `+` or `00` with 7 to 15 digits, or a run of digits that is a possible number of the region. A run of 13 or
    more digits without `+` or `00` is none: session ids have that form.
    """
    return any(_is_number(bool(run[1]), _digits(run[2]), default_region) for run in _RUN.finditer(name))


def _is_number(plus: bool, digits: str, region: str | None) -> bool:
    international = digits if plus else digits[2:] if digits.startswith("00") else ""
    if 7 <= len(international) <= 15:
        return True
    return region is not None and len(digits) <= _LONGEST_NATIONAL and _e164(digits, region) is not None


def _user_part(text: str) -> str:
    """Return the number of a URI or of a plain text, without scheme, host and parameters."""
    plain, found = text.strip(), _URI.match(text.strip())
    if found:
        plain = plain[found.end() :].partition("@")[0].partition(">")[0]
    return plain.partition(";")[0].strip()


def _digits(text: str) -> str:
    """Return the digits of any script as ASCII."""
    return "".join(str(unicodedata.decimal(char)) for char in text if char.isdecimal())


def _e164(number: str, region: str | None) -> str | None:
    import phonenumbers

    parsed = _parsed(number, region)
    if parsed is None or not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _parsed(number: str, region: str | None) -> PhoneNumber | None:
    import phonenumbers

    try:
        return phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
