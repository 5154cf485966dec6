"""What happens in a storm, drawn from its seed: what lands when, what operators do, and the fate of each event.

Only the order of landings is planned, not the time. Everything else happens after a given number of landings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal

from simulation.faults.scenario import BOTH, CALLER
from simulation.storm.calls import CallFacts, PolicyName, Ruling, draw_facts, policy_of, rule

# What a secret may hold: the tenant's own key of a generation, or something that is not a usable key. `none` is a
# missing secret.
KeyKind = Literal["good", "none", "expired", "private", "garbage", "weak"]
BAD: tuple[KeyKind, ...] = ("expired", "private", "garbage", "weak")
Fate = Literal["told", "late", "lost", "doubled", "doubled late"]
Tenant, Settings = str, Mapping[str, Any]

SETTINGS: tuple[Settings, ...] = (
    {}, BOTH, {**BOTH, "only_encrypt_sftp": True}, {"deliver_to_archive": True}, {**BOTH, "encrypt_metadata": False},
    {"cms_profile": "enveloped-cbc"}, {**BOTH, "deliver_to_sftp": False},
    {"deliver_to_archive": True, "deliver_to_sftp": False},
)  # fmt: skip
PLAIN: tuple[Settings, ...] = ({"encrypt": False}, {**BOTH, "encrypt": False})
MISSPELT: Settings = {"encrpyt": True}
# Of every ten tenants, those whose settings never change have a policy.
WITH_POLICY = (0, 1, 3, 4)
# By their numbers, the tenants whose archive has people: plain but for restricted calls, or sealed.
ARCHIVED: Mapping[int, Settings] = {
    0: {**BOTH, "only_encrypt_sftp": True}, 1: {**BOTH, "only_encrypt_sftp": True}, 3: BOTH
}  # fmt: skip
# Names without a tenant, without an accepted format, and with characters that no key may have.
UNSUPPORTED = ("{tenant}/{name}.flac", "{tenant}/a//{name}.wav", "{tenant}/{name}", "No Tenant/{name}.wav")


@dataclass(frozen=True)
class Key:
    """The value of a tenant's secret. `generation` counts the tenant's good keys."""

    kind: KeyKind
    envelope: str = "cms"
    generation: int = 0


@dataclass(frozen=True)
class Change:
    """After this many landings an operator puts a tenant's key or its settings."""

    after: int
    tenant: Tenant
    key: Key | None = None
    settings: Settings | None = None


@dataclass(frozen=True)
class Landing:
    """A file lands. `content` identifies its bytes and `fate` that of its event.

    `over` marks the second landing of a key.
    """

    tenant: Tenant
    key: str
    size: int
    content: int
    fate: Fate
    over: bool = False
    # Of a file of a call with a policy: what the metadata says, and what follows for this file.
    facts: CallFacts | None = None
    ruling: Ruling | None = None

    @property
    def extension(self) -> str:
        """Return the format as settings name it, or "" if the file is not one that can be delivered."""
        stem, _, extension = self.key.rpartition(".")
        taken = extension.lower() in ("wav", "mp3", "xml", "json") and "//" not in stem and stem.startswith(self.tenant)
        return extension.lower() if taken else ""

    @property
    def call(self) -> str:
        """The key without its extension."""
        return self.key.rpartition(".")[0]

    @property
    def is_metadata(self) -> bool:
        """Whether the file is the metadata of a recording."""
        return self.extension in ("xml", "json")


@dataclass(frozen=True)
class Kill:
    """After this many landings, the next process that makes such a request is killed before or after its execution.

    `of` is the kind of process: one that delivers, or one that answers people.
    """

    after: int
    operation: str
    when: Literal["before", "after"]
    of: Literal["worker", "archive"] = "worker"


