"""Chains in one text: issuers of other certificates are left out, and a genuine recipient is never left out."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import permutations
from pathlib import Path

import pytest

from callseal.core.errors import Reason
from callseal.core.recipient import left_out_note
from callseal.crypto.envelopes import cms
from callseal.crypto.recipients import CmsRecipients
from callseal.crypto.recipients.certificate import parse
from tests.support.issuing import folder, issue
from tests.support.keys import X509Tenant, run, tool, x509_tenant
from tests.unit.crypto.verdicts import armour, assert_held, dearmour, verdict
from tests.vectors.cases import CASES, NOW

PLAIN = ("-addext", "basicConstraints=CA:FALSE")


def openssl(*arguments: str | Path, data: bytes | None = None) -> bytes:
    return run(tool("openssl"), *arguments, data=data)


def fingerprint(tenant: X509Tenant) -> str:
    return parse(dearmour(tenant.public_text)).fingerprint


def sides(*tenants: X509Tenant) -> tuple[list[str], list[str]]:
    """Judge a text of several certificates. Return the recipients, and the certificates left out."""
    recipients = verdict("".join(tenant.public_text for tenant in tenants))
    assert isinstance(recipients, CmsRecipients)
    return [one.fingerprint for one in recipients.members], [one.fingerprint for one in recipients.left_out]


def names(*tenants: X509Tenant) -> list[str]:
    return [fingerprint(tenant) for tenant in tenants]


@pytest.mark.parametrize("algorithm", ["rsa2048", "rsa1024", "p256", "p384", "p521"])
@pytest.mark.parametrize(
    "extensions",
    [(), PLAIN, ("-addext", "keyUsage=keyEncipherment,keyAgreement"), ("-addext", "keyUsage=critical,keyCertSign")],
    ids=["as openssl makes it", "cA FALSE", "for encryption", "for signing alone"],
)
def test_issuer_is_left_out_regardless_of_its_extensions(algorithm: str, extensions: tuple[str, ...]) -> None:
    ca = x509_tenant(algorithm, "ca", *extensions)
    leaf = issue(ca)
    assert sides(leaf, ca) == sides(ca, leaf) == (names(leaf), names(ca))


@pytest.mark.parametrize(
    "options",
    [
        ("-md5",), ("-sha1",), ("-sha224",), ("-sha384",), ("-sha512",), ("-sha3-256",),
        *((digest, "-sigopt", "rsa_padding_mode:pss") for digest in ("-sha1", "-sha256", "-sha512")),
    ],
)  # fmt: skip
def test_issuer_is_recognised_by_any_signature_algorithm(options: tuple[str, ...]) -> None:
    ca = x509_tenant("rsa2048", "ca")
    leaf = issue(ca, options=options)
    assert sides(leaf, ca) == (names(leaf), names(ca))


@pytest.mark.parametrize("algorithm", ["ed25519", "ed448", "dsa"])
def test_an_issuer_that_only_signs_is_left_out(algorithm: str) -> None:
    base = Path(tempfile.mkdtemp(dir=folder()))
    kind = algorithm
    if algorithm == "dsa":
        openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024", "-out", base / "dsa")
        kind = f"dsa:{base / 'dsa'}"
    openssl("req", "-x509", "-nodes", "-newkey", kind, "-subj", "/CN=ca", "-keyout", base / "key", "-out", base / "crt")
    ca = X509Tenant(base / "crt", base / "key")
    leaf = issue(ca)
    assert sides(ca, leaf) == (names(leaf), names(ca))


def test_recording_is_not_sealed_to_an_issuer_without_key_usage() -> None:
    case = CASES / "chain-ca-without-keyusage"
    recipients = verdict((case / "a_chain_leaf_ca_nokeyusage.pem").read_text(), NOW)
    assert isinstance(recipients, CmsRecipients)
    written = bytearray()
    cms.seal(BytesIO(b"said"), 4, recipients.members, "authenveloped-gcm", written.extend)

    assert X509Tenant(case / "leaf.crt", case / "leaf.key").open(bytes(written)) == b"said"
    with pytest.raises(AssertionError, match="ended with 4"):
        X509Tenant(case / "ca.crt", case / "ca.key").open(bytes(written))


def test_whole_chain_in_any_order_leaves_only_the_leaves() -> None:
    root = x509_tenant("p256", "root")
    middle = issue(root, None, "basicConstraints=CA:TRUE", name="middle")
    one, other = issue(middle, name="one"), issue(middle, name="other")
    for order in permutations((root, middle, one, other)):
        kept, left = sides(*order, one, root)
        assert (set(kept), set(left)) == (set(names(one, other)), set(names(root, middle)))


def test_chain_with_a_missing_link_is_judged_by_its_certificates() -> None:
    # The root issued no certificate of this text: it is unrelated, and is refused by its own keyUsage, or kept.
    root = x509_tenant("p256", "root", "-addext", "keyUsage=keyCertSign")
    leaf = issue(issue(root, None, "basicConstraints=CA:TRUE", name="middle"), name="leaf")
    assert_held(leaf.public_text + root.public_text, Reason.KEY_NOT_FOR_ENCRYPTION, fingerprint(root))


def test_a_cross_signed_root_is_left_out_in_both_forms() -> None:
    root, other = x509_tenant("p256", "root"), x509_tenant("p256", "other root")
    crossed, leaf = issue(other, root, name="root"), issue(root)
    assert sides(leaf, root, crossed) == (names(leaf), names(root, crossed))
    assert sides(leaf, root, crossed, other) == (names(leaf), names(root, crossed, other))


def test_authorities_that_certified_each_other_are_never_recipients() -> None:
    one, other = x509_tenant("p256", "one"), x509_tenant("p256", "other")
    crossed = [issue(other, one, name="one"), issue(one, other, name="other")]
    leaf = issue(one)
    assert sides(*crossed, leaf) == (names(leaf), names(*crossed))
    text = "".join(each.public_text for each in crossed)
    assert_held(text, Reason.KEY_NOT_FOR_ENCRYPTION, "Each certificate of the tenant's key issued another one")


def test_a_lone_authority_stays_a_recipient() -> None:
    ca = x509_tenant("p256", "ca", "-addext", "basicConstraints=critical,CA:TRUE")
    assert sides(ca) == sides(ca, ca) == (names(ca), [])
    assert sides(ca, x509_tenant("p256", "another")) == (names(ca, x509_tenant("p256", "another")), [])


def test_renewed_certificate_of_the_same_key_is_no_chain() -> None:
    old = x509_tenant("p256", "renewed")
    base = Path(tempfile.mkdtemp(dir=folder()))
    openssl("req", "-x509", "-key", old.private_key, "-subj", "/CN=renewed", "-days", "99", "-out", base / "crt")
    new = X509Tenant(base / "crt", old.private_key)
    assert sides(old, new) == (names(old, new), [])


def test_certificates_of_one_name_with_different_keys_are_no_chain() -> None:
    one, other = x509_tenant("p256", "namesake"), x509_tenant("rsa2048", "namesake")
    assert sides(one, other) == (names(one, other), [])
    # An authority and leaves with the same name; the leaves are of version 1.
    first = issue(one, name="namesake")
    second = issue(one, x509_tenant("p256", "second"), name="namesake")
    assert sides(one, first, second) == (names(first, second), names(one))


def test_fault_of_an_issuer_does_not_hold_files() -> None:
    weak = x509_tenant("rsa1024", "old ca", "-days", "1")
    leaf = issue(weak)
    recipients = verdict(leaf.public_text + weak.public_text, datetime.now(UTC) + timedelta(days=2))
    assert [one.fingerprint for one in recipients.members] == names(leaf)


def test_issuer_does_not_count_as_a_recipient() -> None:
    ca = x509_tenant("p256", "ca")
    leaf = issue(ca, days="-1")
    assert_held(leaf.public_text + ca.public_text, Reason.KEY_EXPIRED, fingerprint(leaf))


def test_an_authority_whose_key_was_renewed_is_never_sealed_to() -> None:
    ca, renewed = x509_tenant("p256", "ca"), x509_tenant("rsa2048", "ca")
    leaf = issue(ca)
    words = (f"{fingerprint(leaf)} names certificate {fingerprint(renewed)} as its issuer", "without the chain")
    assert_held(leaf.public_text + renewed.public_text, Reason.KEY_NOT_FOR_ENCRYPTION, *words)
    assert_held(leaf.public_text + renewed.public_text + ca.public_text, Reason.KEY_NOT_FOR_ENCRYPTION, *words)
    middle = issue(renewed, None, "basicConstraints=CA:TRUE", name="ca")
    assert_held(leaf.public_text + ca.public_text + middle.public_text, Reason.KEY_NOT_FOR_ENCRYPTION, "as its issuer")


@pytest.mark.parametrize("name", ["CA", "  ca "])
def test_issuer_is_recognised_by_another_spelling_of_its_name(name: str) -> None:
    ca, renewed = x509_tenant("p256", "ca"), x509_tenant("rsa2048", name)
    assert_held(issue(ca).public_text + renewed.public_text, Reason.KEY_NOT_FOR_ENCRYPTION, "as its issuer")


def test_signature_that_cannot_be_checked_neither_proves_nor_clears_an_issuer() -> None:
    # given: the leaf claims to be signed by an unknown algorithm
    ca = x509_tenant("p256", "ca")
    leaf = dearmour(issue(ca).public_text)
    ecdsa, unknown = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d04037f")
    assert leaf.count(ecdsa) == 2
    text = armour("CERTIFICATE", leaf.replace(ecdsa, unknown))
    assert_held(text + ca.public_text, Reason.KEY_NOT_FOR_ENCRYPTION, "cannot be verified with that key")


def test_certificate_of_a_stranger_never_removes_the_tenants_own() -> None:
    # The stranger names the tenant as its issuer, with a matching key identifier, and signs the certificate itself.
    tenant, stranger = (
        x509_tenant("rsa2048", "tenant"),
        x509_tenant("rsa2048", "tenant", "-addext", "keyUsage=keyEncipherment"),
    )
    forged = issue(stranger, None, "authorityKeyIdentifier=keyid", name="forged")
    assert_held(tenant.public_text + forged.public_text, Reason.KEY_NOT_FOR_ENCRYPTION, "as its issuer")
    # and with a genuine signature of the tenant, over other data
    taken = parse(dearmour(tenant.public_text)).signature
    copied = dearmour(forged.public_text).replace(parse(dearmour(forged.public_text)).signature, taken)
    assert_held(tenant.public_text + armour("CERTIFICATE", copied), Reason.KEY_NOT_FOR_ENCRYPTION, "as its issuer")


def test_damaged_certificate_beside_a_chain_is_reported_first() -> None:
    renewed, leaf = x509_tenant("rsa2048", "ca"), issue(x509_tenant("p256", "ca"))
    damaged = armour("CERTIFICATE", b"\x30\x03\x02\x01\x01")
    assert_held(leaf.public_text + renewed.public_text + damaged, Reason.KEY_UNREADABLE, "certificate 3 is damaged")


def test_certificates_left_out_are_reported() -> None:
    ca = x509_tenant("p256", "ca")
    recipients = verdict(issue(ca).public_text + ca.public_text)
    assert left_out_note(recipients).endswith(f"issued another certificate of this key (its chain): {fingerprint(ca)}.")
    assert left_out_note(verdict(ca.public_text)) == ""
    assert isinstance(recipients, CmsRecipients)
    (left,) = recipients.left_out
    assert (left.kind, left.algorithm, left.strength) == ("x509", "EC P-256", 256)
