"""Landing keys: a file's tenant and format, from its key alone."""

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callseal.core.errors import HeldError, Reason
from callseal.core.landing import LandedFile, parse_landing_key, tenant_of
from tests.vectors.cases import CASES

# The rule for a tenant's name, written independently of the code.
TENANT = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
tenant_like = st.one_of(
    st.text(),
    st.text(alphabet="abz019-A_. ", max_size=66),
    st.from_regex(r"[a-z0-9][a-z0-9-]{1,62}", fullmatch=True, alphabet=string.ascii_lowercase + string.digits + "-"),
)
keys = st.one_of(
    st.text(),
    st.text(alphabet="ab/.\0- wavmp3xl"),
    st.builds("{}/{}.{}".format, tenant_like, st.text(), st.sampled_from(["wav", "mp3", "xml", "txt", "WAV", ""])),
)


@pytest.mark.parametrize(
    ("key", "tenant", "kind"),
    [
        ("acme/4711000000000001_1.wav", "acme", "wav"),
        ("acme/2026/11/23/4711000000000001_1.mp3", "acme", "mp3"),
        ("acme/4711000000000001_1.xml", "acme", "xml"),
        ("acme/LOUD.WAV", "acme", "wav"),
        ("acme/Mixed.Mp3", "acme", "mp3"),
        ("a1/x.wav", "a1", "wav"),
        ("0-/x.wav", "0-", "wav"),
        ("a" * 63 + "/x.wav", "a" * 63, "wav"),
        ("acme/a.b.c.wav", "acme", "wav"),
        ("acme/...wav", "acme", "wav"),
        ("acme/..a/...b/x.wav", "acme", "wav"),
        ("acme/other/x.wav", "acme", "wav"),
        ("acme/space plus+and æ.wav", "acme", "wav"),
        ("acme/录音📞.mp3", "acme", "mp3"),
        ("acme/100%.wav", "acme", "wav"),
        ("acme/x.wav.pgp.wav", "acme", "wav"),
        ("acme/x.wav.d/y.wav", "acme", "wav"),
        ("acme/wav/y.wav", "acme", "wav"),
        ("acme/x.wav /y.wav", "acme", "wav"),
    ],
)
def test_a_proper_key_names_tenant_and_format(key: str, tenant: str, kind: str) -> None:
    assert parse_landing_key(key) == LandedFile(tenant, kind)
    assert tenant_of(key) == tenant


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "acme",
        "x.wav",
        "/x.wav",
        "/acme/x.wav",
        "a/x.wav",
        "-acme/x.wav",
        "Acme/x.wav",
        "ACME/x.wav",
        "ac_me/x.wav",
        "ac.me/x.wav",
        "ac me/x.wav",
        " acme/x.wav",
        "acme /x.wav",
        "acme\n/x.wav",
        "\nacme/x.wav",
        "../x.wav",
        "./x.wav",
        "a" * 64 + "/x.wav",
        # Look-alikes: Cyrillic a, full-width letters, Arabic-Indic digits, a hyphen look-alike, a long s, dotless i.
        "аcme/x.wav",
        "ａｃｍｅ/x.wav",
        "acme١/x.wav",
        "ac‐me/x.wav",
        "acmeſ/x.wav",
        "acmı/x.wav",
        "acme\u200b/x.wav",
        "acme∕x.wav",
        "acme\\x.wav",
    ],
)
def test_a_key_without_a_tenant_is_unsupported(key: str) -> None:
    assert tenant_of(key) is None
    with pytest.raises(HeldError, match="its first folder is not a tenant name") as held:
        parse_landing_key(key)
    assert held.value.reason is Reason.UNSUPPORTED_FILE


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("acme/", "ends in '/'"),
        ("acme/2026/", "ends in '/'"),
        ("acme/x.wav/", "ends in '/'"),
        ("acme//x.wav", "empty"),
        ("acme/2026//x.wav", "empty"),
        ("acme/../other/x.wav", "'..'"),
        ("acme/../x.wav", "'..'"),
        ("acme/..", "'..'"),
        ("acme/./x.wav", "'.'"),
        ("acme/x\0.wav", "control character"),
        ("acme/x\n.wav", "control character"),
        ("acme/\x1b[2J.wav", "control character"),
        ("acme/x\x7f.wav", "control character"),
        ("acme/x\x85.wav", "control character"),
        ("acme/x.wav\n", "control character"),
        ("acme/x", "its extension is none of"),
        ("acme/wav", "its extension is none of"),
        ("acme/.wav", "its extension is none of"),
        ("acme/2026/.xml", "its extension is none of"),
        ("acme/x.", "its extension is none of"),
        ("acme/x.txt", "its extension is none of"),
        ("acme/x.wav.zip", "its extension is none of"),
        ("acme/x.wav.pgp", "its extension is none of"),
        ("acme/x.wav.p7m", "its extension is none of"),
        ("acme/x.wav ", "its extension is none of"),
        ("acme/x.ｗａｖ", "its extension is none of"),
        ("acme/x.wav/name", "its extension is none of"),
        ("acme/call.wav/part2.wav", "a folder of its key ends like a file (.wav,"),
        ("acme/call.WaV/part2.wav", "a folder of its key ends like a file"),
        ("acme/.wav/part2.wav", "a folder of its key ends like a file"),
        ("acme/call.wav/2026/part2.wav", "a folder of its key ends like a file"),
        ("acme/2026/call.wav.p7m/part2.wav", "a folder of its key ends like a file"),
        ("acme/call.mp3/x.wav", "a folder of its key ends like a file"),
        ("acme/call.xml/x.wav", "a folder of its key ends like a file"),
        ("acme/call.json/x.wav", "a folder of its key ends like a file"),
        ("acme/call.PGP/x.wav", "a folder of its key ends like a file"),
        ("acme/key-check/x.wav", "are reserved"),
        ("acme/proof/2026/x.xml", "are reserved"),
        ("acme/receipts/x.json", "are reserved"),
        ("acme/notices/x.mp3", "are reserved"),
        ("acme/requests/1/x.wav", "are reserved"),
    ],
)
def test_undeliverable_key_is_unsupported_with_an_explanation(key: str, why: str) -> None:
    with pytest.raises(HeldError, match=re.escape(why)) as held:
        parse_landing_key(key)
    assert held.value.reason is Reason.UNSUPPORTED_FILE
    assert "Upload it again as <tenant>/<path>/<name>.<wav|mp3|xml|json>" in str(held.value)
    # If a tenant can be named, it is: the audit event contains it.
    assert tenant_of(key) == "acme"


