"""Certificates that are signed by another certificate's key, made by the real openssl."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from tests.support.keys import X509Tenant, run, tool, x509_tenant


@cache
def folder() -> Path:
    """Return a folder of this process, which is removed with the others that tests.support.keys makes."""
    return x509_tenant("p256", "folder").certificate.parent


def issue(
    issuer: X509Tenant,
    key: X509Tenant | None = None,
    *extensions: str,
    name: str = "leaf",
    options: tuple[str, ...] = (),
    days: str = "9",
) -> X509Tenant:
    """Sign a certificate with another certificate's key. It has version 1 unless there are extensions."""
    base, key = Path(tempfile.mkdtemp(dir=folder())), key or x509_tenant("p256", f"key of {name}")
    (base / "ext").write_text("\n".join(extensions))
    request = run(tool("openssl"), "req", "-new", "-key", key.private_key, "-subj", f"/CN={name}")
    file = ("-extfile", base / "ext") if extensions else ()
    run(tool("openssl"), "x509", "-req", "-CA", issuer.certificate, "-CAkey", issuer.private_key, "-CAcreateserial",
        "-days", days, *file, *options, "-out", base / "crt", data=request)  # fmt: skip
    return X509Tenant(base / "crt", key.private_key)
