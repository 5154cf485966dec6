"""Landing keys crafted to reach another tenant's area, or a command line."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.security.abuse.outside import assert_delivered, assert_held, hand_over
from tests.support.families import FAMILIES
from tests.support.stack import Stack

# Names with a meaning to a shell, a program, a URL, a file system or a terminal. For S3 they are only names.
STRANGE = [
    "--output.wav",
    "-o/tmp/x.wav",
    "--homedir=x/--batch.xml",
    "-.wav",
    "@response-file.wav",
    "$(id).wav",
    "`id`;id|id&id.wav",
    "${jndi:ldap:x}.wav",
    "'; DROP TABLE calls; --.wav",
    "<script>alert(1)<!--.xml",
    '{"Records":[]}.wav',
    "%s%n%x{0}{tenant}.wav",
    "x.wav?versionId=null.wav",
    "x.wav#fragment.wav",
    "?uploads&tagging.wav",
    "..%2f..%2fbeta%2f1.wav",
    "%2e%2e/beta/1.wav",
    "%252e%252e%252fbeta.wav",
    "%00.wav",
    "%C0%AE%C0%AE/1.wav",  # overlong UTF-8, as text
    "a\\..\\..\\beta\\1.wav",
    "C:\\beta\\1.wav",
    "..;/beta/1.wav",
    "...../1.wav",
    "／..／beta／1.wav",  # full-width slashes
    "\u2025/\u2024\u2024/1.wav",  # two dot leader, one dot leaders
    "beta/public-key.wav",
    "nfc-\u00e9.wav",
    "nfc-e\u0301.wav",
    "\u202egpj.exe.wav",
    "\ufeffbom.wav",
    "zero\u200bwidth.wav",
    "line\u2028separator.wav",
    "+.wav",
    " .wav",
    "%2B.wav",
    "x.wav.p7m.wav",
    "x.wav.pgp.wav",
    "con.wav",
]
# Keys that could be mistaken for acme's, or for no file at all, with the documented tenant.
REFUSED = {
    "\u0430cme/1.wav": None,  # Cyrillic
    "acm\u0435/1.wav": None,
    "\u03b1cme/1.wav": None,  # Greek
    "\uff41cme/1.wav": None,
    "a\u0301cme/1.wav": None,
    "acme\u0338/1.wav": None,
    "acme\ufe0f/1.wav": None,
    "acme\u00ad/1.wav": None,
    "\u202eemca/1.wav": None,
    "\ufeffacme/1.wav": None,
    "acme\0/1.wav": None,
    "acme%2F1.wav": None,
    "acme%2f../beta/1.wav": None,
    "acme\\1.wav": None,
    "acme\u2215beta\u22151.wav": None,
    "acme\uff0f1.wav": None,
    "acme:beta/1.wav": None,
    "acme,beta/1.wav": None,
    "acme*/1.wav": None,
    "*/1.wav": None,
    "--output/1.wav": None,
    "~/1.wav": None,
    "$acme/1.wav": None,
    "acme;/1.wav": None,
    "acme/..\u002fbeta/1.wav": "acme",
    "acme/1\r\nx-amz-copy-source: landing%2Fbeta%2F1.wav": "acme",
    "acme/1.wav\0.xml": "acme",
    "acme/1.wav\n": "acme",
    "acme/\x1b]0;title\x07.wav": "acme",
    "acme/1.wav%00": "acme",
    "acme/1.w\u0430v": "acme",
    "acme/1.WA\u2160": "acme",
    "acme/1.\u24e6\u24d0\u24e5": "acme",
    "acme/1.wav.": "acme",
    "acme/1.wav::$DATA": "acme",
    "acme/1.php%00.wav/": "acme",
}


@pytest.mark.parametrize("name", ["acme", "beta"])
def test_strange_names_stay_with_their_tenant(cloud: Stack, encrypt_recording: ModuleType, name: str) -> None:
    """Whatever the names contain, files are sealed to their own tenant's key, under their own names, byte for byte."""
    owners = {"acme": FAMILIES["x509"].make("acme"), "beta": FAMILIES["openpgp"].make("beta")}
    for tenant, owner in owners.items():
        cloud.tenant(tenant, owner.public_text)
    contents = {f"{name}/{strange}": f"said at {number} to {name}".encode() for number, strange in enumerate(STRANGE)}

    assert hand_over(encrypt_recording, *(cloud.land(key, data) for key, data in contents.items())) == []

    assert_delivered(cloud, contents, owners)


def test_look_alikes_of_tenant_names_are_held(cloud: Stack, encrypt_recording: ModuleType) -> None:
    for tenant in ("acme", "beta"):
        cloud.tenant(tenant, None, {"encrypt": False})
    contents = {key: f"said {number}".encode() for number, key in enumerate(REFUSED)}

    assert hand_over(encrypt_recording, *(cloud.land(key, data) for key, data in contents.items())) == []

    details = assert_held(cloud, contents, "UnsupportedFile")
    assert {detail["source"]["key"]: detail["tenant"] for detail in details} == REFUSED