@pytest.mark.parametrize(("letter", "octets"), [("a", 1), ("æ", 2), ("录", 3), ("📞", 4)])
def test_key_may_have_at_most_1020_bytes(letter: str, octets: int) -> None:
    def key_of(size: int) -> str:
        folders = f"acme/{'/'.join([letter * (200 // octets)] * 4)}/"
        room = size - len(f"{folders}.wav".encode())
        return f"{folders}{letter * (room // octets)}{'x' * (room % octets)}.wav"

    assert len(key_of(1020).encode()) == 1020
    assert parse_landing_key(key_of(1020)).tenant == "acme"
    with pytest.raises(HeldError, match="over 1,020 bytes") as held:
        parse_landing_key(key_of(1021))
    assert held.value.reason is Reason.UNSUPPORTED_FILE


@pytest.mark.parametrize(("letter", "octets"), [("a", 1), ("æ", 2), ("录", 3), ("📞", 4)])
def test_segment_with_its_suffix_must_fit_a_file_system(letter: str, octets: int) -> None:
    def segment(size: int) -> str:
        return letter * (size // octets) + "x" * (size % octets)

    assert parse_landing_key(f"acme/{segment(255)}/{segment(247)}.wav").tenant == "acme"
    for key in (f"acme/{segment(256)}/x.wav", f"acme/2026/{segment(248)}.wav"):
        with pytest.raises(HeldError, match="no disk can hold it") as held:
            parse_landing_key(key)
        assert held.value.reason is Reason.UNSUPPORTED_FILE


def test_file_and_folder_never_share_a_name() -> None:
    recorded = (CASES / "file-and-folder-of-one-name" / "keys.txt").read_text()
    first, second = re.findall(r"collide/\S+", recorded)
    assert parse_landing_key(first).tenant == "collide"
    with pytest.raises(HeldError, match="a file of that name would hide it") as held:
        parse_landing_key(second)
    assert held.value.reason is Reason.UNSUPPORTED_FILE


def test_the_sentence_never_repeats_the_key() -> None:
    with pytest.raises(HeldError) as held:
        parse_landing_key("acme/+4915112345678/hello.txt")
    assert "4915112345678" not in str(held.value)


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("wav", "audio/wav"), ("mp3", "audio/mpeg"), ("xml", "application/xml"), ("json", "application/json")],
)
def test_a_format_has_its_media_type_and_only_xml_and_json_are_metadata(kind: str, media_type: str) -> None:
    file = parse_landing_key(f"acme/x.{kind.upper()}")
    assert file.content_type == media_type
    assert file.is_metadata == (kind in ("xml", "json"))


@given(keys)
@example("acme/x.wav")
@example("acme\n/x.wav")
def test_tenant_is_the_first_segment_or_none(key: str) -> None:
    segments = key.split("/")
    named = len(segments) > 1 and TENANT.fullmatch(segments[0]) is not None and segments[0].isascii()
    assert tenant_of(key) == (segments[0] if named else None)


@given(keys)
@example("acme/a/x.wav")
@example("acme/x.WAV")
@example("acme/x.WAV/y.wav")
@example(f"acme/{'x' * 256}/y.wav")
def test_key_is_parsed_by_the_documented_rules_or_held(key: str) -> None:
    segments = key.split("/")
    *stem, extension = segments[-1].split(".")
    proper = (
        tenant_of(key) is not None
        and not {"", ".", ".."} & set(segments)
        and not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in key)
        and len(key.encode()) <= 1020
        and ".".join(stem) != ""
        and extension.lower() in ("wav", "mp3", "xml")
        and all(len(segment.encode()) <= 255 for segment in (*segments[:-1], segments[-1] + ".p7m"))
        and not any(
            re.search(r"\.(wav|mp3|xml|json|p7m|pgp)\Z", one, re.IGNORECASE | re.ASCII) for one in segments[:-1]
        )
    )
    try:
        assert parse_landing_key(key) == LandedFile(segments[0], extension.lower())
        assert proper
    except HeldError as held:
        assert held.reason is Reason.UNSUPPORTED_FILE
        assert not proper
