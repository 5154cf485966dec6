"""`callseal policy`: show, store and exchange a tenant's policy, and list the presets."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from callseal.calls.classes import COMPLIANCE_YEARS
from callseal.calls.policy import parse_policy
from callseal.calls.policy_csv import decode_csv, export_csv, import_csv
from callseal.calls.policy_text import policy_members, policy_text
from callseal.calls.presets import DISCLAIMER, presets
from callseal.tenants.settings import TenantSettings
from callseal_cli import policy_changes, policy_try, settings, store
from callseal_cli.errors import CannotError
from callseal_cli.options import AsJson, Exit, StackName, TenantName, now, tenant_name
from callseal_cli.policy_changes import DAYS
from callseal_cli.policy_input import can_ask, checked, question, read_text
from callseal_cli.screen import Facts, Part, Screen, Table
from callseal_cli.stack import find_stack

app = typer.Typer(help="The tenants' policies.", no_args_is_help=True)
Yes = Annotated[bool, typer.Option("--yes", help="Store without a question.")]
# Excel recognises UTF-8 by its mark.
CSV_ENCODING = "utf-8-sig"


@app.command("show")
def show(tenant: TenantName, stack: StackName = None, as_json: AsJson = False) -> int:
    """Show a tenant's policy as it is stored: exit code 1 if it has none."""
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    text = store.read_policy(found, tenant)
    if text is None:
        screen.show({"tenant": tenant, "policy": None, "version": None}, f"{tenant} has no policy.")
        return Exit.NO
    policy = checked(text)
    screen.show(
        {"tenant": tenant, "policy": policy_members(policy), "version": policy.version},
        text.rstrip("\n"),
        f"Version {policy.version}.",
    )
    return Exit.DONE


@app.command("export")
def export(
    tenant: TenantName,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the spreadsheet to this file.")
    ] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Write a tenant's policy as a spreadsheet (CSV): exit code 1 if it has none."""
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    text = store.read_policy(found, tenant)
    if text is None:
        screen.show({"tenant": tenant, "csv": None, "file": None}, f"{tenant} has no policy.")
        return Exit.NO
    table = export_csv(checked(text))
    document = {"tenant": tenant, "csv": table, "file": str(csv) if csv else None}
    if csv:
        csv.write_text(table, encoding=CSV_ENCODING, newline="")
        screen.show(document, f"Written to {csv}.")
    else:
        screen.show(document, table.replace("\r\n", "\n").rstrip("\n"))
    return Exit.DONE


@app.command("try")
def try_policy(
    targets: Annotated[
        list[str], typer.Argument(metavar="[TENANT] FILE|FOLDER", help="A metadata file, or a folder of them.")
    ],
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="Another policy in JSON than the tenant's.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="Without TENANT: the setting metadata_profile.")
    ] = None,
    paths: Annotated[
        Path | None, typer.Option("--paths", metavar="FILE", help="Without TENANT: metadata_paths, a JSON object.")
    ] = None,
    members: Annotated[
        list[str] | None, typer.Option("--set", metavar="MEMBER=VALUE", help="Without TENANT: another setting.")
    ] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Show what a policy decides about metadata files: exit code 1 if one is unreadable.

    Without TENANT it needs no stack, but --policy, and --profile or --paths.
    """
    if len(targets) > 2:
        raise CannotError("Name at most a tenant, and a file or folder.")
    screen, files = Screen(as_json), policy_try.metadata_files(Path(targets[-1]))
    if len(targets) == 2:
        if profile or paths or members:
            raise CannotError("With TENANT its settings are used: leave out --profile, --paths and --set.")
        found = find_stack(tenant_name(targets[0]) and stack)
        values = settings.of_tenant(found, targets[0])
        text = read_text(policy) if policy else store.read_policy(found, targets[0])
        if text is None:
            raise CannotError(f"{targets[0]} has no policy. Name one with --policy FILE.")
        trial = policy_try.Trial(checked(text, values, found.compliance_years), values, now())
    else:
        if not policy or not (profile or paths):
            raise CannotError("Without TENANT, name --policy FILE, and --profile NAME or --paths FILE.")
        values = _settings_given(profile, paths, members or [])
        trial = policy_try.Trial(checked(read_text(policy), years=COMPLIANCE_YEARS), values, now())
    decided = [trial.decide(file) for file in files]
    screen.show({"files": decided}, Table(policy_try.COLUMNS, [policy_try.row(each) for each in decided]))
    return Exit.NO if any("message" in each for each in decided) else Exit.DONE


@app.command("diff")
def diff(
    tenant: TenantName,
    policy: Annotated[Path, typer.Option("--policy", metavar="FILE", help="The new policy in JSON; - is stdin.")],
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Compare the calls of so many days.")] = DAYS,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Count what a new policy changes for the tenant's calls of the last days. Nothing is stored."""
    text, screen, found = read_text(policy), Screen(as_json), find_stack(tenant_name(tenant) and stack)
    new = checked(text, settings.of_tenant(found, tenant), found.compliance_years)
    stored = store.read_policy(found, tenant)
    old = checked(stored) if stored is not None else None
    changes = policy_changes.count_changes(found, screen, tenant, old, new, days)
    screen.show(changes, Facts(policy_changes.by_name(changes)), policy_changes.effect(old))
    return Exit.DONE


