"""X.509 certificates that tenants send, good and bad, made by the real openssl."""

from __future__ import annotations

import base64
import tempfile
from functools import cache, partial
from pathlib import Path

from callseal.core.errors import Reason
from tests.support.issuing import issue
from tests.support.keys import X509Tenant, openpgp_tenant, run, tool, x509_tenant
from tests.support.odd_certificates import refused, usable
from tests.unit.crypto.verdicts import armour
from tests.vectors.case import Case

STRENGTH = (
    "openssl takes any curve that it knows. Callseal seals to P-256, P-384 and P-521, which every reader of its files "
    "knows (the profile of RFC 5753 with the KDFs of its section 7.1.4)."
)
USAGE = (
    "`openssl cms -encrypt` does not look at keyUsage. A tenant whose certificate forbids it may be unable to open the "
    "file with what keeps its key (cards and key stores hold to it)."
)
FIRST = "openssl takes the first certificate of a file and ignores the rest. Callseal judges the whole text."
PRIVATE = (
    "openssl takes the certificate and ignores the private key beside it. For Callseal, a private key that was "
    "sent is compromised."
)
TEXT = "openssl reads DER too. A secret is text, and pasting into a console changes binary data."
TRUSTED = "Only openssl reads this form. Ask for the plain certificate."
READ = "openssl 3 does not read these line ends. Their meaning is unambiguous."
EXPIRED_SECOND = "openssl takes only the first certificate, which is good. The second has expired."
CRITICAL = (
    "openssl encrypts to it. An unknown critical extension matters to software that trusts a certificate by its "
    "chain. The operator trusts this one by its fingerprint."
)
DATE = "openssl encrypts to it, and requires dates in the form of RFC 5280. The meaning is unambiguous."
UNCLEAR = (
    "openssl does not look at keyUsage, which may keep the tenant's own software from opening the file. So it "
    "must be unambiguous."
)
EXPONENT = "openssl encrypts to it, and the content-encryption key is readable without any key."
ODDITIES = {
    "an x400Address": "",
    "subjectAltName twice": "",
    "an IP address of 3 octets": "",
    "an unknown critical extension": CRITICAL,
    "a subjectKeyIdentifier of garbage": "",
    "names in T61String": "",
    "empty subject": "",
    "a negative serial number": "",
    "a serial number of 40 octets": "",
    "an end with a fraction": DATE,
    "an end without seconds": DATE,
    "without a defined end (9999)": "",
    "version 1 with extensions": "",
    "signed by an unknown algorithm": "",
}
UNREADABLE = {
    "keyUsage twice": UNCLEAR,
    "keyUsage of garbage": UNCLEAR,
    "31 February": "",
    "an issuer that is no UTF-8": "",
}


def openssl(*arguments: str | Path, data: bytes | None = None) -> bytes:
    return run(tool("openssl"), *arguments, data=data)


@cache
def folder() -> Path:
    """Return a folder of this process, which is removed with the others that tests.support.keys makes."""
    return x509_tenant("p256", "folder").certificate.parent


@cache
def made(*request: str) -> str:
    """Make a certificate with any arguments of `openssl req`."""
    base = Path(tempfile.mkdtemp(dir=folder()))
    openssl("req", "-x509", "-nodes", "-subj", "/CN=odd", "-days", "30", *request,
            "-keyout", base / "key", "-out", base / "crt")  # fmt: skip
    return (base / "crt").read_text()


def of(algorithm: str, *extra: str, name: str = "tenant") -> X509Tenant:
    return x509_tenant(algorithm, name, *extra)


def text_of(algorithm: str, *extra: str, name: str = "tenant") -> str:
    return of(algorithm, *extra, name=name).public_text


def curve(name: str) -> str:
    return made("-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{name}")


def usage(algorithm: str, allowed: str) -> str:
    return text_of(algorithm, "-addext", f"keyUsage=critical,{allowed}")


