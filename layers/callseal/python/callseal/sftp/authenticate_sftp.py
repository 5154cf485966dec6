"""Answer a login at the SFTP front with the keys that may open a session, or with an empty answer.

The answer for an unknown tenant does not differ from that for a refused one, nor does the time until it is sent. Anyone
can attempt logins at any rate. An answer therefore uses no quota that sealing needs: settings are read from a copy, and
refusals go to a queue (`sftp/refusals.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from callseal.core.audit import timestamp
from callseal.core.clock import Clock
from callseal.core.errors import CallsealError, HeldError
from callseal.core.log import Log
from callseal.sftp.authorized_keys import AuthorizedKey, AuthorizedKeys, parse_authorized_keys
from callseal.sftp.login import PROTOCOL, LoginRequest, Refusal
from callseal.sftp.login_settings import LoginSettings
from callseal.sftp.notice_queue import NoticeQueue
from callseal.sftp.refusals import RefusedLines, refused_login
from callseal.sftp.session import SessionSettings, session_answer
from callseal.sftp.stored_keys import KeysText, NoSftpKeysError, SftpKeys
from callseal.tenants.login_sources import Address, within
from callseal.tenants.settings import TenantSettings, parse_settings

# Longer than the three requests of a known tenant's login usually take, so the time does not show which tenants exist.
ANSWER_SECONDS = 0.3
# In one notice: in a file that is not an authorized_keys file at all, each line is refused.
MAX_LINES_NAMED = 20
MAX_REMEMBERED = 10_000
REFUSED: dict[str, Any] = {}


class _RefusedError(CallsealError):
    """The login is refused. The sentence goes to the audit only. `tenant` is None unless the tenant exists."""

    def __init__(self, refusal: Refusal, sentence: str, tenant: str | None = None) -> None:
        super().__init__(sentence)
        self.refusal, self.tenant = refusal, tenant


class SftpLogins:
    """Answers logins. Keys are not cached, so a removed key opens no session after its removal."""

    def __init__(
        self,
        keys: SftpKeys,
        tenant_settings: LoginSettings,
        notices: NoticeQueue,
        settings: SessionSettings,
        clock: Clock,
        wait: Callable[[float], None],
        log: Log,
    ) -> None:
        """Take the collaborators. `wait` is called with the seconds that remain until ANSWER_SECONDS."""
        self._keys, self._tenant_settings, self._notices = keys, tenant_settings, notices
        self._settings, self._clock, self._wait, self._log = settings, clock, wait, log
        self._lines_sent: set[tuple[str, str]] = set()

    def answer(self, request: LoginRequest) -> dict[str, Any]:
        """Return the answer to a server's request, empty for a refusal.

        Raise TransientError if an AWS call failed. The login then fails, too.
        """
        started = time.monotonic()
        try:
            return self._answer(request)
        finally:
            self._wait(max(0.0, ANSWER_SECONDS - (time.monotonic() - started)))

    def _answer(self, request: LoginRequest) -> dict[str, Any]:
        try:
            return self._session(*_tenant_and_address(request))
        except _RefusedError as refused:
            tenant = refused.tenant or self._known_tenant(request, refused.refusal)
            why = (tenant, refused.refusal, str(refused))
            self._notices.send([refused_login(self._clock(), request.session, *why)])
            self._log.info("login refused", extra={"tenant": tenant, "reason": refused.refusal.value})
            return dict(REFUSED)

    def _known_tenant(self, request: LoginRequest, refusal: Refusal) -> str | None:
        """Return the tenant of a login that was refused before its keys were looked up, if such a tenant exists."""
        claimed = request.tenant if refusal is not Refusal.TENANT_UNKNOWN else None
        return claimed if claimed and self._tenant_settings.knows(claimed) else None

    def _session(self, tenant: str, address: Address) -> dict[str, Any]:
        keys = self._keys_of(tenant)
        # The tenant exists, so the audit may name it.
        try:
            settings = self._settings_of(tenant)
            usable = self._usable(tenant, address, keys, settings)
        except _RefusedError as refused:
            refused.tenant = tenant
            raise
        self._log.info(
            "keys offered", extra={"tenant": tenant, "key_version": keys.version, "keys_offered": len(usable)}
        )
        offered = [key.text for key in usable]
        return session_answer(self._settings, tenant, offered, may_delete=settings.sftp_may_delete)

    def _usable(self, tenant: str, address: Address, keys: KeysText, settings: TenantSettings) -> list[AuthorizedKey]:
        """Return the keys that may open this session. Raise _RefusedError if there are none."""
        if settings.sftp_source_addresses and not within(address, settings.sftp_source_addresses):
            raise _RefusedError(
                Refusal.SOURCE_NOT_ALLOWED, "The caller's address is not in the setting sftp_source_addresses."
            )
        authorized = parse_authorized_keys(keys.text)
        self._report_refused_lines(tenant, keys.version, authorized)
        if authorized.has_private_key:
            raise _RefusedError(
                Refusal.PRIVATE_KEY_PASTED,
                "The tenant's SFTP keys contain a PRIVATE key, so none of them is accepted. Delete this version of the "
                "secret, inform the tenant that the key pair is compromised, and ask for the public half (.pub) of a "
                "new one.",
            )
        usable = authorized.admitting(address, self._clock())
        if not usable:
            raise _RefusedError(
                Refusal.NO_KEY_USABLE,
                "No line of the tenant's SFTP keys is valid for this address at this time "
                f"({len(authorized.keys)} lines accepted, {len(authorized.refused)} refused).",
            )
        return usable

    def _settings_of(self, tenant: str) -> TenantSettings:
        text = self._tenant_settings.text(tenant)
        if text is None:
            raise _RefusedError(Refusal.TENANT_NOT_SET_UP, f"The tenant {tenant} has no settings.")
        try:
            return parse_settings(text)
        except HeldError as held:
            raise _RefusedError(Refusal.TENANT_NOT_SET_UP, str(held)) from held

    def _keys_of(self, tenant: str) -> KeysText:
        try:
            return self._keys.read(tenant)
        except NoSftpKeysError as exc:
            sentence = "No tenant with this user name has SFTP keys. The name is not repeated here."
            raise _RefusedError(Refusal.TENANT_UNKNOWN, sentence) from exc

    def _report_refused_lines(self, tenant: str, version: str, authorized: AuthorizedKeys) -> None:
        """Send one notice of all refused lines of a secret's version, once in this execution environment."""
        if not authorized.refused or (tenant, version) in self._lines_sent:
            return
        whys = [f"line {line.line}: {line.why}" for line in authorized.refused[:MAX_LINES_NAMED]]
        more = len(authorized.refused) - len(whys)
        message = (
            f"Refused lines of the tenant's SFTP keys: {'; '.join(whys)}"
            f"{f'; and {more} more' if more else ''}. Correct them in the secret."
        )
        self._notices.send([RefusedLines(timestamp(self._clock()), tenant, version, message)])
        if len(self._lines_sent) >= MAX_REMEMBERED:
            self._lines_sent.clear()
        self._lines_sent.add((tenant, version))


def _tenant_and_address(request: LoginRequest) -> tuple[str, Address]:
    """Return the tenant and the source address of an SFTP login with a key. Raise _RefusedError for any other login."""
    if request.protocol != PROTOCOL:
        raise _RefusedError(Refusal.PROTOCOL_NOT_OFFERED, "Only SFTP is offered.")
    if request.has_password:
        raise _RefusedError(Refusal.PASSWORD_NOT_TAKEN, "Passwords are not accepted. Log in with a key.")
    if request.address is None:
        raise _RefusedError(Refusal.SOURCE_UNKNOWN, "The server's request has no valid source address.")
    if request.tenant is None:
        raise _RefusedError(Refusal.TENANT_UNKNOWN, "The user name cannot be a tenant's name. It is not repeated here.")
    return request.tenant, request.address
