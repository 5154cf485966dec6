"""Bouncy Castle also opens files that are sealed to certificates which break the standard."""

from __future__ import annotations

from pathlib import Path

from tests.interop.java import bouncy_castle
from tests.support.keys import run, tool
from tests.support.odd_certificates import key_file, usable
from tests.unit.crypto.test_odd_certificates import sealed_to
from tests.unit.crypto.verdicts import armour

# Bouncy Castle does not load these. Its reader uses issuer and serial number instead, and openssl opens them.
NOT_LOADED = {
    "version 1 with extensions": "version 1 certificate contains extra data",
    "version 2 with extensions": "version 2 certificate cannot contain extensions",
    "subjectAltName twice": "repeated extension found",
}


def test_bouncy_castle_opens_files_sealed_to_an_odd_certificate(tmp_path: Path) -> None:
    key = tmp_path / "key.der"
    run(tool("openssl"), "pkcs8", "-topk8", "-nocrypt", "-in", key_file(), "-outform", "DER", "-out", key)
    jobs = []
    for number, encoded in enumerate(usable().values()):
        certificate, sealed = tmp_path / f"{number}.der", tmp_path / f"{number}.p7m"
        certificate.write_bytes(encoded)
        sealed.write_bytes(sealed_to(armour("CERTIFICATE", encoded)))
        jobs.append(("memory", key, certificate, sealed))

    opened = dict(zip(usable(), bouncy_castle.open_many(jobs), strict=True))

    for name, (data, said) in opened.items():
        if name in NOT_LOADED:
            assert data is None
            assert NOT_LOADED[name] in said
        else:
            assert (name, data, said) == (name, b"said", "")
