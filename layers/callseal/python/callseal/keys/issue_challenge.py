"""Challenging new keys: write a small file with a code, sealed to the key, into the tenant's SFTP area."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from callseal.aws.items import ChangedMeanwhileError
from callseal.core.clock import Clock
from callseal.core.errors import OutputExistsError
from callseal.core.formats import ENVELOPES
from callseal.core.recipient import CmsRecipients, Recipient
from callseal.core.stored import sealed_headers
from callseal.crypto.recipients import GpgFactory, Recipients
from callseal.crypto.seal_bytes import seal_bytes
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
        plain = text(made, code).encode()
        sealed = seal_bytes(plain, _only(member, recipients), settings.cms_profile, self._gpg)
        envelope = recipients.envelope
        headers = sealed_headers(envelope, "", (member,))
        self._files.put_challenge(tenant, made.fingerprint, ENVELOPES[envelope].suffix, sealed, headers)
        self._register.save_challenge(replace(made, state=SENT), made)


def _only(member: Recipient, recipients: Recipients) -> Recipients:
    """Return one of the recipients alone."""
    if isinstance(recipients, CmsRecipients):
        return replace(recipients, members=tuple(each for each in recipients.members if each is member))
    return replace(recipients, members=(member,))
