"""The people of a storm, who act while recordings land, a share of the landings each, and once more in the calm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from threading import Semaphore, Thread

from simulation.storm.access_judge import AccessJudge
from simulation.storm.archive import Archive, Member
from simulation.storm.calm import Calm
from simulation.storm.people import Person, is_archived_recording
from simulation.storm.plan import Plan
from simulation.storm.roles import KnownCall, people_of
from simulation.storm.shares import Desk, Mailbox, Recipient, Shared

THREADS = 2
# Acts for each landing, and how many there are at least and at most in a storm.
ACTS, LEAST_ACTS, MOST_ACTS = 0.2, 30, 500
WEIGHTS = {"search": 3, "show": 2, "play": 5, "download": 2, "share": 3, "cancel": 2, "sneak": 1, "trespass": 3,
           "audit": 1, "leave": 1, "receive": 5}  # fmt: skip
END_SECONDS = 120.0


class Audience:
    """People and recipients in threads of their own."""

    def __init__(self, plan: Plan, seed: int, judge: AccessJudge, archive: Archive, mailbox: Mailbox) -> None:
        """Take the plan, the seed, and where people send requests and get mails."""
        self._judge, self._archive, self._mailbox = judge, archive, mailbox
        self._desk = Desk(mailbox)
        self._members = [Member(each, judge, archive, Random(f"{seed} {each.email}")) for each in people_of(plan)]
        acts = min(max(len(plan.landings) * ACTS, LEAST_ACTS), MOST_ACTS)
        self._acts_each, self._due, self._begun = acts / len(plan.landings), Semaphore(0), 0
        self._seed, self._is_over = seed, False
        self._threads = [Thread(target=self._run, args=(number,), daemon=True) for number in range(THREADS)]

    def start(self) -> None:
        """Begin to act."""
        if self._members:
            for thread in self._threads:
                thread.start()

    def landed(self, count: int) -> None:
        """Let so many acts happen as are due after this number of landings."""
        due = int(count * self._acts_each) - self._begun
        if due > 0:
            self._begun += due
            self._due.release(due)

    def end(self) -> None:
        """End the acts that have begun, and begin no other."""
        self._is_over = True
        self._due.release(THREADS)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(END_SECONDS)
                if thread.is_alive():
                    self._judge.complain("X", "the people", f"an act does not end in {END_SECONDS:.0f} s")

    def act_in_calm(self, objects: Iterable[str]) -> None:
        """Let each person do everything once more, which must succeed. `objects` are the archive's keys."""
        self._judge.calm = True
        calm, keys = Calm(self._judge, self._desk, self._receive), set(objects)
        for member in self._members:
            calm.act(member, keys)
        for shared in self._desk.shares:
            if shared.ended is not None:
                self._receive(shared, Random(f"{self._seed} {shared.to}")).must_be_closed()

    # ---- the threads ------------------------------------------------------------------------------------------------

    def _run(self, number: int) -> None:
        random, recipients = Random(f"{self._seed} acts {number}"), dict[str, Recipient]()
        members = self._members[number::THREADS]
        while True:
            self._due.acquire()
            if self._is_over:
                return
            try:
                self._act(number, random, members, recipients)
            except Exception as exc:
                self._judge.complain("X", "the people", f"an act failed: {type(exc).__name__}: {exc}")

    def _act(self, number: int, random: Random, members: list[Member], recipients: dict[str, Recipient]) -> None:
        (act,) = random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        # Each recipient acts in one thread, whichever thread cancels the share.
        shares = [shared for index, shared in enumerate(self._desk.shares) if index % THREADS == number]
        if act == "receive" and shares:
            shared = random.choice(shares)
            recipient = recipients.setdefault(shared.id, self._receive(shared, random))
            self._act_as_recipient(random, recipient)
        else:
            self._act_as_person(act, random, random.choice(members))

    def _act_as_recipient(self, random: Random, recipient: Recipient) -> None:
        act = random.choices(["visit", "late", "wrong", "elsewhere"], [6, 1, 1, 1])[0]
        if recipient.shared.ended is not None:
            recipient.must_be_closed()
        elif act == "late":
            recipient.come_late()
        elif act == "wrong":
            recipient.try_wrong_code()
        elif act == "elsewhere":
            recipient.try_elsewhere(self._archive.browser())
        else:
            recipient.visit()

    def _act_as_person(self, act: str, random: Random, member: Member) -> None:
        if act == "leave":
            member.leave()
        elif member.is_there():
            person, calls = member.person, self._judge.calls
            seen = [calls[call] for call in person.cards if call in calls]
            of_any: dict[str, Callable[[], object]] = {
                "cancel": lambda: self._cancel(random, person),
                "trespass": lambda: person.trespass(self._any_call(random, person)),
            }
            of_seen: dict[str, Callable[[KnownCall], object]] = {
                "show": person.show,
                "play": person.play,
                "download": person.download,
                "sneak": person.sneak,
                "audit": person.see_audit,
                "share": lambda call: self._share(random, person, call),
            }
            if act in of_seen and seen:
                of_seen[act](random.choice(seen))
            else:
                of_any.get(act, person.search_somehow)()

    def _any_call(self, random: Random, person: Person) -> KnownCall:
        """Return a call of the plan, often of the person's tenant. It may have landed or not."""
        tenants = {person.identity.tenant, random.choice([call.tenant for call in self._judge.calls.values()])}
        return random.choice([call for call in self._judge.calls.values() if call.tenant in tenants])

    def _share(self, random: Random, person: Person, call: KnownCall) -> None:
        card = person.show(call)
        files = [file for file in card["files"] if is_archived_recording(file)] if card else []
        if files:
            self._desk.share(person, call, random.choice(files), random.choice(("a complaint", "a complaint", None)))

    def _cancel(self, random: Random, person: Person) -> None:
        if self._desk.shares and random.random() < 0.8:
            self._desk.cancel(person, random.choice(self._desk.shares))
        else:
            self._desk.list(person)

    def _receive(self, shared: Shared, random: Random) -> Recipient:
        return Recipient(shared, self._archive.browser(), self._judge, self._mailbox, random)
