"""The tenants' keys, good and bad, and their readers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from simulation.faults.tenants import Tenant
from simulation.faults.tenants import tenant as make
from simulation.storm.plan import Key
from tests.support.keys import x509_tenant


def reader(tenant: str, key: Key) -> Tenant:
    """Return a tenant's good key, public and private."""
    return make(key.envelope, f"{tenant}-{key.generation}")


def text(tenant: str, key: Key) -> str:
    """Return the text that the operator stores."""
    match key.kind:
        case "expired":
            return _expired()
        case "weak":
            return x509_tenant("rsa1024", "weak").public_text
        case "private":
            pasted = make("cms", "careless")
            return pasted.public_text + pasted.private_text
        case "garbage":
            return "-----BEGIN CERTIFICATE-----\nsee attachment\n-----END CERTIFICATE-----\n"
    return reader(tenant, key).public_text


@cache
def _expired() -> str:
    key, today = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "expired")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=9))
        .not_valid_after(today - timedelta(days=1))
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()