@app.command("put")
def put(
    tenant: TenantName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy in JSON; - is stdin.")],
    yes: Yes = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Check a policy, show what it changes, ask, and store it: exit code 1 if the answer is not yes."""
    return _store(tenant, read_text(file), yes, stack, as_json)


@app.command("import")
def import_spreadsheet(
    tenant: TenantName,
    csv: Annotated[Path, typer.Option("--csv", metavar="FILE", help="The spreadsheet; - is stdin.")],
    yes: Yes = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Do the same as put with a policy in a spreadsheet (CSV)."""
    return _store(tenant, read_text(csv, decode_csv, import_csv), yes, stack, as_json)


@app.command("presets")
def show_presets(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Print the policy of this preset.")] = None,
    as_json: AsJson = False,
) -> int:
    """List policies by country and by law, or print one to copy. They are no legal advice, and never applied."""
    screen, found = Screen(as_json), presets()
    if name is None:
        rows = [(each.name, each.title, each.date, [source["text"] for source in each.source]) for each in found]
        document: dict[str, Any] = {"disclaimer": DISCLAIMER, "presets": [asdict(each) for each in found]}
        screen.show(document, DISCLAIMER, Table(("preset", "for", "date", "sources"), rows))
        return Exit.DONE
    preset = next((each for each in found if each.name == name), None)
    if preset is None:
        raise CannotError(f"There is no preset {name!r}. The presets are {', '.join(each.name for each in found)}.")
    # On a pipe, standard output is the policy alone, for a file.
    facts = Facts({"preset": preset.title, "date": preset.date, "summary": preset.summary,
                   "sources": [f"{each['text']} ({each['url']})" for each in preset.source]})  # fmt: skip
    text = policy_text(parse_policy(json.dumps(preset.policy)))
    heading: list[Part] = [DISCLAIMER, facts] if sys.stdout.isatty() else []
    screen.show({"disclaimer": DISCLAIMER, **asdict(preset)}, *heading, text.rstrip("\n"))
    return Exit.DONE


def _store(tenant: str, text: str, yes: bool, stack: str | None, as_json: bool) -> int:
    policy, screen, found = checked(text), Screen(as_json), find_stack(tenant_name(tenant) and stack)
    checked(text, settings.of_tenant(found, tenant), found.compliance_years)
    stored = store.read_policy(found, tenant)
    document = {"tenant": tenant, "stored": False, "version": policy.version}
    if stored == text:
        screen.show(document | {"stored": True}, "Nothing to change.")
        return Exit.DONE
    if not yes:
        old = policy_changes.stored_policy(stored)
        changes = policy_changes.count_changes(found, screen, tenant, old, policy)
        preview = policy_changes.preview(stored, policy, changes)
        # On a terminal, the question has shown it already.
        shown = [] if can_ask() else preview
        if not (can_ask() and question(preview, policy)):
            refusal = "Nothing was stored. Answer yes, or repeat the command with --yes."
            screen.show({**document, "changes": changes}, *shown, refusal)
            return Exit.NO
    store.write_policy(found, tenant, text)
    screen.show(document | {"stored": True}, f"Stored as version {policy.version}. It takes effect within 60 seconds.")
    return Exit.DONE


def _settings_given(profile: str | None, paths: Path | None, members: list[str]) -> TenantSettings:
    given = settings.changed({}, members)
    if paths:
        try:
            given["metadata_paths"] = json.loads(read_text(paths))
        except (ValueError, RecursionError) as exc:
            raise CannotError(f'{paths} is not JSON. Write an object such as {{"caller": "//remoteAddress"}}.') from exc
    return settings.checked({**given, **({"metadata_profile": profile} if profile else {})})