@cache
def dated(first: str, last: str) -> str:
    """Make a certificate with other dates, which only `openssl ca` can do."""
    base, tenant = Path(tempfile.mkdtemp(dir=folder())), of("rsa2048")
    (base / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=d\n[d]\ndatabase={base}/index\nnew_certs_dir={base}\nserial={base}/serial\n"
        "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
    )
    (base / "index").touch()
    (base / "serial").write_text("01\n")
    openssl("req", "-new", "-key", tenant.private_key, "-subj", "/CN=dated", "-out", base / "csr")
    openssl("ca", "-batch", "-config", base / "ca.cnf", "-selfsign", "-keyfile", tenant.private_key, "-in",
            base / "csr", "-startdate", first, "-enddate", last, "-notext", "-out", base / "crt")  # fmt: skip
    return (base / "crt").read_text()


@cache
def certified(algorithm: str) -> str:
    """Certify a key that cannot sign its own certificate, or issue a certificate of version 1."""
    ca, base = of("p256", name="authority"), Path(tempfile.mkdtemp(dir=folder()))
    if algorithm == "v1":
        request = openssl("req", "-new", "-key", of("rsa2048").private_key, "-subj", "/CN=leaf")
        public: list[str | Path] = []
    else:
        openssl("genpkey", "-algorithm", algorithm, "-out", base / "key")
        openssl("pkey", "-in", base / "key", "-pubout", "-out", base / "pub")
        request = openssl("req", "-new", "-key", ca.private_key, "-subj", "/CN=leaf")
        public = ["-force_pubkey", base / "pub"]
    openssl("x509", "-req", *public, "-CA", ca.certificate, "-CAkey", ca.private_key, "-set_serial", "7", "-days", "9",
            "-out", base / "crt", data=request)  # fmt: skip
    return (base / "crt").read_text()


def odd(name: str) -> str:
    """Return a certificate that breaks the standard in one place, as PEM."""
    data = usable().get(name) or refused()[name][0]
    return armour("CERTIFICATE", data).replace("\n\n", "\n")


@cache
def issued(name: str = "leaf") -> str:
    """Issue a certificate from a self-signed one, as `openssl req -x509` makes it."""
    return issue(of("p256", name="issuer"), of("rsa2048", name=name), name=name).public_text


def issuer(algorithm: str = "p256") -> str:
    return text_of(algorithm, name="issuer")


def dsa() -> str:
    parameters = folder() / "dsa.pem"
    openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:2048", "-out", parameters)
    return made("-newkey", f"dsa:{parameters}")


def shown(*arguments: str) -> bytes:
    """Return the usual certificate as openssl shows it in another form."""
    return openssl("x509", "-in", of("rsa2048").certificate, *arguments)


def store() -> bytes:
    tenant = of("rsa2048")
    return openssl("pkcs12", "-export", "-in", tenant.certificate, "-inkey", tenant.private_key, "-passout", "pass:x")


def bag() -> bytes:
    return openssl("pkcs12", "-nokeys", "-passin", "pass:x", data=store())


def private(*arguments: str, algorithm: str = "rsa2048") -> str:
    """Return the private key in another form."""
    return openssl(*arguments, "-in", of(algorithm).private_key).decode()


def beside(key: str, algorithm: str = "rsa2048") -> str:
    return text_of(algorithm) + key


def openssh() -> str:
    body = base64.encodebytes(b"openssh-key-v1\0" + bytes(300)).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}-----END OPENSSH PRIVATE KEY-----\n"


def spoilt() -> str:
    """Change one letter in the middle."""
    lines = text_of("rsa2048").splitlines(keepends=True)
    return "".join([*lines[:3], "*" + lines[3][1:], *lines[4:]])


