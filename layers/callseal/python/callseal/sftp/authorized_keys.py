"""Parse a tenant's SFTP keys: a secret's text in the format of sshd's authorized_keys.

The text is untrusted. A line that cannot be used is reported and opens no session. The other lines remain valid, so
that a typing error in a second key does not lock out the first. Only a private key refuses the whole text, because the
text does not show which of the lines belongs to it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from callseal.crypto.recipients.blocks import has_private_key
from callseal.sftp.options import OptionError, Options, parse_options
from callseal.tenants.login_sources import Address

# Secrets Manager accepts 64 KiB.
MAX_TEXT_BYTES = 64 * 1024
MAX_LINE_CHARACTERS = 8 * 1024
# Transfer Family's limit for the keys of a user.
MAX_KEYS = 50
RSA_BITS = (2048, 16384)
_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
# Other key types: such a word must not be parsed as an option.
_OTHER_TYPES = re.compile(r"(ssh|ecdsa|sk-ssh|sk-ecdsa|rsa)-[a-z0-9@.-]+\Z")
# Options end at the first space that is not inside quotes.
_OPTIONS = re.compile(r'((?:[^\s"]|"(?:[^"\\]|\\.)*")+)[ \t]+(.*)', re.DOTALL)
_ANYWHERE = Options()


@dataclass(frozen=True, slots=True)
class AuthorizedKey:
    """A key that may log in under its options. `blob` is base64. `line` counts from 1."""

    line: int
    type: str
    blob: str
    options: Options

    @property
    def text(self) -> str:
        """The key as a server accepts it: `type base64`, without options and comment."""
        return f"{self.type} {self.blob}"

    @property
    def fingerprint(self) -> str:
        """The fingerprint as `ssh-keygen -l` prints it."""
        return fingerprint(self.blob)

    def admits(self, address: Address, now: datetime) -> bool:
        """Return whether a login from this address at this time may use the key."""
        options = self.options
        in_time = options.until is None or now <= options.until
        return in_time and (options.sources is None or options.sources.admit(address))


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that opens no session. `why` quotes nothing of it but a key type or an option's name."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class AuthorizedKeys:
    """The parsed text. If it contains a private key, `has_private_key` is true and there are no keys."""

    keys: tuple[AuthorizedKey, ...] = ()
    refused: tuple[RefusedLine, ...] = ()
    has_private_key: bool = False

    def admitting(self, address: Address, now: datetime) -> list[AuthorizedKey]:
        """Return the keys, each once, that a login from this address at this time may use."""
        admitted = [key for key in self.keys if key.admits(address, now)]
        return list({key.blob: key for key in reversed(admitted)}.values())[::-1]


class _LineError(ValueError):
    """A line cannot be used. The message completes the sentence "line N: ..."."""


def fingerprint(blob: str) -> str:
    """Return the fingerprint of a key (base64) as `ssh-keygen -l` prints it."""
    digest = sha256(base64.b64decode(blob)).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def parse_authorized_keys(text: str) -> AuthorizedKeys:
    """Return the keys and the refused lines of the whole text. Raise nothing for any text."""
    if len(text) > MAX_TEXT_BYTES or len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
        return AuthorizedKeys(refused=(RefusedLine(1, f"the text is longer than {MAX_TEXT_BYTES:,} bytes"),))
    if has_private_key(text):
        return AuthorizedKeys(has_private_key=True)
    keys: list[AuthorizedKey] = []
    refused: list[RefusedLine] = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        stripped = line.strip(" \t")
        if not stripped or stripped.startswith("#"):
            continue
        try:
            key = _key(number, stripped)
            if len(keys) == MAX_KEYS:
                raise _LineError(f"there are {MAX_KEYS} keys before it, and no more are accepted")
            keys.append(key)
        except (_LineError, OptionError) as exc:
            refused.append(RefusedLine(number, str(exc)))
    return AuthorizedKeys(tuple(keys), tuple(refused))


def _key(number: int, line: str) -> AuthorizedKey:
    if len(line) > MAX_LINE_CHARACTERS:
        raise _LineError(f"it is longer than {MAX_LINE_CHARACTERS:,} characters")
    options = _ANYWHERE
    if not _is_type(_first_word(line)):
        match = _OPTIONS.fullmatch(line)
        if not match or not _is_type(_first_word(match[2])):
            raise _LineError("it is not a key: [options] type base64 [comment], as in a .pub file")
        options, line = parse_options(match[1]), match[2]
    kind, _, rest = line.replace("\t", " ").partition(" ")
    blob = _first_word(rest.strip(" "))
    _check(kind, blob)
    return AuthorizedKey(number, kind, blob, options)


def _first_word(text: str) -> str:
    return re.split(r"[ \t]", text, maxsplit=1)[0]


def _is_type(word: str) -> bool:
    return word in _TYPES or _OTHER_TYPES.match(word) is not None


def _check(kind: str, blob: str) -> None:
    """Raise _LineError if the key is damaged, of a type that is not accepted, or too weak."""
    if kind not in _TYPES:
        raise _LineError(f"keys of the type {kind[:40]} are not accepted, only ed25519, ecdsa and rsa")
    try:
        # Canonical base64 only: a server that compares texts would treat two spellings of one key as two keys.
        if base64.b64encode(base64.b64decode(blob, validate=True)).decode() != blob:
            raise ValueError("not canonical")
        key = load_ssh_public_key(f"{kind} {blob}".encode())
    except (ValueError, binascii.Error, UnsupportedAlgorithm) as exc:
        raise _LineError("its key is damaged: copy the whole line again") from exc
    if isinstance(key, RSAPublicKey) and not RSA_BITS[0] <= key.key_size <= RSA_BITS[1]:
        raise _LineError(f"its RSA key has {key.key_size} bits, and {RSA_BITS[0]} to {RSA_BITS[1]} are accepted")
