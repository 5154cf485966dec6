"""What readers are known not to open, and why.

Each entry is checked: the tests fail if a reader opens it, or if it refuses with other words.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.interop.matrix import Seen
from tests.interop.peers import Peer
from tests.interop.rows import BER, GCM, Row


@dataclass(frozen=True)
class Known:
    """A known failure: the readers, the place (row and the reader's own key), their words, the reason, and advice."""

    peers: tuple[str, ...]
    where: Callable[[Row, str], bool]
    says: str
    reason: str
    advice: str


def _ec(row: Row, key: str) -> bool:
    return not key.startswith("rsa")


KNOWN = [
    Known(
        ("gpgsm",),
        _ec,
        r"^import of the PKCS#12 file failed",
        "gpgsm 2.2 cannot import an EC key from PKCS#12 (2.2.40 crashes, or says this or that).",
        "Open with `openssl cms`, or send an RSA certificate.",
    ),
    Known(
        ("gpgsm",),
        lambda row, key: row.form == GCM,
        r"exit code 2: .*Buffer too short",
        "gpgsm 2.2 does not know AuthEnvelopedData (RFC 5083).",
        "Ask for the setting `cms_profile` `enveloped-cbc`, or open with `openssl cms`. GnuPG's own notes name gpgsm "
        "2.3.2 as the first that knows it; we have not tried.",
    ),
    Known(
        ("gpgsm",),
        lambda row, key: row.recipients[0] != key,
        r"exit code 2: .*failed to find the certificate.*encrypted to rsa2048 key",
        "With several RSA recipients, gpgsm 2.2 writes the right bytes for each, but ends with exit code 2 for all but "
        "the first in the file, since it does not find the certificate of the one before.",
        "Send one RSA certificate at a time, or open with `openssl cms`.",
    ),
    Known(
        ("openssl-smime",),
        lambda row, key: row.form == GCM,
        r"exit code 4: .*wrong content type",
        "`openssl smime` is PKCS #7 of 1998, which has no AuthEnvelopedData.",
        "Open with `openssl cms`, which is on the same machine and takes the same options.",
    ),
    Known(
        ("openssl-smime",),
        lambda row, key: any(_ec(row, name) for name in row.recipients),
        r"exit code 2: .*wrong tag",
        "`openssl smime` knows RSA recipients only, and stumbles over an EC recipient beside them.",
        "Open with `openssl cms`, which is on the same machine and takes the same options.",
    ),
    Known(
        ("cryptography",),
        _ec,
        r"TypeError: Only certificate with RSA public keys",
        "cryptography opens with RSA keys only.",
        "Send an RSA certificate and ask for `cms_profile` `enveloped-cbc`, or call `openssl cms`.",
    ),
    Known(
        ("cryptography",),
        lambda row, key: row.lengths == BER,
        r"ValueError: .*InvalidLength",
        "cryptography reads definite lengths only: nothing above 2 GiB.",
        "Call `openssl cms` for such files (or, above its own limit of about 2 GB, Bouncy Castle's stream parser).",
    ),
    Known(
        ("cryptography",),
        lambda row, key: row.form == GCM,
        r"ValueError: The PKCS7 data is not an EnvelopedData structure",
        "cryptography does not read AuthEnvelopedData (RFC 5083).",
        "Ask for the setting `cms_profile` `enveloped-cbc`, or call `openssl cms`.",
    ),
    Known(
        ("cryptography",),
        lambda row, key: any(_ec(row, name) for name in row.recipients),
        r"ValueError: .*UnexpectedTag",
        "cryptography stumbles over an EC recipient beside the RSA one.",
        "Send RSA certificates only, or call `openssl cms`.",
    ),
    Known(
        ("bc-stream",),
        lambda row, key: row.form == GCM,
        r"^no .*(mac check in GCM failed|data too short)",
        "Bouncy Castle 1.72 has a stream parser for EnvelopedData only, which misses the tag of AuthEnvelopedData.",
        "Open in memory (`CMSAuthEnvelopedData`; for EC keys by the adapter in `tests/interop/java/OpenCms.java`), or "
        "ask for `cms_profile` `enveloped-cbc` where files are too large for that.",
    ),
    Known(
        ("sq", "pysequoia"),
        lambda row, key: key in ("brainpoolP256r1", "elg2048"),
        r"No key to decrypt message|No suitable decryption subkey",
        "Sequoia as built here (its backend) has neither brainpool curves nor ElGamal.",
        "Open with `gpg` or `rnp`, or add a subkey for encryption on Curve25519 or RSA.",
    ),
]  # fmt: skip

# The versions to which this table and docs/interoperability.md apply.
VERSIONS = {
    "openssl-cms": "3.0", "gpgsm": "2.2", "bc-memory": "1.72", "bc-stream": "1.72", "openssl-smime": "3.0",
    "cryptography": "50.0", "asn1crypto": "1.5", "gpg": "2.2", "sq": "0.27", "rnp": "0.16", "pysequoia": "0.1",
}  # fmt: skip


def known(row: Row, peer: Peer, key: str) -> Known | None:
    """Return the first entry that matches a reader's key in a cell."""
    return next((one for one in KNOWN if peer.name in one.peers and one.where(row, key)), None)


def problem(row: Row, peer: Peer, one: Seen) -> str | None:
    """Compare a result with the table. Return the difference, or None."""
    entry, what = known(row, peer, one.key), f"{peer.name} with {one.key}, {one.size} bytes"
    if one.verdict == "WRONG":
        return f"{what}: gave other bytes, and said that all is well"
    if one.verdict == "opened":
        return f"{what}: opens what known.py says it cannot: {entry.reason}" if entry else None
    if not entry:
        return f"{what}: {one.said}"
    if not re.search(entry.says, one.said, re.DOTALL):
        return f"{what}: refuses, but not because {entry.reason} It says: {one.said}"
    return None


def skip_other_version(peer: Peer, what: str) -> None:
    """Skip the test outside CI if the machine's reader has another version than the table's."""
    if peer.version() != VERSIONS[peer.name] and not os.environ.get("CI"):
        pytest.skip(f"{peer.name} is {peer.version()} here, and known.py is about {VERSIONS[peer.name]}: {what}")
