"""Every variant that we write (profile, recipients, lengths), and the files of each row, sealed once a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from random import Random

import pytest

from callseal.crypto.envelopes import cms, openpgp
from callseal.crypto.gpg import Gpg
from callseal.crypto.recipients import CmsRecipients, OpenPgpRecipients, judge
from tests.interop import keys
from tests.interop.lab import folder, once

GCM, CBC = "authenveloped-gcm", "enveloped-cbc"
DER, BER = "definite DER", "indefinite BER"
SIZES = (0, 1, 16, 600 * 1024 + 7)


@dataclass(frozen=True)
class Row:
    """A variant. `form` is the CMS profile or `openpgp`. Each recipient alone must be able to open the file."""

    form: str
    recipients: tuple[str, ...]
    lengths: str = ""

    @property
    def name(self) -> str:
        return "_".join((self.form, *self.recipients, self.lengths.partition(" ")[2])).strip("_")

    @property
    def title(self) -> str:
        return " + ".join(keys.TITLES[name] for name in self.recipients)

    def sealed(self, size: int) -> Path:
        once(f"row-{self.name}", self._seal_all)
        return self._path(size)

    def _path(self, size: int) -> Path:
        return folder() / f"{self.name}-{size}.sealed"

    def _seal_all(self) -> None:
        for size in SIZES:
            self._path(size).write_bytes(seal(self, plain(size)))


CMS_RECIPIENTS = (
    ("rsa2048",), ("rsa3072",), ("p256",), ("p384",), ("p521",),
    ("rsa2048", "p256", "p521"), ("rsa2048", "rsa2048b"),
)  # fmt: skip
OPENPGP_RECIPIENTS = (
    ("rsa2048",), ("rsa3072",), ("rsa4096",), ("cv25519",), ("nistp256",), ("nistp384",), ("nistp521",),
    ("brainpoolP256r1",), ("elg2048",), ("rsa2048", "cv25519", "nistp384"),
)  # fmt: skip
CMS_ROWS = [Row(form, names, lengths) for form in (GCM, CBC) for names in CMS_RECIPIENTS for lengths in (DER, BER)]
OPENPGP_ROWS = [Row("openpgp", names) for names in OPENPGP_RECIPIENTS]


def plain(size: int) -> bytes:
    """Return constant plain bytes, with line ends of all kinds, which no reader may change."""
    return (b"\r\nRIFF\n\0\r\x1a" + Random(size).randbytes(size))[:size]


def seal(row: Row, data: bytes) -> bytes:
    """Seal to a row's recipients from the text that they sent, as the product does."""
    if row.form == "openpgp":
        return _seal_openpgp(row, data)
    text = "".join(keys.x509(name).certificate.read_text() for name in row.recipients)
    recipients, sealed = judge(text, datetime.now(UTC), lambda: Gpg("gpg")), bytearray()
    assert isinstance(recipients, CmsRecipients)
    with pytest.MonkeyPatch.context() as patch:
        if row.lengths == BER:
            patch.setattr(cms, "MAX_DEFINITE_LENGTH", 10)
        cms.seal(BytesIO(data), len(data), recipients.members, row.form, sealed.extend)
    assert (sealed[1] == 0x80) == (row.lengths == BER)
    return bytes(sealed)


def _seal_openpgp(row: Row, data: bytes) -> bytes:
    gpg, sealed = Gpg("gpg"), bytearray()
    text = "".join(keys.openpgp(name).public_text for name in row.recipients)
    recipients = judge(text, datetime.now(UTC), lambda: gpg)
    assert isinstance(recipients, OpenPgpRecipients)
    openpgp.seal(BytesIO(data), len(data), recipients, gpg, sealed.extend)
    return bytes(sealed)
