"""OpenPGP envelopes (RFC 4880, 5.13): SEIPDv1 messages, AES-256, uncompressed, binary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callseal.crypto.envelopes import Sink, Source
from callseal.crypto.openpgp_packets import PKESK, SEIPD, head_packets

if TYPE_CHECKING:
    from callseal.core.recipient import OpenPgpRecipients
    from callseal.crypto.gpg import Gpg

# 16 recipients of RSA 16384 take 33 KiB, and the packet after them must be in the head too.
HEAD_BYTES = 64 * 1024


class AeadPacketError(RuntimeError):
    """The installed gpg writes packets that many readers reject, and has no option to change that."""


class WrongRecipientsError(RuntimeError):
    """gpg wrote a message to other recipients than the requested ones."""


def seal(source: Source, size: int, recipients: OpenPgpRecipients, gpg: Gpg, sink: Sink) -> None:
    """Seal exactly `size` bytes of the source to every recipient.

    Raises the errors of Gpg.seal, and AeadPacketError or WrongRecipientsError before any byte has reached the sink.
    """
    fingerprints = [member.encrypts_with for member in recipients.members]
    head = _Head(sink, sorted(bytes.fromhex(fingerprint)[-8:] for fingerprint in fingerprints))
    gpg.seal(source, size, recipients.keyring, fingerprints, head.write)
    head.close()


class _Head:
    """Withholds the first bytes of a message until its recipients and its format have been checked."""

    def __init__(self, sink: Sink, key_ids: list[bytes]) -> None:
        self._sink, self._key_ids = sink, key_ids
        self._held: bytearray | None = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._held is None:
            self._sink(data)
        else:
            self._held += data
            if len(self._held) >= HEAD_BYTES:
                self.close()

    def close(self) -> None:
        if self._held is not None:
            head, self._held = self._held, None
            _check(bytes(head), self._key_ids)
            self._sink(head)


def _check(head: bytes, key_ids: list[bytes]) -> None:
    """Check the recipients of the session key (RFC 9580, 5.1.1), and the type of the packet that follows.

    gpg 2.3 and newer writes the AEAD packet 20 if all keys advertise AEAD. RFC 9580 does not define that packet.
    """
    found = list(head_packets(head))
    recipients = sorted(body[1:9] for tag, body in found if tag == PKESK)
    message = next((tag for tag, _ in found if tag != PKESK), None)
    if message != SEIPD:
        raise AeadPacketError(
            f"gpg wrote a packet of type {message} instead of SEIPDv1 ({SEIPD}), and many readers reject it. "
            "gpg 2.3 and newer does so for keys that advertise AEAD: use gpg 2.2, as built by layers/gnupg."
        )
    if recipients != key_ids:
        raise WrongRecipientsError("gpg sealed a message to other keys than requested. The message was discarded.")
