"""Challenging new keys: write a small file with a code, sealed to the key, into the tenant's SFTP area."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from io import BytesIO

from callseal.aws.items import ChangedMeanwhileError
from callseal.core.clock import Clock
from callseal.core.errors import OutputExistsError
from callseal.core.formats import ENVELOPES
from callseal.core.recipient import CmsRecipients, Recipient
from callseal.core.stored import sealed_headers
from callseal.crypto.envelopes import cms
from callseal.crypto.recipients import GpgFactory, Recipients
from callseal.keys.challenge import SENT, new_challenge, text
from callseal.keys.check_folder import CheckFolder
from callseal.keys.choice import unproven
from callseal.keys.events import KeyVerdict
from callseal.keys.register_table import KeyInventory, KeyRegister
from callseal.tenants.settings import TenantSettings


class Challenger:
    """Makes challenges. Only the check that first writes a challenge's state also writes its file."""

    def __init__(self, register: KeyRegister, files: CheckFolder, gpg: GpgFactory, clock: Clock) -> None:
        """Take what it works with."""
        self._register, self._files, self._gpg, self._clock = register, files, gpg, clock

    def challenge(
        self, verdict: KeyVerdict, recipients: Recipients, inventory: KeyInventory, settings: TenantSettings
    ) -> None:
        """Challenge each unproven key of a version that has no current challenge."""
        now, version = self._clock(), verdict.version or ""
        wanted = set(unproven(recipients, inventory.records))
        for member in recipients.members:
            old = inventory.challenge(member.encrypts_with)
            if member.encrypts_with in wanted and not (old and old.is_current(version, now)):
                with suppress(ChangedMeanwhileError, OutputExistsError):  # another check has just made one
                    self._make(verdict.tenant, version, member, recipients, inventory, settings)

    def _make(
        self,
        tenant: str,
        version: str,
        member: Recipient,
        recipients: Recipients,
        inventory: KeyInventory,
        settings: TenantSettings,
    ) -> None:
        made, code = new_challenge(tenant, member, version, self._clock())
        self._register.save_challenge(made, inventory.challenge(made.fingerprint))
        sealed = self._seal(text(made, code).encode(), member, recipients, settings)
        envelope = recipients.envelope
        headers = sealed_headers(envelope, "", (member,))
        self._files.put_challenge(tenant, made.fingerprint, ENVELOPES[envelope].suffix, sealed, headers)
        self._register.save_challenge(replace(made, state=SENT), made)

    def _seal(self, plain: bytes, member: Recipient, recipients: Recipients, settings: TenantSettings) -> bytes:
        """Seal to only one of the recipients."""
        sealed, source = bytearray(), BytesIO(plain)
        if isinstance(recipients, CmsRecipients):
            alone = tuple(recipient for recipient in recipients.members if recipient is member)
            cms.seal(source, len(plain), alone, settings.cms_profile, sealed.extend)
        else:
            from callseal.crypto.envelopes import openpgp

            openpgp.seal(source, len(plain), replace(recipients, members=(member,)), self._gpg(), sealed.extend)
        return bytes(sealed)
