"""`callseal copy`: give a tenant a copy of its calls on request, by SFTP or by shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from secrets import token_hex
from typing import Annotated, Any, Literal

import typer

from callseal.archive.new_share import MAX_DAYS, Wish, address
from callseal.aws.batching import BatchWindow
from callseal.aws.bus import AuditBus
from callseal.calls.call_name import REQUESTS
from callseal.calls.card import Card
from callseal.calls.card_table import CardTable
from callseal.core.audit import AuditEvent, event, law_member, timestamp
from callseal.core.errors import HeldError
from callseal.core.event_types import EventType
from callseal.delivery.output_buckets import OutputBuckets
from callseal.keys.register_table import KeyRegister
from callseal.keys.select_key import KeyChoice
from callseal.retention.erasure_calls import ErasureCalls
from callseal.sftp.file_state import expiry
from callseal.tenants.directory import KeyVersion, Tenants
from callseal.tenants.settings import TenantSettings
from callseal_cli import settings
from callseal_cli.cards import blind_index, calls_table, outside_number
from callseal_cli.copied import PENDING, Copied, Left
from callseal_cli.copies import DAYS, Copies, Original
from callseal_cli.errors import CannotError
from callseal_cli.options import AsJson, Exit, StackName, TenantName, gpg, now, tenant_name
from callseal_cli.person import person
from callseal_cli.screen import Facts, Part, Screen, Table
from callseal_cli.shares import share_recordings
from callseal_cli.stack import Stack, find_stack

PARTS_AT_ONCE = 4
FILES, LEFT, SHARED = ("name", "size", "sealed", "sha256"), ("call", "file", "code"), ("id", "call", "file", "expires")
Text = str | None


@dataclass(frozen=True)
class Job:
    """A request for a copy: who asks for which calls of a tenant. `id` names it, and the folder of its copies."""

    stack: Stack
    screen: Screen
    tenant: str
    settings: TenantSettings
    who: str
    table: CardTable
    cards: Sequence[Card]
    id: str

    @property
    def ready(self) -> list[Card]:
        """The calls that may be copied."""
        return [card for card in self.cards if not card.erasure_pending]

    @property
    def left(self) -> list[Left]:
        """The calls that wait for their erasure."""
        return [Left(card.call.id, None, PENDING) for card in self.cards if card.erasure_pending]

    def event(self, to: str) -> AuditEvent:
        """Return the event of the request."""
        law = law_member(request=self.id, counts={"calls": len(self.ready)})
        members = {"tenant": self.tenant, "message": f"{self.who} asked for a copy of calls to {to}.", "law": law}
        return event(EventType.COPY_REQUESTED, now(), members, [EventType.COPY_REQUESTED, self.tenant, self.id])


def copy(
    tenant: TenantName,
    to: Annotated[Literal["sftp", "share"], typer.Option("--to", help="sftp, or share for mails with links.")],
    caller: Annotated[Text, typer.Option("--caller", help="The number of the outside party.")] = None,
    calls: Annotated[
        list[str] | None, typer.Option("--call", metavar="ID", help="A call's id, or its session's id; once for each.")
    ] = None,
    recipient: Annotated[Text, typer.Option("--recipient", help="With --to share: the e-mail address.")] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=MAX_DAYS, help="With --to share: how long the links work.")
    ] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Copy calls to the folder requests of the tenant's SFTP area for 7 days, or share their plain recordings.

    What is sealed stays sealed. Exit code 1 if there is nothing to copy, or if something was not copied.
    """
    if (caller is None) == (not calls):
        raise CannotError("Name either --caller or --call.")
    wish, found = _wish(to, recipient, days), find_stack(tenant_name(tenant) and stack)
    of_tenant, who = settings.of_tenant(found, tenant), person(found)
    if not of_tenant.deliver_to_archive:
        raise CannotError(f"{tenant} has no archive to copy from. A copy needs the setting deliver_to_archive=true.")
    screen = Screen(as_json)
    with calls_table(found) as table:
        cards = CardTable(found.dynamodb, table, now)
        finder = ErasureCalls(cards, blind_index(found))
        by_name = [finder.of_call(tenant, each) for each in calls or ()]
        number = outside_number(caller, of_tenant) if caller is not None else None
        wanted = _listed([*by_name, finder.of_caller(tenant, number)] if number else by_name)
        if not wanted or any(not _listed([each]) for each in by_name):
            screen.show({"tenant": tenant, "found": False}, "There is no such call, so nothing is copied.")
            return Exit.NO
        job = Job(found, screen, tenant, of_tenant, who, cards, wanted, token_hex(8))
        return _carry_out(job, wish)


