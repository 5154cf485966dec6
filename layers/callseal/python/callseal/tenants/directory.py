"""A tenant's settings (SSM), key (Secrets Manager) and other facts, cached for 60 s.

Before a file is held, `forget` drops the entries that are older than the attempt, so a corrected key or setting counts
at once. Files of one batch share the new entries, because SSM allows 40 calls a second for all tenants together
(https://docs.aws.amazon.com/general/latest/gr/ssm.html).
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
from callseal.tenants.names import key_secret, tenant_of_secret
from callseal.tenants.parameters import read_parameters
from callseal.tenants.settings import TenantSettings, parse_settings

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

CACHE_TIME = timedelta(seconds=60)
# Allowance for stale answers and for differences between the services' clocks. Parameter Store and Secrets Manager are
# eventually consistent, and AWS documents no bound. 30 s is several times the usual difference of clocks. CLOCK_SKEW,
# CACHE_TIME and the timeout of encrypt_recording together stay below the delay of a recheck, which a test checks.
CLOCK_SKEW = timedelta(seconds=30)
MAX_CACHED = 2_000
# The name of the fact that keys/select_key.py caches here: the key register's entries for a tenant.
INVENTORY = "inventory"
Fact = TypeVar("Fact")


class _NotThereError(CallsealError):
    """The parameter or secret does not exist."""


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """The recipients of a tenant's key, and the id of the secret's version that has the key."""

    recipients: Recipients
    version: str


@dataclass(frozen=True, slots=True)
class KeyText:
    """The text in a version of a tenant's secret. It is untrusted, and may be a private key by mistake."""

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


@dataclass(frozen=True, slots=True)
class _Config:
    """The parsed settings, and the policy's text, None if the tenant has no policy."""

    settings: TenantSettings
    policy: str | None


