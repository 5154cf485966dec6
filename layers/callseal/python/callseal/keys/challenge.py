"""Challenges: a random code, sealed to a key, that only the holder of the private key can return.

Only a salted hash of a code is stored. Codes are compared in constant time, with a limited number of attempts, for a
limited number of days.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import pbkdf2_hmac

from callseal.core.audit import timestamp
from callseal.core.recipient import Recipient

# Douglas Crockford's base 32, made for people: no I, L, O or U. 12 characters of 5 bits.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALIKE = str.maketrans("OIL", "011")
CODE_LENGTH, GROUP = 12, 4
LIFETIME = timedelta(days=7)
# A challenge's state is kept this long after its expiry, so that a late or repeated code is recognised.
REMEMBERED = timedelta(days=30)
MAX_ATTEMPTS = 5
MAX_ANSWER_BYTES = 1024
HASH_ROUNDS = 100_000
# How long a challenge may exist without its file, between the two writes that make it.
UNSENT = timedelta(minutes=5)
MADE, SENT, USED = "made", "sent", "used"


@dataclass(frozen=True, slots=True)
class Challenge:
    """The state of a challenge. Times are RFC 3339 in UTC. `last_answer` identifies the last counted answer.

    `fingerprint` is that of what encrypts. `primary` is that of the OpenPGP key that it belongs to, None for X.509.
    """

    tenant: str
    fingerprint: str
    kind: str
    version: str
    salt: str
    hash: str
    created: str
    expires: str
    state: str = MADE
    attempts: int = 0
    last_answer: str = ""
    primary: str | None = None

    def is_live(self, now: datetime) -> bool:
        """Return whether the challenge accepts its code, or will once its file has been written."""
        unsent = self.state == MADE and self.created <= timestamp(now - UNSENT)
        return timestamp(now) < self.expires and not unsent

    def is_current(self, version: str, now: datetime) -> bool:
        """Return whether no new challenge is needed: this one is live, and of this version of the secret."""
        return self.version == version and self.is_live(now)


def new_challenge(tenant: str, key: Recipient, version: str, now: datetime) -> tuple[Challenge, str]:
    """Return a new challenge for what a key encrypts with, and the code that answers it."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    salt = secrets.token_hex(16)
    expires = timestamp(now + LIFETIME)
    made = Challenge(
        tenant, key.encrypts_with, key.kind, version, salt, _hash(code, salt), timestamp(now), expires,
        primary=key.fingerprint if key.subkey else None,
    )  # fmt: skip
    return made, "-".join(code[first : first + GROUP] for first in range(0, CODE_LENGTH, GROUP))


def matches(challenge: Challenge, answer: str) -> bool:
    """Return whether an answer is the challenge's code. White space, case, dashes and look-alikes are ignored."""
    code = "".join(answer.upper().replace("-", "").split()).translate(_ALIKE)
    return hmac.compare_digest(_hash(code[: 4 * CODE_LENGTH], challenge.salt), challenge.hash)


def refusal(challenge: Challenge | None, answer: str, now: datetime) -> str | None:
    """Return why an answer cannot be accepted, whatever its code; None if its code is to be compared.

    `answer` identifies the answer. An answer that was counted in time is compared however late: its first run was
    interrupted.
    """
    if challenge is None:
        return "this tenant has no challenge for that key"
    if challenge.state == USED:
        return "the code of this challenge has been used already"
    if challenge.last_answer == answer:
        return None
    if timestamp(now) >= challenge.expires:
        return f"it came too late: the challenge expired on {challenge.expires}. A new one is made within a day"
    if challenge.attempts >= MAX_ATTEMPTS:
        return (
            f"{MAX_ATTEMPTS} answers to this challenge were wrong. A new one is made when the key is pasted again, or "
            f"after {challenge.expires}"
        )
    return None


def text(challenge: Challenge, code: str) -> str:
    """Return the text that the tenant reads in the challenge."""
    return (
        f"This is a key check for the tenant {challenge.tenant}.\n\n"
        f"You can read this, so you can open what is sealed to your key\n{_key_name(challenge)}.\n"
        f"Please send this code back to prove it:\n\n    {code}\n\n"
        f"Either write the code, and nothing else, into a file named\n{challenge.fingerprint}.answer\n"
        "and put that file into the folder key-check of your SFTP account,\n"
        "or send it to the operator who asked you for the key.\n\n"
        f"The code is valid until {challenge.expires} and can be used once. Your recordings are sealed to this key\n"
        "only after the code has been received.\n"
    )


def _key_name(challenge: Challenge) -> str:
    if challenge.primary in (None, challenge.fingerprint):
        return challenge.fingerprint
    return f"{challenge.primary}, by its subkey\n{challenge.fingerprint}"


def _hash(code: str, salt: str) -> str:
    return pbkdf2_hmac("sha256", code.encode(), bytes.fromhex(salt), HASH_ROUNDS).hex()
