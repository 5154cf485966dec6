"""What is known of a tenant: its settings from SSM, its key from Secrets Manager, what the key register says of both.

It is remembered for a minute.

A verdict that would hold a file is never repeated from before the file was looked at (`forget`), so a mended key counts
at once; but files that are looked at together share it, for SSM answers 40 calls a second
(https://docs.aws.amazon.com/general/latest/gr/ssm.html), all tenants together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from callseal.aws.calls import calling
from callseal.core.clock import Clock
from callseal.core.errors import CallsealError, HeldError, Reason
from callseal.core.recipient import usable_until
from callseal.crypto.recipients import GpgFactory, Recipients, judge, judge_after, unreadable
from callseal.tenants.names import key_secret, settings_parameter, tenant_of_secret
from callseal.tenants.settings import TenantSettings, parse_settings

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

CACHE_TIME = timedelta(seconds=60)
# How stale an answer may be, and how far the services' clocks may be apart. Parameter Store and Secrets Manager are
# eventually consistent and AWS names no bound. This is several times what clocks differ by. With CACHE_TIME and the
# timeout of encrypt_recording it stays below the delay of a recheck (a house rule of template.yaml's tests).
CLOCK_SKEW = timedelta(seconds=30)
MAX_CACHED = 2_000
# The fact that keys/select_key.py caches here: what the key register holds of a tenant's keys.
INVENTORY = "inventory"
Fact = TypeVar("Fact")


class _NotThereError(CallsealError):
    """The parameter or secret does not exist."""


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """A tenant's judged key, and the version id of the secret that it stands in."""

    recipients: Recipients
    version: str


@dataclass(frozen=True, slots=True)
class KeyText:
    """What stands in a version of a tenant's secret: untrusted, and a private key where somebody has erred."""

    text: str = field(repr=False)
    version: str


@dataclass(frozen=True, slots=True)
class _Fetched:
    value: object
    changed_at: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Any
    fetched: datetime
    until: datetime
    changed_at: datetime | None = None


