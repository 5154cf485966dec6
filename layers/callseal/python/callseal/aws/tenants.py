"""What is known of a tenant: its settings from SSM, its key from Secrets Manager, judged; remembered for a minute.

A verdict that would hold a file is never repeated from before the file was looked at (`forget`), so a mended key counts
at once; but files that are looked at together share it, for SSM answers 40 calls a second
(https://docs.aws.amazon.com/general/latest/gr/ssm.html), all tenants together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from callseal.aws.calls import calling
from callseal.errors import CallsealError, HeldError, Reason
from callseal.recipients import GpgFactory, Recipients, judge, unreadable
from callseal.recipients.model import usable_until
from callseal.settings import TenantSettings, parse_settings

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

CACHE_TIME = timedelta(seconds=60)
# The services' clocks are not the same one.
CLOCK_SKEW = timedelta(seconds=2)
MAX_CACHED = 2_000

Clock = Callable[[], datetime]


class _NotThereError(CallsealError):
    """The parameter or secret does not exist."""


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """A tenant's judged key, and the version id of the secret that it stands in."""

    recipients: Recipients
    version: str


@dataclass(frozen=True, slots=True)
class _Fetched:
    value: TenantSettings | KeyVersion
    put_at: datetime
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    value: TenantSettings | KeyVersion | HeldError
    fetched: datetime
    until: datetime
    put_at: datetime | None = None


class Tenants:
    """Looks tenants up; safe to use from several threads."""

    def __init__(
        self, secrets: SecretsManagerClient, ssm: SSMClient, prefix: str, gpg: GpgFactory, clock: Clock
    ) -> None:
        """Take the clients and the names' prefix, `<stack>/tenants`."""
        self._secrets, self._ssm = secrets, ssm
        self._prefix, self._gpg, self._clock = prefix, gpg, clock
        self._entries: dict[tuple[str, str], _Entry] = {}

    def settings(self, tenant: str) -> TenantSettings:
        """Give a tenant's settings; raises HeldError `SettingsMissing` or `SettingsInvalid`."""
        return cast("TenantSettings", self._remembered(("settings", tenant), self._fetch_settings))

    def key(self, tenant: str) -> KeyVersion:
        """Give a tenant's key; raises HeldError with one of the Key* reasons."""
        return cast("KeyVersion", self._remembered(("key", tenant), self._fetch_key))

    def forget(self, tenant: str, before: datetime) -> bool:
        """Forget what was fetched of a tenant before a moment; tells whether there was anything."""
        names = [name for name in (("settings", tenant), ("key", tenant)) if self._fetched_before(name, before)]
        for name in names:
            self._entries.pop(name, None)
        return bool(names)

    def moved(self, tenant: str, since: datetime) -> bool:
        """Tell whether, since a moment, somebody may have gone by other settings or another key than are there now."""
        entries = [self._entries.get(name) for name in (("settings", tenant), ("key", tenant))]
        puts = [entry.put_at for entry in entries if entry and entry.put_at]
        return not entries[0] or any(since < put + CACHE_TIME + CLOCK_SKEW for put in puts)

    def _fetched_before(self, name: tuple[str, str], moment: datetime) -> bool:
        entry = self._entries.get(name)
        return entry is not None and entry.fetched < moment

    def _remembered(self, name: tuple[str, str], fetch: Callable[[str], _Fetched]) -> TenantSettings | KeyVersion:
        now, entry = self._clock(), self._entries.get(name)
        if not entry or not entry.fetched <= now < entry.until:
            entry = self._entry(now, lambda: fetch(name[1]))
            if len(self._entries) >= MAX_CACHED:
                self._entries.clear()
            self._entries[name] = entry
        if isinstance(entry.value, HeldError):
            raise entry.value.with_traceback(None)
        return entry.value

    @staticmethod
    def _entry(now: datetime, fetch: Callable[[], _Fetched]) -> _Entry:
        try:
            made = fetch()
        except HeldError as held:
            return _Entry(held, now, now + CACHE_TIME)
        return _Entry(made.value, now, min(now + CACHE_TIME, made.ends or now + CACHE_TIME), made.put_at)

    def _fetch_settings(self, tenant: str) -> _Fetched:
        name = f"/{self._prefix}/{tenant}/settings"
        try:
            with calling("Reading the tenant's settings", on_ParameterNotFound=_NotThereError):
                parameter = self._ssm.get_parameter(Name=name)["Parameter"]
        except _NotThereError as exc:
            raise HeldError(
                Reason.SETTINGS_MISSING,
                f"The tenant {tenant} has no settings. Put a JSON object ({{}} for the defaults) in parameter {name}.",
            ) from exc
        return _Fetched(parse_settings(parameter["Value"]), parameter["LastModifiedDate"])

    def _fetch_key(self, tenant: str) -> _Fetched:
        secret = self._fetch_secret(tenant, f"{self._prefix}/{tenant}/public-key")
        try:
            if "SecretString" not in secret:
                raise unreadable("the secret holds binary data. Paste the key's text form as its plaintext")
            recipients = judge(secret["SecretString"], self._clock(), self._gpg)
        except HeldError as held:
            held.key_version = secret["VersionId"]
            raise
        key = KeyVersion(recipients, secret["VersionId"])
        return _Fetched(key, secret["CreatedDate"], usable_until(recipients))

    def _fetch_secret(self, tenant: str, name: str) -> Any:
        # The last is what Secrets Manager answers for a secret that is marked for deletion.
        gone = {"on_ResourceNotFoundException": _NotThereError, "on_InvalidRequestException": _NotThereError}
        try:
            with calling("Reading the tenant's key", **gone):
                # Without the stage, the emulator may answer with an old version after a change.
                return self._secrets.get_secret_value(SecretId=name, VersionStage="AWSCURRENT")
        except _NotThereError as exc:
            raise HeldError(
                Reason.KEY_MISSING,
                f"The tenant {tenant} has no key. Paste its certificate or OpenPGP public key in the secret {name}.",
            ) from exc
