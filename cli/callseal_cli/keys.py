"""`callseal keys`: check a key file, store it, prove it, and list every key that a tenant has had."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from callseal.keys.check_folder import FOLDER
from callseal_cli import keycheck, proof, recheck, register, store
from callseal_cli.confirm import Fingerprints, confirmed
from callseal_cli.errors import CannotError
from callseal_cli.key_request import request_check
from callseal_cli.options import AsJson, Exit, StackName, TenantName, gpg, now, tenant_name
from callseal_cli.screen import Screen, Table, csv_text
from callseal_cli.stack import find_stack

app = typer.Typer(help="The tenants' public keys.", no_args_is_help=True)

KeyFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="Certificate(s) in PEM or an armoured PGP public key; - is stdin.")
]
LISTED = ("tenant", "fingerprint", "subkey", "kind", "algorithm", "strength", "first_seen", "proven", "not_after",
          "retired", "use_count", "last_used")  # fmt: skip


NO_VERDICT = "There was no verdict within a minute. Look at callseal keys list later."


class Format(StrEnum):
    """The format of an export."""

    CSV = "csv"
    JSON = "json"


@app.command("check")
def check(
    file: KeyFile,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Judge as of this time, 2027-01-31 or 2027-01-31T12:00Z.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check a key file offline, as the functions would check it: exit code 0 if it is usable, 1 if not."""
    verdict = keycheck.check(keycheck.read_key(file), _moment(at) if at else now(), gpg())
    Screen(as_json).show(verdict.document, *verdict.parts)
    return Exit.DONE if verdict.usable else Exit.NO


@app.command("put")
def put(
    tenant: TenantName,
    file: KeyFile,
    fingerprints: Fingerprints = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Check a key file, compare its fingerprint with the tenant's, and store it as the tenant's key.

    A private key never leaves this machine.
    """
    tenant_name(tenant)
    text, screen = keycheck.read_key(file), Screen(as_json)
    verdict = keycheck.check(text, now(), gpg())
    document = {"tenant": tenant, **verdict.document}
    if not verdict.usable:
        screen.show(document | {"version_id": None}, *verdict.parts, "Nothing was stored.")
        return Exit.NO
    found = find_stack(stack)
    if not confirmed(verdict, fingerprints):
        screen.show(document | {"version_id": None}, "Nothing was stored: the fingerprint is not the tenant's.")
        return Exit.NO
    version, is_new = store.write_secret(found, tenant, text)
    parts = [f"Stored as version {version}.", request_check(found, tenant) if is_new else ""]
    screen.show(document | {"version_id": version}, *verdict.parts, *filter(None, parts))
    return Exit.DONE


@app.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Argument(metavar="TENANT", help="The tenant's name.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="The keys of all tenants.")] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """List every key that a tenant has had, from the key register."""
    if (tenant is None) != everything:
        raise CannotError("Name a tenant, or --all for all of them.")
    screen = Screen(as_json)
    found = register.keys(find_stack(stack), screen, tenant_name(tenant) if tenant else None)
    table = Table(LISTED, [[key[name] for name in LISTED] for key in found], "There is no key in the register.")
    screen.show({"keys": found}, table)
    return Exit.DONE


@app.command("export")
def export(
    form: Annotated[Format, typer.Option("--format", help="The format.")] = Format.CSV,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Write the whole key register to standard output."""
    wants_json = as_json or form is Format.JSON
    screen = Screen(wants_json)
    found = register.keys(find_stack(stack), screen)
    screen.show({"keys": found}, *([] if wants_json else [csv_text(register.ATTRIBUTES, found)]))
    return Exit.DONE


@app.command("prove")
def prove(
    tenant: TenantName,
    code: Annotated[str, typer.Argument(metavar="CODE", help="The code that the tenant read in its challenge.")],
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Submit the code that a tenant read in its challenge, and wait for the verdict: exit code 0 proven, 1 not."""
    screen, found = Screen(as_json), find_stack(tenant_name(tenant) and stack)
    pending = proof.pending(found, screen, tenant)
    if not pending:
        raise CannotError(f"No key of {tenant} waits for its proof: {FOLDER}/ has no challenge for an unproven key.")
    earlier = proof.refusals(found, screen, tenant)
    answered = [key for key in pending if proof.answer(found, tenant, key, code.strip())]
    proven, why_not = proof.wait(found, screen, tenant, answered, earlier)
    message = f"Proven: {', '.join(proven)}." if proven else f"Not proven. {why_not or NO_VERDICT}"
    if not answered:
        message = "Not proven. Another answer has not been judged yet. Try again in a minute."
    document = {"tenant": tenant, "proven": proven, "pending": pending, "message": message}
    screen.show(document, message)
    return Exit.DONE if proven else Exit.NO


@app.command("recheck")
def recheck_keys(
    tenant: Annotated[str | None, typer.Argument(metavar="TENANT", help="The tenant's name.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="The keys of all tenants.")] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Have check_keys judge a tenant's key again, or every tenant's: exit code 0 if all are accepted, 1 if not."""
    if (tenant is None) != everything:
        raise CannotError("Name a tenant, or --all for all of them.")
    screen, found = Screen(as_json), find_stack(stack)
    wanted = [tenant_name(tenant)] if tenant else sorted(store.tenants_with_key(found))
    verdicts = recheck.run(found, screen, wanted)
    table = Table(("tenant", "verdict"), list(verdicts.items()), "No tenant has a key.")
    screen.show({"tenants": [{"tenant": name, "verdict": verdict} for name, verdict in verdicts.items()]}, table)
    return Exit.DONE if all(verdict == recheck.ACCEPTED for verdict in verdicts.values()) else Exit.NO


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise CannotError(f"--at {text!r} is not a time. Write 2027-01-31, or 2027-01-31T12:00Z.") from exc
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
