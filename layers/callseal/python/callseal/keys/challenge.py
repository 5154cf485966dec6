"""Challenges: a random code, sealed to a key, that only who can open it can give back.

What is kept of a code is a salted hash; codes are compared in constant time, a few times at most, for a few days.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import pbkdf2_hmac

from callseal.core.audit import timestamp
from callseal.core.recipient import Recipient

# Douglas Crockford's alphabet, for people: no I, L, O or U. 12 characters of 5 bits.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALIKE = str.maketrans("OIL", "011")
CODE_LENGTH, GROUP = 12, 4
LIFETIME = timedelta(days=7)
# A challenge's state outlives it for a while, so that a late or repeated code is told from one that never was.
REMEMBERED = timedelta(days=30)
MAX_ATTEMPTS = 5
MAX_ANSWER_BYTES = 1024
HASH_ROUNDS = 100_000
# How long a challenge may be without its file, between the two writes that make it.
UNSENT = timedelta(minutes=5)
MADE, SENT, USED = "made", "sent", "used"


@dataclass(frozen=True, slots=True)
class Challenge:
    """The state of a challenge; moments as RFC 3339 in UTC. `last_answer` names the answer that was counted last.

    `fingerprint` is of what encrypts, `primary` of the OpenPGP key that it belongs to, None for X.509.
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
        """Tell whether it still waits for its code, or may yet do so."""
        unsent = self.state == MADE and self.created <= timestamp(now - UNSENT)
        return timestamp(now) < self.expires and not unsent

    def stands_for(self, version: str, now: datetime) -> bool:
        """Tell whether no other is to be made: it is live, and was made for this version of the secret."""
        return self.version == version and self.is_live(now)


def new_challenge(tenant: str, key: Recipient, version: str, now: datetime) -> tuple[Challenge, str]:
    """Return a new challenge for what a key encrypts with, and the code that is its answer."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    salt = secrets.token_hex(16)
    expires = timestamp(now + LIFETIME)
    made = Challenge(
        tenant, key.encrypts_with, key.kind, version, salt, _hash(code, salt), timestamp(now), expires,
        primary=key.fingerprint if key.subkey else None,
    )  # fmt: skip
    return made, "-".join(code[first : first + GROUP] for first in range(0, CODE_LENGTH, GROUP))


def fits(challenge: Challenge, answer: str) -> bool:
    """Tell whether an answer is the challenge's code; white space, case, dashes and look-alikes are forgiven."""
    code = "".join(answer.upper().replace("-", "").split()).translate(_ALIKE)
    return hmac.compare_digest(_hash(code[: 4 * CODE_LENGTH], challenge.salt), challenge.hash)


def refusal(challenge: Challenge | None, answer: str, now: datetime) -> str | None:
    """Return why no code at all is taken for this challenge, or None.

    `answer` names the answer. One that was counted in time is judged, however late: its first run broke off.
    """
    if challenge is None:
        return "this tenant has no challenge for that key"
    if challenge.state == USED:
        return "the code of this challenge has been used already"
    if challenge.last_answer == answer:
        return None
    if timestamp(now) >= challenge.expires:
        return f"it came too late, the challenge ran out on {challenge.expires}; a new one is made within a day"
    if challenge.attempts >= MAX_ATTEMPTS:
        return (
            f"{MAX_ATTEMPTS} answers to this challenge were wrong; a new one is made when the key is pasted again, or "
            f"after {challenge.expires}"
        )
    return None


def text(challenge: Challenge, code: str) -> str:
    """Write what the tenant reads when it opens the challenge."""
    return (
        f"This is a key check for the tenant {challenge.tenant}.\n\n"
        f"You can read this, so you can open what is sealed to your key\n{_key_name(challenge)}.\n"
        f"Please send this code back to prove it:\n\n    {code}\n\n"
        f"Either write the code, and nothing else, into a file named\n{challenge.fingerprint}.answer\n"
        "and put that file into the folder key-check of your SFTP account,\n"
        "or tell it to the operator who asked you for the key.\n\n"
        f"The code is good until {challenge.expires} and can be used once. Your recordings are sealed to this key\n"
        "when the code has come back, and not before.\n"
    )


def _key_name(challenge: Challenge) -> str:
    if challenge.primary in (None, challenge.fingerprint):
        return challenge.fingerprint
    return f"{challenge.primary}, by its subkey\n{challenge.fingerprint}"


def _hash(code: str, salt: str) -> str:
    return pbkdf2_hmac("sha256", code.encode(), bytes.fromhex(salt), HASH_ROUNDS).hex()
