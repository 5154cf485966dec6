"""`callseal tenants`: add and show tenants, and change their settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from callseal.core.errors import HeldError, Reason
from callseal.tenants.settings import parse_settings
from callseal_cli import keycheck, landing, settings, store
from callseal_cli.confirm import Fingerprints, confirmed
from callseal_cli.errors import CannotError
from callseal_cli.key_request import request_check
from callseal_cli.keycheck import Verdict
from callseal_cli.options import AsJson, Exit, StackName, TenantName, gpg, now, tenant_name
from callseal_cli.region import lacks_region, with_region
from callseal_cli.screen import Facts, Screen, Table
from callseal_cli.stack import Stack, find_stack

# The settings of a new tenant, unless --set changes them.
NEW_TENANT = {"require_key_proof": True}
SET_REGION = "callseal tenants set {} default_region=NO."
app = typer.Typer(help="The tenants: add, list, show, change.", no_args_is_help=True)


@app.command("add")
def add(
    tenant: TenantName,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Its public key; - is stdin.")] = None,
    members: Annotated[
        list[str] | None, typer.Option("--set", metavar="MEMBER=VALUE", help="A setting; may be repeated.")
    ] = None,
    fingerprints: Fingerprints = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Add a tenant: its settings, and its key if one is given. Exit code 1 if the key is not usable.

    The key must be proven before it is used, unless --set require_key_proof=false is given.
    """
    tenant_name(tenant)
    written = with_region(settings.changed(NEW_TENANT, members or []))
    wanted, text = settings.checked(written), keycheck.read_key(key) if key else None
    screen, verdict = Screen(as_json), keycheck.check(text, now(), gpg()) if text is not None else None
    if verdict and not verdict.usable:
        screen.show({"tenant": tenant, "added": False, "key": verdict.document}, *verdict.parts)
        return Exit.NO
    found = find_stack(stack)
    _refuse_known(found, tenant, with_key=text is not None)
    if verdict and not confirmed(verdict, fingerprints):
        document = {"tenant": tenant, "added": False, "key": verdict.document}
        screen.show(document, "Nothing was added: the fingerprint is not the tenant's.")
        return Exit.NO
    version = store.write_secret(found, tenant, text)[0] if text is not None else None
    store.write_settings(found, tenant, written, overwrite=False)
    document = {"tenant": tenant, "added": True, "settings": settings.effective(wanted), "version_id": version}
    hint = "" if text is not None else " It has no key yet: callseal keys put."
    parts = [f"{tenant} was added.{hint}", request_check(found, tenant) if text is not None else ""]
    parts += [f"Name the country of its national telephone numbers: {SET_REGION.format(tenant)}"] * lacks_region(
        written
    )
    screen.show(document | {"key": verdict.document if verdict else None}, *filter(None, parts))
    return Exit.DONE


@app.command("list")
def list_tenants(stack: StackName = None, as_json: AsJson = False) -> int:
    """List the tenants, and whether each has settings and a key."""
    screen, found = Screen(as_json), find_stack(stack)
    texts, with_key = store.tenants_with_settings(found), store.tenants_with_key(found)
    tenants = [
        {"tenant": name, "settings": _state(texts.get(name)), "has_key": name in with_key}
        for name in sorted(texts.keys() | with_key)
    ]
    table = Table(("tenant", "settings", "key"), [list(row.values()) for row in tenants], "There is no tenant.")
    screen.show({"tenants": tenants}, table)
    return Exit.DONE


@app.command("show")
def show(tenant: TenantName, stack: StackName = None, as_json: AsJson = False) -> int:
    """Show a tenant: its settings, its key with the verdict, and how many of its files are held."""
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    text, secret = store.read_settings(found, tenant), store.read_secret(found, tenant)
    if text is None and secret is None:
        raise CannotError(f"There is no tenant {tenant} in the stack {found.name}. Add it with callseal tenants add.")
    shown = _settings_shown(text)
    verdict, version = _judged(secret), secret[1] if secret else None
    files = [file for file in landing.files(found, screen, f"{tenant}/") if file.reason]
    by_reason = landing.reasons(files)
    document = {"tenant": tenant, **shown, "key": verdict.document | {"version_id": version},
                "held": {"count": len(files), "by_reason": by_reason}}  # fmt: skip
    facts: dict[str, Any] = {"tenant": tenant, **(shown["settings"] or {"settings": shown["settings_problem"]})}
    files_held = [f"{count} {reason}" for reason, count in by_reason.items()]
    screen.show(document, Facts(facts | {"held files": files_held or "none"}), *verdict.parts)
    return Exit.DONE


@app.command("set")
def set_members(
    tenant: TenantName,
    members: Annotated[
        list[str] | None, typer.Argument(metavar="[MEMBER=VALUE]...", help="MEMBER= restores the default.")
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option("--unset", metavar="MEMBER", help="Restore the default; may be repeated.")
    ] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Change a tenant's settings, and show them before and after."""
    if not members and not unset:
        raise CannotError("Say what to change: MEMBER=VALUE, or --unset MEMBER.")
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    text = store.read_settings(found, tenant)
    if text is None:
        raise CannotError(f"The tenant {tenant} has no settings in {found.name}. Write them with callseal tenants add.")
    before = settings.members_of(text)
    after = settings.changed(before, members or [], unset or [])
    values = settings.effective(settings.checked(after))
    if after != before:
        store.write_settings(found, tenant, after, overwrite=True)
    was = _settings_shown(text)["settings"] or before
    rows = [(name, was.get(name), value) for name, value in values.items()]
    effect = "It takes effect within 60 seconds." if after != before else "Nothing to change."
    document = {"tenant": tenant, "changed": after != before, "before": was, "after": values}
    screen.show(document, Table(("member", "before", "after"), rows), effect)
    return Exit.DONE


def _refuse_known(stack: Stack, tenant: str, *, with_key: bool) -> None:
    if store.read_settings(stack, tenant) is not None:
        raise CannotError(f"The tenant {tenant} exists. Change it with callseal tenants set and callseal keys put.")
    if with_key and store.read_secret(stack, tenant):
        raise CannotError(f"The tenant {tenant} has a key already. Add it without --key, then callseal keys put.")


def _state(text: str | None) -> str:
    try:
        return Reason.SETTINGS_MISSING if text is None else ("ok" if parse_settings(text) else "")
    except HeldError as held:
        return held.reason


def _settings_shown(text: str | None) -> dict[str, Any]:
    if text is None:
        return {"settings": None, "settings_problem": f"There are none: files are held {Reason.SETTINGS_MISSING}."}
    try:
        return {"settings": settings.effective(parse_settings(text)), "settings_problem": None}
    except HeldError as held:
        return {"settings": None, "settings_problem": str(held)}


def _judged(secret: tuple[str | None, str] | None) -> Verdict:
    if secret is None:
        return Verdict(Reason.KEY_MISSING, "There is no key. Put one with callseal keys put.", [])
    if secret[0] is None:
        return Verdict(Reason.KEY_UNREADABLE, "The secret holds binary data. Store the key as text.", [])
    return keycheck.check(secret[0], now(), gpg())