class Tenants:
    """Cached look-ups of tenants' settings and keys. Thread-safe."""

    def __init__(
        self,
        secrets: SecretsManagerClient,
        ssm: SSMClient,
        prefix: str,
        gpg: GpgFactory,
        clock: Clock,
    ) -> None:
        """`prefix` is the prefix of the tenants' secrets and parameters, `<stack>/tenants`."""
        self._secrets, self._ssm = secrets, ssm
        self._prefix, self._gpg, self._clock = prefix, gpg, clock
        self._entries: dict[tuple[str, str], _Entry] = {}

    def settings(self, tenant: str) -> TenantSettings:
        """Return a tenant's settings. Raises HeldError `SettingsMissing` or `SettingsInvalid`."""
        return self._config(tenant).settings

    def policy_text(self, tenant: str) -> str | None:
        """Return the text of a tenant's policy, or None if it has none. Raises HeldError like `settings`."""
        return self._config(tenant).policy

    def key(self, tenant: str) -> KeyVersion:
        """Return a tenant's current key. Raises HeldError with a Key* reason."""
        return cast("KeyVersion", self._remembered(("key", tenant), self._fetch_key))

    def key_at(self, tenant: str, version: str, current: KeyVersion) -> KeyVersion:
        """Return the key in another version of a tenant's secret, judged by the current version as well.

        The current version may revoke the other key or end its validity. Raises HeldError with a Key* reason.
        """
        name = (f"key {version} after {current.version}", tenant)
        return cast("KeyVersion", self._remembered(name, lambda tenant: self._fetch_key_at(tenant, version, current)))

    def cached(self, fact: str, tenant: str, fetch: Callable[[], Fact]) -> Fact:
        """Return another fact about a tenant, fetched at most once in CACHE_TIME.

        `drop` removes it from the cache. `forget` removes no fact but INVENTORY.
        """
        return cast("Fact", self._remembered((fact, tenant), lambda _: _Fetched(fetch())))

    def drop(self, fact: str, tenant: str) -> None:
        """Remove a fact from the cache."""
        self._entries.pop((fact, tenant), None)

    def names(self) -> Iterator[str]:
        """Yield the tenants that have a secret for their key."""
        named: Any = [{"Key": "name", "Values": [f"{self._prefix}/"]}]
        with calling("Listing the tenants' secrets"):
            for page in self._secrets.get_paginator("list_secrets").paginate(Filters=named):
                found = (tenant_of_secret(secret["Name"], self._prefix) for secret in page["SecretList"])
                yield from (tenant for tenant in found if tenant)

    def key_text(self, tenant: str, **version: str) -> KeyText:
        """Fetch a version of a tenant's secret, by default the current one. The cache is not used.

        `version` is an argument of GetSecretValue, such as `VersionId`. Raises HeldError `KeyMissing` or
        `KeyUnreadable`.
        """
        secret = self._fetch_secret(tenant, key_secret(self._prefix, tenant), version)
        if "SecretString" not in secret:
            held = unreadable("the secret has a binary value. Paste the key's text form as the secret's plaintext")
            held.key_version = secret["VersionId"]
            raise held
        return KeyText(secret["SecretString"], secret["VersionId"])

    def forget(self, tenant: str, before: datetime) -> bool:
        """Drop a tenant's settings, key and inventory from the cache if they were fetched before a time.

        Return whether there were any.
        """
        names = [(fact, tenant) for fact in ("settings", "key", INVENTORY)]
        stale = [name for name in names if self._fetched_before(name, before)]
        for name in stale:
            self._entries.pop(name, None)
        return bool(stale)

    def config_changed(self, tenant: str, since: datetime, by_key: bool) -> bool:
        """Return whether a worker may have used other settings, or another key if `by_key`, after a time.

        A worker's cache lags behind a change by up to CACHE_TIME.
        """
        entries = [self._entries.get((fact, tenant)) for fact in ("settings", *(["key"] if by_key else []))]
        changes = [entry.changed_at for entry in entries if entry and entry.changed_at]
        # An entry that is missing, or has no time of change, may have changed at any time.
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
        """Fetch the text of a tenant's settings. The cache is not used. Raises HeldError `SettingsMissing`."""
        return read_parameters(self._ssm, self._prefix, tenant, with_policy=False).settings

    def _config(self, tenant: str) -> _Config:
        return cast("_Config", self._remembered(("settings", tenant), self._fetch_config))

    def _fetch_config(self, tenant: str) -> _Fetched:
        found = read_parameters(self._ssm, self._prefix, tenant)
        return _Fetched(_Config(parse_settings(found.settings), found.policy), found.changed_at)

    def _fetch_key(self, tenant: str, **version: str) -> _Fetched:
        text = self.key_text(tenant, **version)
        try:
            recipients = judge(text.text, self._clock(), self._gpg)
        except HeldError as held:
            held.key_version = text.version
            raise
        # Read after the key, so that a change between the two calls is noticed.
        changed_at = None if version else self._changed_at(tenant)
        return _Fetched(KeyVersion(recipients, text.version), changed_at, usable_until(recipients))

    def _fetch_key_at(self, tenant: str, version: str, current: KeyVersion) -> _Fetched:
        fetched = self._fetch_key(tenant, VersionId=version)
        recipients = judge_after(
            cast("KeyVersion", fetched.value).recipients, current.recipients, self._clock(), self._gpg
        )
        return replace(fetched, value=KeyVersion(recipients, version))

    def _changed_at(self, tenant: str) -> datetime | None:
        """Return when a tenant's secret was last changed, or None if it never was.

        Its current version may be older than that, if the label AWSCURRENT was moved back to it.
        """
        with calling("Reading when the tenant's key changed"):
            secret = self._secrets.describe_secret(SecretId=key_secret(self._prefix, tenant))
        return secret.get("LastChangedDate")

    def _fetch_secret(self, tenant: str, name: str, version: dict[str, str]) -> Any:
        # Secrets Manager returns InvalidRequestException for a secret that is marked for deletion.
        gone = {"on_ResourceNotFoundException": _NotThereError, "on_InvalidRequestException": _NotThereError}
        try:
            with calling("Reading the tenant's key", **gone):
                # Without the stage, the emulator may return an old version after a change.
                wanted: Any = version or {"VersionStage": "AWSCURRENT"}
                return self._secrets.get_secret_value(SecretId=name, **wanted)
        except _NotThereError as exc:
            raise HeldError(
                Reason.KEY_MISSING,
                f"The tenant {tenant} has no key. Paste its certificate or OpenPGP public key in the secret {name}.",
            ) from exc
