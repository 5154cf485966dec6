"""What people do in the calm after a storm: everything once more, and now it must succeed, or be refused, at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from random import Random

from simulation.storm.access_judge import AccessJudge
from simulation.storm.archive import Member
from simulation.storm.calls import DAY
from simulation.storm.people import Card, File, Person, is_archived_recording
from simulation.storm.roles import KnownCall, decide
from simulation.storm.shares import Desk, Recipient, Shared
from simulation.storm.witness import landing_key

# Acts that may go another way by chance, such as an access without a reason, are tried so often.
TRIES = 5
REFUSED_CALLS = 1


class Calm:
    """Lets one person after the other act."""

    def __init__(self, judge: AccessJudge, desk: Desk, receive: Callable[[Shared, Random], Recipient]) -> None:
        """`receive` returns the recipient of a share, in a new browser."""
        self._judge, self._desk, self._receive = judge, desk, receive

    def act(self, member: Member, objects: Collection[str]) -> None:
        """Find all calls, open some of each kind, share one, and be refused others. `objects` are the archive's keys.

        A person may have no call of a kind.
        """
        person = member.person
        member.leave()
        if not member.is_there():
            self._complain(person, "a sign-in does not succeed")
            return
        cards = person.search(**{"from": DAY, "to": DAY})
        self._look_for_calls(person, {card["id"] for card in cards})
        if person.identity.may_sometimes("share"):
            self._look_for_files(person, objects, {file["key"] for card in cards for file in card["files"]})
        if person.identity.may_sometimes("share"):
            self._open(person, cards, is_sealed=True)
        self._open(person, cards, is_sealed=False)
        if person.identity.may_sometimes("share"):
            self._share(person, member.random, cards)
        self._trespass(person, member.random)

    def _look_for_calls(self, person: Person, found: set[str]) -> None:
        """Check that a search finds every call of the day that the person may find."""
        for call in self._of_tenant(person):
            if not decide(person.identity, call, "search") and call.id not in found:
                self._complain(person, f"the call {call.id} is not found")

    def _look_for_files(self, person: Person, objects: Collection[str], found: set[str]) -> None:
        """Check that the cards name every file in the archive, of a person who may see all cards."""
        keys = {key for call in self._of_tenant(person) for key in call.keys}
        for key in objects:
            if landing_key(key)[0] in keys and key not in found:
                self._complain(person, f"{key} is in the archive, and no card has it")

    def _open(self, person: Person, cards: Sequence[Card], is_sealed: bool) -> None:
        for card in cards:
            files = [file for file in card["files"] if is_archived_recording(file) and file["size"]]
            if files and all((file["sealed"] != "none") == is_sealed for file in files):
                call = self._judge.calls[card["id"]]
                self._must(person, "a play", lambda call=call: person.play(call))  # type: ignore[misc]
                if person.identity.may_sometimes("download"):
                    self._must(person, "a download", lambda call=call: person.download(call))  # type: ignore[misc]
                return

    def _share(self, person: Person, random: Random, cards: Sequence[Card]) -> None:
        plain = [(card, file) for card in cards for file in card["files"] if _is_plain(file)]
        if not plain:
            return
        card, file = random.choice(plain)
        shared = self._desk.share(person, self._judge.calls[card["id"]], file)
        if shared is None:
            self._complain(person, "a share does not succeed")
            return
        recipient = self._receive(shared, random)
        self._must(person, "a visit of a recipient", recipient.visit)
        self._must(person, "a visit before the share's end", self._receive(shared, random).come_late)
        self._must(person, "a cancellation", lambda: self._desk.cancel(person, shared))
        recipient.must_be_closed()

    def _trespass(self, person: Person, random: Random) -> None:
        calls = list(self._judge.calls.values())
        foreign = [call for call in calls if call.tenant != person.identity.tenant]
        refused = [call for call in self._of_tenant(person) if decide(person.identity, call, "search")]
        for some in (foreign, refused):
            for call in random.sample(some, min(REFUSED_CALLS, len(some))):
                person.trespass(call)

    def _of_tenant(self, person: Person) -> list[KnownCall]:
        """Return the calls of the person's tenant whose metadata can be read."""
        calls = self._judge.calls.values()
        return [call for call in calls if call.tenant == person.identity.tenant and call.queue]

    def _must(self, person: Person, what: str, act: Callable[[], object]) -> None:
        if not any(act() for _ in range(TRIES)):
            self._complain(person, f"{what} does not succeed")

    def _complain(self, person: Person, seen: str) -> None:
        self._judge.complain("X", f"{person.name} in the calm", seen)


def _is_plain(file: File) -> bool:
    return is_archived_recording(file) and file["sealed"] == "none" and file["size"] > 0
