"""authorized_keys: which lines open a session, from where and until when, and how others are rejected."""

from __future__ import annotations

import base64
import subprocess
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import example, given
from hypothesis import strategies as st

from callseal.sftp.authorized_keys import MAX_KEYS, MAX_TEXT_BYTES, AuthorizedKeys, parse_authorized_keys
from callseal.tenants.login_sources import Address, Sources, parse_address

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def address(text: str) -> Address:
    parsed = parse_address(text)
    assert parsed
    return parsed


HERE = address("192.0.2.7")


@cache
def private(kind: str) -> Private:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}[kind])


def line(kind: str = "ed25519") -> str:
    return private(kind).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def usable(text: str, source: Address = HERE, now: datetime = NOW) -> list[int]:
    """Return the numbers of the lines that allow a login."""
    return [key.line for key in parse_authorized_keys(text).admitting(source, now)]


def why(text: str) -> str:
    """Return the explanation for the only line of a text, which is rejected."""
    parsed = parse_authorized_keys(text)
    assert parsed.keys == ()
    (refused,) = parsed.refused
    return refused.why


@pytest.mark.parametrize("kind", ["ed25519", "p256", "p384", "p521", "rsa2048", "rsa4096"])
def test_key_of_an_accepted_type_is_used_without_its_comment(kind: str) -> None:
    (key,) = parse_authorized_keys(f"{line(kind)} somebody@host of acme").keys
    assert key.text == line(kind)


