"""A login at the SFTP front: which keys may open a session, or nothing, and the audit of either.

An unknown tenant gets the same answer as one that may not log in, after the same time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from callseal.aws.bus import AuditBus
from callseal.aws.sftp_keys import KeysText, NoSftpKeysError, SftpKeys
from callseal.aws.tenants import Clock, Tenants
from callseal.errors import CallsealError, HeldError
from callseal.settings import TenantSettings
from callseal.sftp import events
from callseal.sftp.authorized_keys import AuthorizedKey, AuthorizedKeys, parse_authorized_keys
from callseal.sftp.login import PROTOCOL, LoginRequest, Refusal
from callseal.sftp.session import SessionSettings, session_answer
from callseal.sftp.sources import Address, within

# Longer than the two look-ups and the event of a known tenant take as a rule, so that time tells nothing either.
ANSWER_SECONDS = 0.3
# Of one text; a file that is no authorized_keys at all has as many bad lines as it has lines.
MAX_LINES_TOLD = 20
MAX_REMEMBERED = 10_000
REFUSED: dict[str, Any] = {}


class _RefusedError(CallsealError):
    """A login that is refused; the sentence is for the audit, the server gets none."""

    def __init__(self, refusal: Refusal, sentence: str) -> None:
        super().__init__(sentence)
        self.refusal = refusal


class SftpLogins:
    """Answers logins; nothing of a tenant is remembered, so a key that is taken away opens nothing from then on."""

    def __init__(
        self,
        keys: SftpKeys,
        tenants: Tenants,
        bus: AuditBus,
        settings: SessionSettings,
        clock: Clock,
        wait: Callable[[float], None],
    ) -> None:
        """Take what it works with; `wait` is handed the seconds that are missing to a constant time."""
        self._keys, self._tenants, self._bus = keys, tenants, bus
        self._settings, self._clock, self._wait = settings, clock, wait
        self._lines_told: set[tuple[str, str, int]] = set()

    def answer(self, request: LoginRequest, request_id: str) -> dict[str, Any]:
        """Answer a server's question; raises TransientError where nothing is known, and the login fails, too."""
        started = time.monotonic()
        try:
            return self._answer(request, request_id)
        finally:
            self._wait(max(0.0, ANSWER_SECONDS - (time.monotonic() - started)))

    def _answer(self, request: LoginRequest, request_id: str) -> dict[str, Any]:
        try:
            tenant, address = _who_and_whence(request)
            keys, settings = self._keys_of(tenant), self._tenant_settings(tenant)
            usable = self._usable(tenant, address, keys, settings)
        except _RefusedError as refused:
            told = (request_id, request.tenant, request.session, refused.refusal, str(refused))
            self._bus.put(events.login_refused(*told, self._clock()))
            return dict(REFUSED)
        self._bus.put(events.keys_offered(request_id, tenant, request.session, keys.version, self._clock()))
        offered = [key.text for key in usable]
        return session_answer(self._settings, tenant, offered, may_delete=settings.sftp_may_delete)

    def _usable(self, tenant: str, address: Address, keys: KeysText, settings: TenantSettings) -> list[AuthorizedKey]:
        """List the keys that may open this session; raises _RefusedError where there is none."""
        if settings.sftp_source_addresses and not within(address, settings.sftp_source_addresses):
            raise _RefusedError(
                Refusal.SOURCE_NOT_ALLOWED, "The setting sftp_source_addresses does not have the caller's address."
            )
        authorized = parse_authorized_keys(keys.text)
        self._tell_refused_lines(tenant, keys.version, authorized)
        if authorized.has_private_key:
            raise _RefusedError(
                Refusal.PRIVATE_KEY_PASTED,
                "The tenant's SFTP keys hold a PRIVATE key, so none of them is taken. Delete this version of the "
                "secret, tell the tenant that the key pair is burnt, and ask for the public half (.pub) of a new one.",
            )
        usable = authorized.admitting(address, self._clock())
        if not usable:
            raise _RefusedError(
                Refusal.NO_KEY_USABLE,
                "No line of the tenant's SFTP keys may be used from this address at this time "
                f"({len(authorized.keys)} good lines, {len(authorized.refused)} refused).",
            )
        return usable

    def _tenant_settings(self, tenant: str) -> TenantSettings:
        self._tenants.forget(tenant, before=self._clock())
        try:
            return self._tenants.settings(tenant)
        except HeldError as held:
            raise _RefusedError(Refusal.TENANT_NOT_SET_UP, str(held)) from held

    def _keys_of(self, tenant: str) -> KeysText:
        try:
            return self._keys.read(tenant)
        except NoSftpKeysError as exc:
            sentence = f"There is no secret with SFTP keys of a tenant {tenant}."
            raise _RefusedError(Refusal.TENANT_UNKNOWN, sentence) from exc

    def _tell_refused_lines(self, tenant: str, version: str, authorized: AuthorizedKeys) -> None:
        for line in authorized.refused[:MAX_LINES_TOLD]:
            if (tenant, version, line.line) not in self._lines_told:
                self._bus.put(events.key_line_refused(tenant, version, line, self._clock()))
                if len(self._lines_told) >= MAX_REMEMBERED:
                    self._lines_told.clear()
                self._lines_told.add((tenant, version, line.line))


def _who_and_whence(request: LoginRequest) -> tuple[str, Address]:
    """Give tenant and address of a login with a key by SFTP; raises _RefusedError for any other."""
    if request.protocol != PROTOCOL:
        raise _RefusedError(Refusal.PROTOCOL_NOT_OFFERED, "Only SFTP is offered.")
    if request.has_password:
        raise _RefusedError(Refusal.PASSWORD_NOT_TAKEN, "Passwords are not taken: log in with a key.")
    if request.address is None:
        raise _RefusedError(Refusal.SOURCE_UNKNOWN, "The server did not tell where the login comes from.")
    if request.tenant is None:
        raise _RefusedError(Refusal.TENANT_UNKNOWN, "The user's name cannot be a tenant's, and is not repeated here.")
    return request.tenant, request.address