def _carry_out(job: Job, wish: Wish | None) -> int:
    if not job.ready:
        return _refuse(job, PENDING, "The calls wait for their erasure, so they are not copied.")
    return _by_share(job, wish) if wish else _by_sftp(job)


def _by_sftp(job: Job) -> int:
    sftp, archive = job.stack.output("SftpBucketName"), job.stack.output("ArchiveBucketName")
    with ThreadPoolExecutor(PARTS_AT_ONCE, "part") as executor:
        outputs = OutputBuckets(job.stack.s3, executor)
        copies = Copies(job.stack.s3, outputs, job.table, gpg(), sftp, job.tenant, job.id, job.settings)
        found = list(copies.originals(job.ready, archive))
        originals = [each for each in found if isinstance(each, Original)]
        left = [*job.left, *(each for each in found if isinstance(each, Left))]
        try:
            key = _key(job) if any(each.seals for each in originals) else None
            event_id = _record(job, "sftp")
            with job.screen.progress("Files copied") as tick:
                made = copies.copy(originals, key, event_id, tick)
        except HeldError as held:
            return _refuse(job, held.reason, str(held))
    copied = [each.public() for each in made if isinstance(each, Copied)]
    left += [each for each in made if isinstance(each, Left)]
    shown = {
        "request": job.id, "tenant": job.tenant, "to": "sftp", "folder": f"{REQUESTS}/{job.id}",
        "until": timestamp(expiry(now(), DAYS)), "calls": len(job.ready), "files": copied,
        "not_copied": [each.public() for each in left],
    }  # fmt: skip
    return _show(job, shown, "files", FILES, "not_copied")


def _by_share(job: Job, wish: Wish) -> int:
    shares = share_recordings(job.stack, job.tenant, job.who)
    _record(job, "share")
    shared, left = shares(job.ready, wish)
    shown = {
        "request": job.id, "tenant": job.tenant, "to": "share", "recipient": wish.to, "calls": len(job.ready),
        "shares": shared, "not_shared": [each.public() for each in (*job.left, *left)],
    }  # fmt: skip
    return _show(job, shown, "shares", SHARED, "not_shared")


def _show(job: Job, shown: dict[str, Any], done: str, columns: Sequence[str], left: str) -> int:
    facts = {name: value for name, value in shown.items() if name not in (done, left)}
    made = Table(columns, [[each[name] for name in columns] for each in shown[done]], "Nothing was copied.")
    parts: list[Part] = [Facts(facts), made]
    if shown[left]:
        parts += ["Not copied:", Table(LEFT, [[each[name] for name in LEFT] for each in shown[left]])]
    job.screen.show(shown, *parts)
    return Exit.NO if shown[left] or not shown[done] else Exit.DONE


def _refuse(job: Job, code: str, message: str) -> int:
    job.screen.show({"tenant": job.tenant, "refused": str(code), "message": message}, f"{code}: {message}")
    return Exit.NO


def _record(job: Job, to: str) -> str:
    """Put the event of the request, before anything is copied. Return its id."""
    asked = job.event(to)
    AuditBus(job.stack.client("events"), job.stack.output("AuditBusName"), BatchWindow()).put(asked)
    return asked.id


def _key(job: Job) -> KeyVersion:
    """Return the key that the tenant's files are sealed to now. Raise HeldError with one of the Key* reasons."""
    stack = job.stack
    tenants = Tenants(stack.secrets, stack.ssm, stack.tenants_prefix, gpg(), now)
    if not job.settings.follows_rotation:
        return tenants.key(job.tenant)
    register = KeyRegister(stack.dynamodb, stack.table("key-register"))
    return KeyChoice(tenants, register, now).key(job.tenant, job.settings)


def _listed(found: Iterable[Sequence[Card]]) -> list[Card]:
    """Return the calls that have not ended, each once."""
    return list({card.call.id: card for cards in found for card in cards if card.is_listed and not card.gone}.values())


def _wish(to: str, recipient: str | None, days: int | None) -> Wish | None:
    """Return with whom the recordings are shared, None for a copy by SFTP. Raise CannotError for wrong use."""
    if to == "sftp":
        if recipient is not None or days is not None:
            raise CannotError("--recipient and --days are for --to share.")
        return None
    if recipient is None or days is None:
        raise CannotError("--to share needs --recipient and --days.")
    try:
        return Wish(address(recipient), days, "en")
    except ValueError as exc:
        raise CannotError("--recipient is no e-mail address.") from exc