def cut(text: str) -> str:
    """Cut a text in the middle of a line, so that the text after it does not begin a new line."""
    lines = text.splitlines(keepends=True)
    return "".join(lines[: len(lines) // 2]) + lines[len(lines) // 2][:20]


CASES = [
    Case("RSA 2048", lambda: text_of("rsa2048")),
    Case("RSA 3072", lambda: text_of("rsa3072")),
    Case("RSA 4096", lambda: text_of("rsa4096")),
    Case("EC P-256", lambda: text_of("p256")),
    Case("EC P-384", lambda: text_of("p384")),
    Case("EC P-521", lambda: text_of("p521")),
    Case("RSA, keyUsage keyEncipherment", lambda: usage("rsa2048", "digitalSignature,keyEncipherment")),
    Case("EC, keyUsage keyAgreement", lambda: usage("p256", "digitalSignature,keyAgreement")),
    Case("version 1, issued by an authority", lambda: certified("v1")),
    Case("RSA and EC in one file", lambda: text_of("rsa2048") + text_of("p256")),
    Case("the same certificate twice", lambda: text_of("rsa2048") * 2),
    Case("CRLF line ends", lambda: text_of("rsa2048").replace("\n", "\r\n")),
    Case("CR line ends (old Macs)", lambda: text_of("rsa2048").replace("\n", "\r"), difference=READ),
    Case("in the middle of a letter", lambda: f"Dear all,\nhere it is -- ours:\n\n{text_of('rsa2048')}\nYours, Bob\n"),
    Case("with bag attributes (`openssl pkcs12 -nokeys`)", bag),
    Case("with its text (`openssl x509 -text`)", lambda: shown("-text")),
    Case("with a UTF-8 byte order mark", lambda: "\ufeff" + text_of("rsa2048")),
    Case("its chain behind it: the issuer, made by `openssl req -x509`", lambda: issued() + issuer()),
    Case("its chain before it", lambda: issuer() + issued()),
    Case("two of one issuer, with the issuer", lambda: issued() + issued("second") + issuer()),
    Case("an authority's, self-signed, alone", issuer),
    *(Case(f"odd: {name}", partial(odd, name), difference=difference) for name, difference in ODDITIES.items()),
    Case("RSA 1024", lambda: text_of("rsa1024"), Reason.KEY_TOO_WEAK),
    Case("EC P-224", lambda: curve("P-224"), Reason.KEY_TOO_WEAK, STRENGTH),
    Case("EC secp256k1", lambda: curve("secp256k1"), Reason.KEY_TOO_WEAK, STRENGTH),
    Case("EC brainpoolP256r1", lambda: curve("brainpoolP256r1"), Reason.KEY_TOO_WEAK, STRENGTH),
    Case("EC brainpoolP512r1", lambda: curve("brainpoolP512r1"), Reason.KEY_TOO_WEAK, STRENGTH),
    Case("X25519", lambda: certified("X25519"), Reason.KEY_TOO_WEAK),
    Case("Ed25519", lambda: made("-newkey", "ed25519"), Reason.KEY_NOT_FOR_ENCRYPTION),
    Case("RSASSA-PSS", lambda: made("-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"),
         Reason.KEY_NOT_FOR_ENCRYPTION),
    Case("DSA", dsa, Reason.KEY_NOT_FOR_ENCRYPTION),
    Case("RSA, keyUsage digitalSignature", lambda: usage("rsa2048", "digitalSignature"),
         Reason.KEY_NOT_FOR_ENCRYPTION, USAGE),
    Case("EC, keyUsage keyEncipherment", lambda: usage("p256", "keyEncipherment"),
         Reason.KEY_NOT_FOR_ENCRYPTION, USAGE),
    Case("an authority's (keyCertSign, cRLSign)", lambda: usage("rsa2048", "keyCertSign,cRLSign"),
         Reason.KEY_NOT_FOR_ENCRYPTION, USAGE),
    Case("the chain: its own and the authority's", lambda: text_of("rsa2048") + usage("rsa2048", "keyCertSign,cRLSign"),
         Reason.KEY_NOT_FOR_ENCRYPTION, FIRST),
    Case("its issuer with another key", lambda: issued() + issuer("rsa2048"), Reason.KEY_NOT_FOR_ENCRYPTION, FIRST),
    Case("odd: an RSA exponent of 1", partial(odd, "an RSA exponent of 1"), Reason.KEY_NOT_FOR_ENCRYPTION, EXPONENT),
    *(Case(f"odd: {name}", partial(odd, name), Reason.KEY_UNREADABLE, difference)
      for name, difference in UNREADABLE.items()),
    Case("expired", lambda: dated("20200101000000Z", "20210101000000Z"), Reason.KEY_EXPIRED),
    Case("a good one and an expired one", lambda: text_of("rsa2048") + dated("20200101000000Z", "20210101000000Z"),
         Reason.KEY_EXPIRED, EXPIRED_SECOND),
    Case("not yet valid", lambda: dated("20400101000000Z", "20410101000000Z"), Reason.KEY_NOT_YET_VALID),
    Case("a weak one that has expired", lambda: text_of("rsa1024") + dated("20200101000000Z", "20210101000000Z"),
         Reason.KEY_TOO_WEAK),
    Case("cut off in the middle", lambda: cut(text_of("rsa2048")), Reason.KEY_UNREADABLE),
    Case("a good one and one cut off", lambda: text_of("rsa2048") + cut(text_of("rsa2048")),
         Reason.KEY_UNREADABLE, FIRST),
    Case("one letter wrong", spoilt, Reason.KEY_UNREADABLE),
    Case("17 certificates", lambda: text_of("rsa2048") * 17, Reason.KEY_UNREADABLE, FIRST),
    Case("a bare public key", lambda: private("pkey", "-pubout"), Reason.KEY_UNREADABLE),
    Case("a bare RSA public key (PKCS#1)", lambda: private("rsa", "-RSAPublicKey_out"), Reason.KEY_UNREADABLE),
    Case("a certificate request", lambda: openssl("req", "-new", "-subj", "/CN=x", "-key", of("rsa2048").private_key),
         Reason.KEY_UNREADABLE),
    Case("DER, not PEM", lambda: shown("-outform", "DER"), Reason.KEY_UNREADABLE, TEXT),
    Case("a PKCS#12 file", store, Reason.KEY_UNREADABLE),
    Case("PKCS#7", lambda: openssl("crl2pkcs7", "-nocrl", "-certfile", of("rsa2048").certificate),
         Reason.KEY_UNREADABLE),
    Case("a trusted certificate (`-trustout`)", lambda: shown("-trustout"), Reason.KEY_UNREADABLE, TRUSTED),
    Case("an SSH public key", lambda: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq bob@host\n", Reason.KEY_UNREADABLE),
    Case("a letter without a key", lambda: "The key comes next week.\n", Reason.KEY_UNREADABLE),
    Case("the private key alone", lambda: private("pkey"), Reason.KEY_IS_PRIVATE),
    Case("the private key beside it, PKCS#8", lambda: beside(private("pkey")), Reason.KEY_IS_PRIVATE, PRIVATE),
    Case("the private key beside it, PKCS#8, encrypted",
         lambda: beside(private("pkcs8", "-topk8", "-passout", "pass:x")), Reason.KEY_IS_PRIVATE, PRIVATE),
    Case("the private key beside it, PKCS#1", lambda: beside(private("rsa", "-traditional")),
         Reason.KEY_IS_PRIVATE, PRIVATE),
    Case("the private key beside it, PKCS#1, encrypted",
         lambda: beside(private("rsa", "-traditional", "-aes256", "-passout", "pass:x")),
         Reason.KEY_IS_PRIVATE, PRIVATE),
    Case("the private key beside it, EC", lambda: beside(private("ec", algorithm="p256"), "p256"),
         Reason.KEY_IS_PRIVATE, PRIVATE),
    Case("the private key beside it, OpenSSH", lambda: beside(openssh()), Reason.KEY_IS_PRIVATE, PRIVATE),
    Case("the private key before it, cut off", lambda: cut(private("pkey")) + text_of("rsa2048"),
         Reason.KEY_IS_PRIVATE),
    Case("with an OpenPGP key", lambda: text_of("rsa2048") + openpgp_tenant("cv25519").public_text,
         Reason.KEY_UNREADABLE, "openssl skips the OpenPGP key. A file is sealed to one family."),
]  # fmt: skip
