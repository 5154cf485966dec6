"""OpenPGP envelopes (RFC 4880, 5.13): SEIPDv1 messages, AES-256, uncompressed, binary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callseal.crypto.envelopes import Sink, Source
from callseal.crypto.openpgp_packets import PKESK, SEIPD, head_packets

if TYPE_CHECKING:
    from callseal.core.recipient import OpenPgpRecipients
    from callseal.crypto.gpg import Gpg

# 16 recipients of RSA 16384 take 33 KiB; what follows them decides.
HEAD_BYTES = 64 * 1024


class AeadPacketError(RuntimeError):
    """The gpg in use writes packets that many readers refuse, and there is no telling it otherwise."""


class WrongRecipientsError(RuntimeError):
    """gpg wrote a message that others can open than those that it was asked for."""


def seal(source: Source, size: int, recipients: OpenPgpRecipients, gpg: Gpg, sink: Sink) -> None:
    """Seal exactly `size` bytes of the source to every recipient.

    Raises as Gpg.seal, and AeadPacketError or WrongRecipientsError before any byte has reached the sink.
    """
    fingerprints = [member.encrypts_with for member in recipients.members]
    head = _Head(sink, sorted(bytes.fromhex(one)[-8:] for one in fingerprints))
    gpg.seal(source, size, recipients.keyring, fingerprints, head.write)
    head.close()


class _Head:
    """Holds the message's first bytes back until they show who can open it, and that every OpenPGP reader can."""

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
    """Check whom the session key is encrypted to (RFC 9580, 5.1.1), and the form of what follows.

    gpg from 2.3 writes the AEAD packet 20 where all keys advertise it, which RFC 9580 left out for good.
    """
    found = list(head_packets(head))
    recipients = sorted(body[1:9] for tag, body in found if tag == PKESK)
    message = next((tag for tag, _ in found if tag != PKESK), None)
    if message != SEIPD:
        raise AeadPacketError(
            f"gpg wrote a packet of type {message} where SEIPDv1 ({SEIPD}) is wanted, which many readers refuse. "
            "A gpg from 2.3 does so for keys that advertise AEAD: use a gpg 2.2, as layers/gnupg gathers it."
        )
    if recipients != key_ids:
        raise WrongRecipientsError("gpg sealed a message to other keys than it was asked to; nothing of it is kept.")