def test_fingerprint_equals_that_of_ssh_keygen(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(line())
    said = subprocess.run(["ssh-keygen", "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=True)
    (key,) = parse_authorized_keys(line()).keys
    assert key.fingerprint == said.stdout.split()[1]


def test_comments_blank_lines_and_line_ends_are_ignored() -> None:
    text = f"# our keys\r\n\r\n  {line()} laptop\r\n\t\n#{line('p256')}\r{line('p384')}\n"
    parsed = parse_authorized_keys(text)
    assert [key.type for key in parsed.keys] == ["ssh-ed25519", "ecdsa-sha2-nistp384"]
    assert parsed.refused == ()


def test_bad_line_opens_no_session_and_good_lines_still_work() -> None:
    text = f"{line()}\nssh-ed25519 AAAAtypo laptop\n{line('p256')}\n"
    parsed = parse_authorized_keys(text)
    assert usable(text) == [1, 3]
    assert [(one.line, one.why) for one in parsed.refused] == [(2, "its key is damaged: copy the whole line again")]


def relabelled(kind: str, other: str) -> str:
    return f"{other} {line(kind).split()[1]}"


BAD: dict[str, tuple[str, str]] = {
    "a short RSA key": (line("rsa1024"), "has 1024 bits, and 2048 to 16384 are accepted"),
    "DSA": ("ssh-dss AAAAB3NzaC1kc3MA", "type ssh-dss are not accepted"),
    "a security key": ("sk-ssh-ed25519@openssh.com AAAA", "sk-ssh-ed25519@openssh.com are not accepted"),
    "a certificate": ("ssh-ed25519-cert-v01@openssh.com AAAA", "not accepted"),
    "a key under another's type": (relabelled("ed25519", "ssh-rsa"), "damaged"),
    "a curve under another's type": (relabelled("p256", "ecdsa-sha2-nistp384"), "damaged"),
    "a key cut off": (line()[:-8], "damaged"),
    "a key with something behind it": (f"ssh-ed25519 {line().split()[1]}AAAA", "damaged"),
    "a type alone": ("ssh-ed25519", "damaged"),
    "a key without its type": (line().split()[1], "it is not a key"),
    "prose": ("please use the key that I sent yesterday", "it is not a key"),
    "an SSH2 public key": ("---- BEGIN SSH2 PUBLIC KEY ----", "it is not a key"),
    "a very long line": (f"{line()} {'x' * 9000}", "longer than 8,192 characters"),
    "command=": (f'command="internal-sftp" {line()}', "command cannot be honoured"),
    "environment=": (f'environment="A=b" {line()}', "environment cannot be honoured"),
    "cert-authority": (f"cert-authority {line()}", "cert-authority cannot be honoured"),
    "principals=": (f'principals="acme" {line()}', "principals cannot be honoured"),
    "tunnel=": (f'tunnel="0" {line()}', "tunnel cannot be honoured"),
    "verify-required": (f"verify-required {line()}", "verify-required cannot be honoured"),
    "an unknown option": (f"no-questions {line()}", "no-questions is not known here"),
    "an option with a value that it does not take": (f'restrict="1" {line()}', "restrict is not known here"),
    "an option without its value": (f"from {line()}", "from is not known here"),
    "from= without quotes": (f"from=192.0.2.7 {line()}", "cannot be read"),
    "from= twice": (f'from="192.0.2.7",from="192.0.2.7" {line()}', "it has from= twice"),
    "a space between options": (f'restrict, from="192.0.2.7" {line()}', "it is not a key"),
    "a comma at the end": (f"restrict, {line()}", "cannot be read"),
    "a quote that is never closed": (f'from="192.0.2.7 {line()}', "it is not a key"),
    "from= with a host's name": (f'from="*.example.com" {line()}', "host names are not looked up"),
    "from= with an address and a name": (f'from="192.0.2.7,!bad.example.com" {line()}', "host names are not looked up"),
    "from= with bits behind the mask": (f'from="192.0.2.7/24" {line()}', "invalid address or network"),
    "from= with no mask of this family": (f'from="192.0.2.0/64" {line()}', "invalid address or network"),
    "from= with a wildcard and a mask": (f'from="192.0.*/16" {line()}', "something else than addresses"),
    "from= with nothing": (f'from="" {line()}', "something else than addresses"),
    "from= with a character class": (f'from="192.0.2.[1-9]" {line()}', "something else than addresses"),
    "an expiry that is no time": (f'expiry-time="tomorrow" {line()}', "expiry-time is not YYYYMMDD"),
    "an expiry that is no day": (f'expiry-time="20260231" {line()}', "expiry-time is not YYYYMMDD"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_unusable_line_is_explained(what: str) -> None:
    text, words = BAD[what]
    assert words in why(text)


@pytest.mark.parametrize(
    "options",
    ["restrict", "no-pty", "no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-user-rc", "RESTRICT,pty",
     'restrict,permitopen="host:22"', 'restrict,from="192.0.2.7",expiry-time="20271231"'],
)  # fmt: skip
def test_options_that_forbid_unavailable_features_are_accepted(options: str) -> None:
    assert usable(f"{options} {line()} comment") == [1]


FROM: dict[str, tuple[str, list[str], list[str]]] = {
    "192.0.2.7": ("192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.8", "2001:db8::7"]),
    "a network": ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.3.0", "2001:db8::1"]),
    "either of two": ("192.0.2.7,2001:DB8::/32", ["192.0.2.7", "2001:db8:1::1"], ["192.0.2.8", "2001:db9::1"]),
    "a network without one": ("192.0.2.0/24,!192.0.2.7", ["192.0.2.8"], ["192.0.2.7"]),
    "one before its network": ("!192.0.2.7,192.0.2.0/24", ["192.0.2.8"], ["192.0.2.7"]),
    "nothing but a negation": ("!192.0.2.7", [], ["192.0.2.7", "192.0.2.8"]),
    "anything": ("*", ["192.0.2.7", "2001:db8::1"], []),
    "anything without a network": ("*,!192.0.2.0/24", ["198.51.100.1", "::1"], ["192.0.2.7"]),
    "wildcards": ("192.0.2.*,198.51.100.?", ["192.0.2.200", "198.51.100.5"], ["198.51.100.55", "192.0.20.1"]),
    "everything of one family": ("0.0.0.0/0", ["192.0.2.7"], ["2001:db8::1"]),
}


@pytest.mark.parametrize("what", FROM)
def test_from_is_honoured_as_sshd_does(what: str) -> None:
    patterns, admitted, refused = FROM[what]
    text = f'from="{patterns}" {line()}'
    assert [one for one in admitted + refused if usable(text, address(one))] == admitted


def test_key_in_two_lines_is_offered_once_and_admitted_by_either() -> None:
    text = f'from="198.51.100.1" {line()}\nfrom="192.0.2.7" {line()}\nno-pty {line()}\n'
    assert usable(text) == [2]


@pytest.mark.parametrize(
    ("expiry", "until"),
    [
        ("20261124", datetime(2026, 11, 24, tzinfo=UTC)),
        ("202611241159Z", datetime(2026, 11, 24, 11, 59, tzinfo=UTC)),
        ("20261124115930", datetime(2026, 11, 24, 11, 59, 30, tzinfo=UTC)),
    ],
)
def test_expiry_time_is_honoured_in_utc(expiry: str, until: datetime) -> None:
    text = f'expiry-time="{expiry}" {line()}'
    second = timedelta(seconds=1)
    assert (usable(text, now=until), usable(text, now=until + second)) == ([1], [])


def test_the_earlier_of_two_expiries_counts() -> None:
    assert usable(f'expiry-time="20300101",expiry-time="20250101" {line()}') == []


@pytest.mark.parametrize("form", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8])
def test_private_key_rejects_the_whole_text_and_is_not_repeated(form: PrivateFormat) -> None:
    pasted = private("p256").private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    parsed = parse_authorized_keys(f"{line()}\n{pasted}")
    assert parsed == AuthorizedKeys(has_private_key=True)


def test_keys_beyond_the_servers_limit_are_rejected_by_line() -> None:
    keys = [ed25519.Ed25519PrivateKey.generate().public_key() for _ in range(MAX_KEYS + 2)]
    text = "\n".join(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() for key in keys)
    parsed = parse_authorized_keys(text)
    assert [key.line for key in parsed.keys] == list(range(1, MAX_KEYS + 1))
    assert [one.line for one in parsed.refused] == [MAX_KEYS + 1, MAX_KEYS + 2]


def test_text_that_is_too_long_opens_no_session() -> None:
    assert "longer than 65,536 bytes" in why(f"{line()}\n" + "#" * MAX_TEXT_BYTES)


@pytest.mark.parametrize("text", ['from="' + "*:" * 4000, 'a="' + '\\"' * 4000, '"' * 8000, "a," * 4000, "*" * 60_000])
def test_text_crafted_to_slow_a_parser_is_judged_at_once(text: str) -> None:
    started = time.process_time()
    parse_authorized_keys(f"{text}\n{text} {line()}")
    assert time.process_time() - started < 2


def test_pattern_crafted_to_slow_a_matcher_is_judged_at_once() -> None:
    started = time.process_time()
    Sources.parse(("*1" * 2000) + "?").admit(address("1111:1111:1111:1111:1111:1111:1111:1112"))
    assert time.process_time() - started < 2


pieces = st.sampled_from(
    [line(), line("p256"), "ssh-ed25519 ", "ssh-rsa AAAA", 'from="', "192.0.2.7", '"', ",", "!", "restrict", " ", "\t",
     "\n", "#", "\\", "expiry-time=", "20300101", "command=", "=", "\u00a0", "\x00", "-----BEGIN ", "\u2028"]
)  # fmt: skip


@given(st.lists(pieces | st.text(max_size=4), max_size=12).map("".join))
@example(f'from="!*" {line()}')
def test_any_text_is_judged_and_offers_only_its_own_keys(text: str) -> None:
    parsed = parse_authorized_keys(text)
    for key in parsed.keys:
        assert key.text in text.replace("\t", " ") or key.blob in text
        assert base64.b64decode(key.blob, validate=True)
        assert not set(key.text) & set('",=!\n#') - {"="}
    assert {key.line for key in parsed.keys}.isdisjoint(one.line for one in parsed.refused)
    assert not any(text and one.why in text for one in parsed.refused)


@example(address("192.0.2.7"), [IPv6Address("::ffff:192.0.2.7")])
@given(st.ip_addresses(), st.lists(st.ip_addresses(v=4) | st.ip_addresses(v=6), min_size=1, max_size=4))
def test_a_list_of_addresses_admits_these_and_no_others(source: Address, listed: list[Address]) -> None:
    source = address(str(source))
    admitted = Sources.parse(",".join(str(one) for one in listed)).admit(source)
    assert admitted == (source in [address(str(one)) for one in listed] or source in listed)


@pytest.mark.parametrize("text", ["", "host", "192.0.2.7:22", None, 3232235777, "192.0.2.7/32", ["192.0.2.7"]])
def test_text_that_is_no_address_is_none(text: object) -> None:
    assert parse_address(text) is None