class Tenants:
    """Looks tenants up; safe to use from several threads."""

    def __init__(
        self,
        secrets: SecretsManagerClient,
        ssm: SSMClient,
        prefix: str,
        gpg: GpgFactory,
        clock: Clock,
    ) -> None:
        """Take the clients, and the prefix of the names, `<stack>/tenants`."""
        self._secrets, self._ssm = secrets, ssm
        self._prefix, self._gpg, self._clock = prefix, gpg, clock
        self._entries: dict[tuple[str, str], _Entry] = {}

    def settings(self, tenant: str) -> TenantSettings:
        """Give a tenant's settings; raises HeldError `SettingsMissing` or `SettingsInvalid`."""
        return cast("TenantSettings", self._remembered(("settings", tenant), self._fetch_settings))

    def key(self, tenant: str) -> KeyVersion:
        """Give a tenant's key; raises HeldError with one of the Key* reasons."""
        return cast("KeyVersion", self._remembered(("key", tenant), self._fetch_key))

    def key_at(self, tenant: str, version: str, current: KeyVersion) -> KeyVersion:
        """Return the key in another version of a tenant's secret, judged by what the current one says of it, too.

        Raises HeldError with one of the Key* reasons.
        """
        name = (f"key {version} after {current.version}", tenant)
        return cast("KeyVersion", self._remembered(name, lambda tenant: self._fetch_key_at(tenant, version, current)))

    def cached(self, fact: str, tenant: str, fetch: Callable[[], Fact]) -> Fact:
        """Return another fact of a tenant, fetched at most once in CACHE_TIME; `forget` forgets it with the rest."""
        return cast("Fact", self._remembered((fact, tenant), lambda _: _Fetched(fetch())))

    def drop(self, fact: str, tenant: str) -> None:
        """Forget a fact: it is fetched again when it is next asked for."""
        self._entries.pop((fact, tenant), None)

    def names(self) -> Iterator[str]:
        """List the tenants that have a secret for their key."""
        named: Any = [{"Key": "name", "Values": [f"{self._prefix}/"]}]
        with calling("Listing the tenants' secrets"):
            for page in self._secrets.get_paginator("list_secrets").paginate(Filters=named):
                found = (tenant_of_secret(secret["Name"], self._prefix) for secret in page["SecretList"])
                yield from (tenant for tenant in found if tenant)

    def key_text(self, tenant: str, **version: str) -> KeyText:
        """Fetch a version of a tenant's secret, the current one by default; raises HeldError."""
        secret = self._fetch_secret(tenant, key_secret(self._prefix, tenant), version)
        if "SecretString" not in secret:
            held = unreadable("the secret holds binary data. Paste the key's text form as its plaintext")
            held.key_version = secret["VersionId"]
            raise held
        return KeyText(secret["SecretString"], secret["VersionId"])

    def forget(self, tenant: str, before: datetime) -> bool:
        """Forget what was fetched of a tenant before a moment; tells whether there was anything."""
        names = [
            (kind, tenant) for kind in ("settings", "key", INVENTORY) if self._fetched_before((kind, tenant), before)
        ]
        for name in names:
            self._entries.pop(name, None)
        return bool(names)

    def config_changed(self, tenant: str, since: datetime, by_key: bool) -> bool:
        """Tell whether, since a moment, somebody may have gone by other settings or another key than are there now."""
        entries = [self._entries.get((kind, tenant)) for kind in ("settings", *(["key"] if by_key else []))]
        changes = [entry.changed_at for entry in entries if entry and entry.changed_at]
        # What is forgotten by now, or of an unknown age, may have changed at any moment.
        return len(changes) < len(entries) or any(since < change + CACHE_TIME + CLOCK_SKEW for change in changes)

    def _fetched_before(self, name: tuple[str, str], moment: datetime) -> bool:
        entry = self._entries.get(name)
        return entry is not None and entry.fetched < moment

    def _remembered(self, name: tuple[str, str], fetch: Callable[[str], _Fetched]) -> object:
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
        return _Entry(made.value, now, min(now + CACHE_TIME, made.ends or now + CACHE_TIME), made.changed_at)

    def settings_text(self, tenant: str) -> str:
        """Read the text of a tenant's settings, past the cache; raises HeldError `SettingsMissing`."""
        return str(self._parameter(tenant)["Value"])

    def _fetch_settings(self, tenant: str) -> _Fetched:
        parameter = self._parameter(tenant)
        return _Fetched(parse_settings(parameter["Value"]), parameter.get("LastModifiedDate"))

    def _parameter(self, tenant: str) -> Any:
        name = settings_parameter(self._prefix, tenant)
        try:
            with calling("Reading the tenant's settings", on_ParameterNotFound=_NotThereError):
                return self._ssm.get_parameter(Name=name)["Parameter"]
        except _NotThereError as exc:
            raise HeldError(
                Reason.SETTINGS_MISSING,
                f"The tenant {tenant} has no settings. Put a JSON object ({{}} for the defaults) in parameter {name}.",
            ) from exc

    def _fetch_key(self, tenant: str, **version: str) -> _Fetched:
        text = self.key_text(tenant, **version)
        try:
            recipients = judge(text.text, self._clock(), self._gpg)
        except HeldError as held:
            held.key_version = text.version
            raise
        # Asked after the key: if it has changed in between, that is seen.
        changed_at = None if version else self._changed_at(tenant)
        return _Fetched(KeyVersion(recipients, text.version), changed_at, usable_until(recipients))

    def _fetch_key_at(self, tenant: str, version: str, current: KeyVersion) -> _Fetched:
        fetched = self._fetch_key(tenant, VersionId=version)
        recipients = judge_after(
            cast("KeyVersion", fetched.value).recipients, current.recipients, self._clock(), self._gpg
        )
        return replace(fetched, value=KeyVersion(recipients, version))

    def _changed_at(self, tenant: str) -> datetime | None:
        """Tell when a tenant's secret was last changed; its current version may be older, and current once more."""
        with calling("Reading when the tenant's key changed"):
            secret = self._secrets.describe_secret(SecretId=key_secret(self._prefix, tenant))
        return secret.get("LastChangedDate")

    def _fetch_secret(self, tenant: str, name: str, version: dict[str, str]) -> Any:
        # The last is what Secrets Manager answers for a secret that is marked for deletion.
        gone = {"on_ResourceNotFoundException": _NotThereError, "on_InvalidRequestException": _NotThereError}
        try:
            with calling("Reading the tenant's key", **gone):
                # Without the stage, the emulator may answer with an old version after a change.
                wanted: Any = version or {"VersionStage": "AWSCURRENT"}
                return self._secrets.get_secret_value(SecretId=name, **wanted)
        except _NotThereError as exc:
            raise HeldError(
                Reason.KEY_MISSING,
                f"The tenant {tenant} has no key. Paste its certificate or OpenPGP public key in the secret {name}.",
            ) from exc
