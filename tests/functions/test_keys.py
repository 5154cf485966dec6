"""Landing keys of every kind: delivered under the same key, or held as documented."""

from types import ModuleType

import pytest

from tests.support.families import FAMILIES
from tests.support.keys import x509_tenant
from tests.support.stack import ARCHIVE, LANDING, SFTP, Stack, failures, sqs_event

# 63 characters, S3's longest tenant.
LONGEST_TENANT = "a" + "b-9" * 20 + "zz"


def key_of(length: int, filler: str = "k") -> str:
    """Return a key of that many bytes, in folders of 200 bytes: no segment may have more than 255."""
    head, tail, size = "acme/", ".wav", len(filler.encode())
    folders, rest = divmod(length - len(head) - len(tail), 201)
    return head + (filler * (200 // size) + "/") * folders + filler * (rest // size) + "x" * (rest % size) + tail


DELIVERED = [
    "acme/1.wav",
    "acme/space plus+and æ.wav",
    "acme/ leading and trailing .wav",
    "acme/100%25 and %2F and %.mp3",
    "acme/a+b=c&d;e?f#g,h:i@j$k!l~.wav",
    'acme/it\'s "quoted" <xml> `tick` {brace} [bracket] ^caret |pipe \\back.xml',
    "acme/Ångström/日本語/Ü.wav",
    "acme/é in two characters e\u0301.wav",
    "acme/📞 call 🇸🇪.mp3",
    "acme/مرحبا/שלום.xml",
    "acme/UPPER.WAV",
    "acme/Mixed.Mp3",
    "acme/a.b.c.tar.gz.wav",
    "acme/already.wav.pgp.wav",
    "acme/..wav",
    "acme/...hidden/.x.wav",
    "acme/deep/" + "/".join(str(number) for number in range(200)) + "/1.wav",
    "acme/2026/11/23/4711_1.xml",
    "a1/short tenant.wav",
    f"{LONGEST_TENANT}/1.wav",
    "0-9/digits first.wav",
    key_of(1000),
    key_of(1020),
    key_of(1020, "æ"),
    key_of(1020, "📞"),
]
# The key, and the tenant that the audit event names.
UNSUPPORTED = [
    (f"acme/{'k' * 252}.wav", "acme"),
    (key_of(1021), "acme"),
    (key_of(1024), "acme"),
    (key_of(1021, "æ"), "acme"),
    ("acme/call.flac", "acme"),
    ("acme/call", "acme"),
    ("acme/call.wav.exe", "acme"),
    ("acme/wav", "acme"),
    ("acme/.wav", "acme"),
    ("acme/call.wav ", "acme"),
    ("acme/call.wаv", "acme"),  # a Cyrillic letter
    ("acme/folder.wav/", "acme"),
    ("acme/", "acme"),
    ("acme//1.wav", "acme"),
    ("acme/a//1.wav", "acme"),
    ("acme/../beta/1.wav", "acme"),
    ("acme/a/../1.wav", "acme"),
    ("acme/..", "acme"),
    ("acme/./1.wav", "acme"),
    ("acme/tab\t.wav", "acme"),
    ("acme/line\nbreak.wav", "acme"),
    ("acme/del\x7f.wav", "acme"),
    ("acme/c1\x85.wav", "acme"),
    ("/acme/1.wav", None),
    ("//1.wav", None),
    ("/", None),
    ("1.wav", None),
    ("acme", None),
    ("Acme/1.wav", None),
    ("ACME/1.wav", None),
    ("-acme/1.wav", None),
    ("a/1.wav", None),
    (f"{LONGEST_TENANT}x/1.wav", None),
    ("ac me/1.wav", None),
    ("acme /1.wav", None),
    (" acme/1.wav", None),
    ("acme\u200b/1.wav", None),
    ("açme/1.wav", None),
    ("acme\n/1.wav", None),
    ("a_b/1.wav", None),
    ("٣٣/1.wav", None),  # digits, but not ASCII digits
    ("../acme/1.wav", None),
    ("./acme/1.wav", None),
]


@pytest.mark.parametrize("family", FAMILIES)
def test_delivered_under_the_very_same_key(cloud: Stack, encrypt_recording: ModuleType, family: str) -> None:
    """All in one bucket and in batches of ten, so that no key is mistaken for another."""
    tenant, suffix = FAMILIES[family].make("tenant"), FAMILIES[family].suffix
    settings = {
        "deliver_to_archive": True,
        "only_encrypt_sftp": True,
        "archive_formats": ["wav", "mp3"],
        "call_index": "off",
    }
    for name in ("acme", "a1", LONGEST_TENANT, "0-9"):
        cloud.tenant(name, tenant.public_text, settings)
    contents = {key: f"said {number}".encode() for number, key in enumerate(DELIVERED)}
    landed = [cloud.land(key, data) for key, data in contents.items()]

    for first in range(0, len(landed), 10):
        event = sqs_event(*landed[first : first + 10])
        assert failures(encrypt_recording.lambda_handler(event, None)) == []

    assert {key: tenant.open(sealed) for key, sealed in cloud.objects(SFTP).items()} == {
        key + suffix: data for key, data in contents.items()
    }
    assert cloud.objects(ARCHIVE) == contents
    assert cloud.objects(LANDING) == {}
    events = {detail["source"]["key"]: detail for detail in cloud.audit_details("RecordingDelivered")}
    assert set(events) == set(contents)
    for key, detail in events.items():
        assert [output["key"] for output in detail["outputs"]] == [key, key + suffix]
        assert detail["tenant"] == key.partition("/")[0]


def test_held_when_unsupported(cloud: Stack, encrypt_recording: ModuleType) -> None:
    """Every tenant that a key could be attributed to exists, with settings that would deliver."""
    for name in ("acme", "beta"):
        cloud.tenant(name, x509_tenant().public_text, {"deliver_to_archive": True, "archive_formats": ["wav"]})
    contents = {key: f"said {number}".encode() for number, (key, _) in enumerate(UNSUPPORTED)}
    landed = [cloud.land(key, data) for key, data in contents.items()]

    for first in range(0, len(landed), 10):
        event = sqs_event(*landed[first : first + 10])
        assert failures(encrypt_recording.lambda_handler(event, None)) == []

    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == {}
    assert cloud.objects(LANDING) == contents
    details = {detail["source"]["key"]: detail for detail in cloud.audit_details("RecordingHeld")}
    assert {key: detail["tenant"] for key, detail in details.items()} == dict(UNSUPPORTED)
    for key, detail in details.items():
        assert detail["reason"] == "UnsupportedFile"
        assert detail["outputs"] is detail["recipients"] is detail["key_version"] is None
        assert cloud.tags(key) == {"callseal-state": "held", "callseal-reason": "UnsupportedFile"}


def test_key_that_looks_encoded_is_decoded_once(cloud: Stack, encrypt_recording: ModuleType) -> None:
    """`a%2Fb` and `a/b`, `a+b` and `a b` are four files."""
    cloud.tenant("acme", None, {"encrypt": False})
    contents = {f"acme/a{sign}b.wav": sign.encode() for sign in ("%2F", "/", "+", " ", "%20", "%2B", "%252F")}

    event = sqs_event(*(cloud.land(key, data) for key, data in contents.items()))
    encrypt_recording.lambda_handler(event, None)

    assert cloud.objects(SFTP) == contents


def test_tenant_is_the_first_segment_only(cloud: Stack, encrypt_recording: ModuleType) -> None:
    """Names of other tenants, in the path or the content, have no effect (promise 3)."""
    acme, beta = (FAMILIES[family].make("tenant") for family in ("x509", "openpgp"))
    cloud.tenant("acme", acme.public_text)
    cloud.tenant("beta", beta.public_text)
    keys = {"acme/beta/1.wav": acme, "beta/acme/1.wav": beta, "acme/beta.wav": acme, "beta/acme%2F1.wav": beta}

    event = sqs_event(*(cloud.land(key, b"tenant: gamma") for key in keys))
    encrypt_recording.lambda_handler(event, None)

    stored = cloud.objects(SFTP)
    assert len(stored) == len(keys)
    for key, tenant in keys.items():
        assert tenant.open(stored[key + (".p7m" if tenant is acme else ".pgp")]) == b"tenant: gamma"
