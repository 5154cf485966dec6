"""Each parser of foreign input: the bytes that it may receive, and what it may raise.

Any other exception of a parser is a bug: it would fail a whole batch, or be retried for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from callseal.archive.sound.peaks import ROWS
from callseal.archive.sound.sound import MAX_SECONDS, NoWaveformError
from callseal.archive.waveform import Waveform, waveform_of
from callseal.calls.metadata_bounds import MAX_NODES, MAX_TEXT_BYTES
from callseal.calls.metadata_reader import read_entries
from callseal.calls.numbers import Numbering
from callseal.calls.policy import parse_policy
from callseal.calls.policy_csv import decode_csv, export_csv, import_csv
from callseal.calls.policy_text import policy_text
from callseal.calls.profiles import facts_of, find_fields
from callseal.core.errors import HeldError, Reason, UnreadableMetadataError, UnreadableNotificationError
from callseal.core.landing import TENANT, parse_landing_key
from callseal.crypto.gpg import Gpg
from callseal.crypto.openpgp_packets import head_packets, packets
from callseal.crypto.recipients import judge
from callseal.crypto.recipients.blocks import decode_armour, find_blocks, refuse_private_keys
from callseal.crypto.recipients.x509 import judge as judge_x509
from callseal.inbound.changes import changed_tenant
from callseal.inbound.notification import parse_body, parse_notification, queue_messages
from callseal.tenants.metadata_settings import FACT_MEMBERS, PROFILES
from callseal.tenants.settings import parse_settings

EVENTS = Path(__file__).resolve().parents[3] / "events"
SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "metadata"
SOUNDS = SAMPLES.parent / "sound"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


class UndocumentedError(Exception):
    """A parser returned or raised something undocumented."""


def landing(data: bytes) -> None:
    """A landing key is delivered under its own first segment as the tenant, or held."""
    key = _text(data)
    try:
        file = parse_landing_key(key)
    except HeldError as held:
        _expect(held.reason is Reason.UNSUPPORTED_FILE)
        return
    _expect(key.startswith(f"{file.tenant}/"))
    _expect("/../" not in key)


def notification(data: bytes) -> None:
    """A notification names objects completely, or is unreadable; as message text and as parsed JSON."""
    for parse, given in ((parse_body, _text(data)), (parse_notification, _json(data))):
        try:
            for landed in parse(given):
                _expect(bool(landed.bucket and landed.key))
                landed.key.encode()
                _expect(landed.etag is None or landed.etag.isascii())
                _expect(landed.size is None or 0 <= landed.size < 2**63)
        except UnreadableNotificationError:
            pass


def queue(data: bytes) -> None:
    """A batch has text messages, or is no batch, or is unreadable."""
    try:
        for message in queue_messages(_json(data)) or []:
            _expect(isinstance(message.body, str))
            _expect(message.receives >= 1)
    except UnreadableNotificationError:
        pass


def settings(data: bytes) -> None:
    """Settings are accepted or rejected."""
    try:
        found = parse_settings(_text(data))
    except HeldError as held:
        _expect(held.reason is Reason.SETTINGS_INVALID)
        _expect(len(str(held)) < 1000)
        return
    _expect(isinstance(found.encrypt, bool))


def key_text(data: bytes) -> None:
    """A key's text is judged, or rejected with one of the keys' reasons. No gpg is started here."""
    _judged(lambda text: judge(text, NOW, _no_gpg), _text(data))


def certificate(data: bytes) -> None:
    """DER in the frame of a certificate is judged or rejected."""
    from tests.unit.crypto.verdicts import armour

    _judged(lambda text: judge_x509(find_blocks(text), NOW), armour("CERTIFICATE", data))


def openpgp_key(data: bytes) -> None:
    """Packets in the frame of a PGP key are judged by gpg, or rejected."""
    from tests.unit.crypto.verdicts import armour

    _judged(lambda text: judge(text, NOW, _gpg), armour("PGP PUBLIC KEY BLOCK", data))


def openpgp_packets(data: bytes) -> None:
    """Packets are split without loss, or ValueError is raised."""
    for read in (lambda: sum(len(packet.body) for packet in packets(data)), lambda: len(list(head_packets(data)))):
        try:
            _expect(read() <= len(data))
        except ValueError:
            pass


def armour_body(data: bytes) -> None:
    """An armoured body is decoded, or ValueError is raised."""
    text = _text(data)
    try:
        _expect(len(decode_armour(text)) <= len(text))
    except ValueError:
        pass
    try:
        refuse_private_keys(text)
        for block in find_blocks(text):
            _expect(block.body in text)
    except HeldError:
        pass


def change(data: bytes) -> None:
    """An event of a change names one tenant, none, or all."""
    event = _json(data)
    for detail in (event, {"detail": event}, {"detail": {"name": _text(data)}}):
        if isinstance(detail, dict):
            tenant = changed_tenant(detail, "callseal/tenants")
            _expect(not tenant or TENANT.fullmatch(tenant) is not None)


def metadata_xml(data: bytes) -> None:
    """An XML metadata file becomes facts, or is unreadable."""
    _metadata(data, "xml")


def metadata_json(data: bytes) -> None:
    """A JSON metadata file becomes facts, or is unreadable."""
    _metadata(data, "json")


def policy(data: bytes) -> None:
    """A policy is read, and comes back from its text and its spreadsheet, or it is refused."""
    try:
        found = parse_policy(_text(data))
    except HeldError as held:
        _expect(held.reason is Reason.POLICY_INVALID)
        _expect(len(str(held)) < 1000)
        return
    try:
        _expect(parse_policy(policy_text(found)) == found)
        _expect(parse_policy(import_csv(export_csv(found))) == found)
    except HeldError as held:
        # Members that are absent have their names in the other text.
        _expect("over 8192 bytes" in str(held))


def policy_csv(data: bytes) -> None:
    """A spreadsheet is a policy, which comes back from its own spreadsheet, or it is refused."""
    try:
        text = import_csv(decode_csv(data))
    except HeldError as held:
        _expect(held.reason is Reason.POLICY_INVALID)
        _expect(len(str(held)) < 1000)
        return
    _expect(parse_policy(import_csv(export_csv(parse_policy(text)))) == parse_policy(text))


def sound(data: bytes) -> None:
    """A sound has a waveform, the same in whatever chunks it comes, or it has none."""

    def drawn(chunks: list[bytes]) -> Waveform | str:
        try:
            return waveform_of(chunks)
        except NoWaveformError as refused:
            _expect(len(str(refused)) < 200)
            return str(refused)

    found = drawn([data])
    _expect(found == drawn([data[:13], data[13:300], data[300:]]))
    if isinstance(found, Waveform):
        _expect(len(found.left) == len(found.right) == ROWS)
        _expect(0 <= found.seconds <= MAX_SECONDS)


@dataclass(frozen=True)
class Parser:
    """A parser and its seeds."""

    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    max_bytes: int = 4096


def _policies() -> list[bytes]:
    from callseal.calls.presets import presets

    return [json.dumps(preset.policy).encode() for preset in presets()]


def _spreadsheets() -> list[bytes]:
    return [export_csv(parse_policy(text.decode())).encode() for text in _policies()]


def _events() -> list[bytes]:
    return [path.read_bytes() for path in sorted(EVENTS.glob("*.json"))]


def _bodies() -> list[bytes]:
    """Return notifications, both bare and from messages."""
    events = [json.loads(text) for text in _events()]
    inner = [record["body"] for event in events for record in event.get("Records", []) if "body" in record]
    return [*_events(), *(body.encode() for body in inner)]


def _keys() -> list[str]:
    from tests.support.keys import openpgp_tenant, x509_tenant

    return [x509_tenant().public_text, x509_tenant("p256").public_text, openpgp_tenant("cv25519").public_text]


def _texts() -> list[bytes]:
    return [text.encode() for text in _keys()]


def _certificates() -> list[bytes]:
    from tests.unit.crypto.verdicts import dearmour

    return [dearmour(text) for text in _keys()[:2]]


def _openpgp() -> list[bytes]:
    from tests.security.abuse import openpgp_forge as forge
    from tests.unit.crypto.verdicts import dearmour

    return [dearmour(_keys()[2]), forge.key()]


def _metadata_files(file_format: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(SAMPLES.glob(f"*.{file_format}"))]


def _sounds() -> list[bytes]:
    """Return the beginnings of sounds in each form, with several frames of MP3."""
    return [path.read_bytes()[:1500] for path in sorted(SOUNDS.iterdir())]


PARSERS = {
    "landing": Parser(
        landing, lambda: [b"acme/4711_1.wav", b"acme/2026/11/\xc3\xa6 1.xml", b"acme/../beta/1.mp3"], 1200
    ),
    "notification": Parser(notification, _bodies),
    "queue": Parser(queue, _events),
    "settings": Parser(
        settings,
        lambda: [b"{}", b'{"encrypt": true, "archive_formats": ["wav", "mp3"], "cms_profile": "enveloped-cbc"}'],
    ),
    "key_text": Parser(key_text, _texts, 16_384),
    "certificate": Parser(certificate, _certificates),
    "openpgp_key": Parser(openpgp_key, _openpgp),
    "openpgp_packets": Parser(openpgp_packets, _openpgp),
    "armour": Parser(armour_body, _texts, 16_384),
    "change": Parser(
        change, lambda: [*_events(), b"callseal/tenants/acme/public-key", b"/callseal/tenants/acme/settings"]
    ),
    "metadata_xml": Parser(metadata_xml, lambda: _metadata_files("xml")),
    "metadata_json": Parser(metadata_json, lambda: _metadata_files("json")),
    "policy": Parser(policy, _policies),
    "policy_csv": Parser(policy_csv, _spreadsheets),
    "sound": Parser(sound, _sounds, 2048),
}


def _text(data: bytes) -> str:
    """Decode bytes as any text that Python can hold. Bytes that are not UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def _json(data: bytes) -> Any:
    try:
        return json.loads(_text(data))
    except (ValueError, RecursionError):
        return None