@dataclass
class Plan:
    """The whole plan."""

    landings: list[Landing] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    # Tenants that are broken on purpose until the end. The others are repaired.
    tenants: list[Tenant] = field(default_factory=list)
    left_broken: set[Tenant] = field(default_factory=set)
    # Tenants that change their requested outputs, and not only whether these can be produced.
    movers: set[Tenant] = field(default_factory=set)
    policies: dict[Tenant, PolicyName] = field(default_factory=dict)


def draw(seed: int, recordings: int, tenants: int) -> Plan:
    """Draw a plan."""
    plan = Plan(tenants=[f"t{number:02d}" for number in range(tenants)])
    for number, tenant in enumerate(plan.tenants):
        _draw_tenant(plan, Random(f"{seed} {tenant}"), number, recordings)
    plan.changes.sort(key=lambda change: change.after)
    _draw_landings(plan, Random(f"{seed} landings"), recordings)
    plan.landings = list(_ruled(plan))
    _draw_kills(plan, Random(f"{seed} kills"), recordings)
    return plan


def _draw_tenant(plan: Plan, random: Random, number: int, recordings: int) -> None:
    """Draw a tenant's story. Every ten tenants cover all stories."""
    tenant, envelope = plan.tenants[number], random.choice(("cms", "openpgp"))
    settings = ARCHIVED.get(number, SETTINGS[random.randrange(len(SETTINGS))])
    other = "openpgp" if envelope == "cms" else "cms"
    good, successor, third = (Key("good", envelope, generation) for generation in range(3))
    bad, worse = (Key(kind) for kind in random.sample(BAD, 2))
    stories: list[list[Key | Settings | None]] = [
        [settings, Key("good", "cms")],
        [settings, Key("good", "openpgp")],
        [random.choice(PLAIN)],
        [settings, good, successor, third],
        [settings, None, bad, good],
        [good, None, settings],
        [settings, good, bad, worse, successor],
        [settings, good, MISSPELT, settings],
        [settings, good, *_moves(settings, good, Key("good", other, 1), random)],
        random.choice(([settings, None, bad, worse], [settings, good, bad], [settings, good, MISSPELT], [good])),
    ]  # fmt: skip
    story = stories[number % len(stories)]
    if number % len(stories) in WITH_POLICY:
        plan.policies[tenant], of_calls = policy_of(len(plan.policies))
        story = [{**step, **of_calls} if isinstance(step, Mapping) else step for step in story]
    if number % len(stories) == len(stories) - 1:
        plan.left_broken.add(tenant)
    if number % len(stories) == len(stories) - 2:
        plan.movers.add(tenant)
    # Values before `None` exist from the start. Values after it, and a second value of a kind, come later.
    later, kinds = False, set[type]()
    moments = iter(sorted(random.randrange(recordings // 10, recordings * 9 // 10) for _ in story))
    for step in story:
        later = later or step is None or type(step) in kinds
        kinds.add(type(step))
        if step is not None:
            after = next(moments) if later else 0
            what = {"key": step} if isinstance(step, Key) else {"settings": step}
            plan.changes.append(Change(after, tenant, **what))  # type: ignore[arg-type]


def _moves(settings: Settings, good: Key, of_other_family: Key, random: Random) -> list[Key | Settings]:
    """List changes of the requested outputs, and not only of whether these can be produced."""
    more = {**BOTH, "only_encrypt_sftp": bool(random.randrange(2))}
    moves: list[Key | Settings] = [of_other_family, {"encrypt": False}, more, settings, good, of_other_family]
    return moves[random.randrange(3) :]


def _draw_landings(plan: Plan, random: Random, recordings: int) -> None:
    waiting: list[tuple[int, Landing]] = []
    while len(plan.landings) < recordings:
        due = [item for item in waiting if item[0] <= len(plan.landings)]
        waiting = [item for item in waiting if item not in due]
        plan.landings += [landing for _, landing in due]
        number = len(plan.landings)
        # Around such a change its tenant is busy, so that files of all ages meet it.
        moving = [one.tenant for one in plan.changes if one.tenant in plan.movers and 0 < one.after - number < 8]
        for landing, delay in _draw_call(random, plan, random.choice(moving or plan.tenants), number):
            if delay:
                waiting.append((len(plan.landings) + delay, landing))
            else:
                plan.landings.append(landing)
            if random.random() < 0.03:
                waiting.append((len(plan.landings) + random.choice((0, 5, 400)), _again(random, landing)))
    del plan.landings[recordings:]


def _draw_call(random: Random, plan: Plan, tenant: Tenant, number: int) -> Iterator[tuple[Landing, int]]:
    """Draw a call's recording, and in one of four cases its metadata. Some files are unsupported.

    The number is that of landings before the file's own.
    """
    name = f"2026/+{CALLER} æ_{number}"
    if random.random() < 0.02:
        yield _landing(random, tenant, random.choice(UNSUPPORTED).format(tenant=tenant, name=name), number), 0
        return
    recording = _landing(random, tenant, f"{tenant}/{name}.{random.choice(('wav', 'mp3', 'WAV'))}", number)
    if tenant in plan.policies:
        yield from _draw_judged_call(random, recording, number)
        return
    yield recording, 0
    if random.random() < 0.25:
        yield _landing(random, tenant, f"{tenant}/{name}.{random.choice(('xml', 'json'))}", -number), 0


def _draw_judged_call(random: Random, recording: Landing, number: int) -> Iterator[tuple[Landing, int]]:
    """Draw a call of a tenant with a policy: its two files land in either order, and some metadata never does."""
    facts = draw_facts(random)
    metadata = _landing(random, recording.tenant, f"{recording.call}.xml", -number)
    files = [replace(recording, facts=facts), replace(metadata, facts=facts)]
    random.shuffle(files)
    delays = [0, random.choice((0, 0, 1, 10, 50))]
    for landing, delay in zip(files, delays, strict=True):
        if not landing.is_metadata or random.random() < 0.9:
            yield landing, delay


def _ruled(plan: Plan) -> Iterator[Landing]:
    """Yield the landings, with what the policies decide about them."""
    with_metadata = {landing.call for landing in plan.landings if landing.is_metadata}
    for landing in plan.landings:
        if landing.facts:
            name, has_metadata = plan.policies[landing.tenant], landing.call in with_metadata
            ruling = rule(name, landing.facts, is_metadata=landing.is_metadata, has_metadata=has_metadata)
            yield replace(landing, ruling=ruling)
        else:
            yield landing


def _landing(random: Random, tenant: Tenant, key: str, content: int) -> Landing:
    low, high = random.choices([(0, 30), (500, 8_000), (8_000, 60_000), (60_000, 140_000), (140_000, 400_000)],
                               [1, 75, 14, 8, 2])[0]  # fmt: skip
    fates: list[Fate] = ["told", "late", "lost", "doubled", "doubled late"]
    (fate,) = random.choices(fates, [78, 8, 3, 6, 5])
    return Landing(tenant, key, random.randrange(low, high), content, fate)


def _again(random: Random, landing: Landing) -> Landing:
    """Draw another landing of the same name, one in three times with the same bytes."""
    content = random.choice((landing.content, landing.content + 1_000_000, landing.content + 1_000_000))
    return replace(landing, content=content, fate="told", over=True)


def _draw_kills(plan: Plan, random: Random, recordings: int) -> None:
    operations = ("PutObject", "TransactWriteItems", "CopyObject", "UploadPart", "SendMessage",
                  "CompleteMultipartUpload", "PutEvents", "DeleteObject")  # fmt: skip
    of_people = ("PutEvents", "UpdateItem", "GetObject", "SendEmail", "PutItem", "DeleteItem")
    for number in range(max(2, recordings // 300)):
        for of, some in (("worker", operations), ("archive", of_people)):
            when: Literal["before", "after"] = random.choice(("before", "after"))
            after = random.randrange(recordings // 20, recordings * 9 // 10)
            plan.kills.append(Kill(after, some[number % len(some)], when, of))
    plan.kills.sort(key=lambda kill: kill.after)
