"""Challenging new keys: a small file that is sealed to the key appears in the tenant's SFTP area, with a code in it."""

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
    """Makes challenges; whoever writes a challenge's state first makes its file, and nobody else."""

    def __init__(self, register: KeyRegister, files: CheckFolder, gpg: GpgFactory, clock: Clock) -> None:
        """Take what it works with."""
        self._register, self._files, self._gpg, self._clock = register, files, gpg, clock

    def challenge(
        self, judged: KeyVerdict, recipients: Recipients, known: KeyInventory, settings: TenantSettings
    ) -> None:
        """Challenge each unproven key of a version that has no challenge for it yet."""
        now, version = self._clock(), judged.version or ""
        wanted = set(unproven(recipients, known.rows))
        for member in recipients.members:
            old = known.challenge(member.encrypts_with)
            if member.encrypts_with in wanted and not (old and old.stands_for(version, now)):
                with suppress(ChangedMeanwhileError, OutputExistsError):  # another check has just made one
                    self._make(judged.tenant, version, member, recipients, known, settings)

    def _make(
        self,
        tenant: str,
        version: str,
        member: Recipient,
        recipients: Recipients,
        known: KeyInventory,
        settings: TenantSettings,
    ) -> None:
        made, code = new_challenge(tenant, member, version, self._clock())
        self._register.keep_challenge(made, known.challenge(made.fingerprint))
        sealed = self._seal(text(made, code).encode(), member, recipients, settings)
        envelope = recipients.envelope
        headers = sealed_headers(envelope, "", (member,))
        self._files.put_challenge(tenant, made.fingerprint, ENVELOPES[envelope].suffix, sealed, headers)
        self._register.keep_challenge(replace(made, state=SENT), made)

    def _seal(self, plain: bytes, member: Recipient, recipients: Recipients, settings: TenantSettings) -> bytes:
        """Seal to one of the recipients alone."""
        sealed, source = bytearray(), BytesIO(plain)
        if isinstance(recipients, CmsRecipients):
            mine = tuple(one for one in recipients.members if one is member)
            cms.seal(source, len(plain), mine, settings.cms_profile, sealed.extend)
        else:
            from callseal.crypto.envelopes import openpgp

            openpgp.seal(source, len(plain), replace(recipients, members=(member,)), self._gpg(), sealed.extend)
        return bytes(sealed)