def _metadata(data: bytes, file_format: str) -> None:
    try:
        entries = read_entries(data, file_format)
    except UnreadableMetadataError as refused:
        _expect(len(str(refused)) < 200)
        return
    _expect(len(entries) <= MAX_NODES)
    _expect(all(0 < len(entry.text.encode()) <= MAX_TEXT_BYTES for entry in entries))
    zone = ZoneInfo("Europe/Oslo")
    for profile in PROFILES:
        found = find_fields(entries, profile, {"queue": "//queue"}, zone)
        _expect(tuple(found) == FACT_MEMBERS)
        facts = facts_of(found, Numbering("NO"))
        _expect(facts.started is None or facts.started.tzinfo is UTC)
        _expect(facts.seconds is None or facts.seconds >= 0)
        _expect(facts.caller is None or facts.caller.isascii())


def _judged(read: Callable[[str], object], text: str) -> None:
    try:
        read(text)
    except HeldError as held:
        _expect(held.reason.startswith("Key"))
        _expect(len(str(held)) < 1000)
    except _GpgAskedForError:
        pass


class _GpgAskedForError(Exception):
    """The text has passed every check before gpg."""


def _no_gpg() -> Gpg:
    raise _GpgAskedForError


@cache
def _gpg() -> Gpg:
    return Gpg("gpg")


def _expect(true: bool) -> None:
    if not true:
        raise UndocumentedError
