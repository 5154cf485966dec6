"""The card of a call: its facts, the policy's outcome and its delivered files, added in any order and more than once.

Every change returns a new card. A repeat of a change returns an equal card, and the order of changes alters nothing but
the numbers of the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Literal

from callseal.calls.call_file import CallFile, Delivery, Place
from callseal.calls.call_name import CallName, is_metadata
from callseal.calls.card_facts import CardFacts
from callseal.calls.facts import Facts
from callseal.core.audit import timestamp

# Whether the metadata could be read.
MetadataState = Literal["read", "unreadable"]
# How a call ended: its files are deleted, at the end of their class or on request.
Ending = Literal["disposed", "erased"]
# The policy's outcome as a plain mapping. The card shows its `version rule denied class keep_until dispose_on`, and a
# `restricted` or `sensitive` outcome sets the flag. All other members are stored and returned as they are.
Outcome = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of one call. A member is None if nothing has reported it.

    `source` is the landing key of the metadata, and `landed` the earliest time at which one of the call's files was
    reported (RFC 3339, UTC).

    `holds` are the names of the holds that the call is under. A call that has ended keeps nothing but its name, `gone`
    and `gone_at` (RFC 3339, UTC).
    """

    call: CallName
    metadata: MetadataState | None = None
    source: str | None = None
    known: CardFacts | None = None
    outcome: Outcome | None = None
    landed: str | None = None
    files: tuple[CallFile, ...] = ()
    holds: tuple[str, ...] = ()
    erasure_pending: bool = False
    gone: Ending | None = None
    gone_at: str | None = None

    @property
    def facts(self) -> Facts:
        """The facts in the clear; all absent if no metadata was read."""
        return self.known.facts if self.known else Facts()

    @property
    def is_listed(self) -> bool:
        """Whether the card is a call for its readers. A policy's outcome or a download alone are not."""
        return self.landed is not None

    @property
    def started(self) -> str | None:
        """When the call started, or else when its first file was reported."""
        return timestamp(self.facts.started) if self.facts.started else self.landed

    @property
    def dispose_on(self) -> str | None:
        """When the call is to be deleted by its class (RFC 3339, UTC), or None for never or not yet known."""
        return (self.outcome or {}).get("dispose_on") if self.is_listed else None

    def with_metadata(self, source: str, state: MetadataState, known: CardFacts | None, landed: str) -> Card:
        """Return the card after its metadata was read, or could not be.

        `source` is the metadata's landing key. If a call has two metadata files, the first one that was read stays. The
        same file may be read again, for example after a change of the tenant's profile. The facts of a call under a
        hold do not change.
        """
        if self._is_of_before(landed):
            return self
        card = replace(self._again, landed=min(landed, self.landed or landed))
        if self.metadata == "read" and (self.holds or state == "unreadable" or self.source != source):
            return card
        return replace(card, source=source, metadata=state, known=known)

    def with_outcome(self, outcome: Outcome) -> Card:
        """Return the card after the policy was applied to the call.

        If an earlier outcome had a later `keep_until`, the outcome has it as `locked_until`: no lock is made shorter.
        """
        before = self.outcome or {}
        ends = [end for end in (before.get("locked_until"), before.get("keep_until"), outcome.get("keep_until")) if end]
        latest = max(ends, default=None)
        later = {"locked_until": latest} if latest != outcome.get("keep_until") else {}
        return replace(self, outcome={**outcome, **later})

    def with_delivery(self, place: Place, delivery: Delivery) -> Card:
        """Return the card after a file was delivered."""
        if self._is_of_before(delivery.time):
            return self
        card = self._again._with_file(place, lambda file: file.delivered_by(delivery))
        return replace(card, landed=min(delivery.time, self.landed or delivery.time))

    def with_fetch(self, place: Place, time: str) -> Card:
        """Return the card after a file was downloaded to its end."""
        return self if self.gone else self._with_file(place, lambda file: file.fetched_at(time))

    def with_holds(self, holds: Iterable[str]) -> Card:
        """Return the card under these holds."""
        return replace(self, holds=tuple(sorted(set(holds))))

    def with_erasure(self, *, pending: bool) -> Card:
        """Return the card of a call that waits for its erasure, or no longer does."""
        return replace(self, erasure_pending=pending)

    def ended_by(self, ending: Ending, time: str) -> Card:
        """Return the card after all files of the call were deleted, at a time (RFC 3339, UTC)."""
        return Card(self.call, gone=ending, gone_at=time)

    def public(self) -> dict[str, Any]:
        """Return the members that the command and the API show."""
        facts, outcome, hashed = self.facts, self.outcome or {}, self.known.hashed if self.known else {}
        return {
            "id": self.call.id,
            "tenant": self.call.tenant,
            "name": self.call.name,
            "session_id": facts.session_id,
            "started": self.started,
            "ended": timestamp(facts.ended) if facts.ended else None,
            "seconds": int(facts.seconds) if facts.seconds and facts.seconds % 1 == 0 else facts.seconds,
            "direction": facts.direction,
            "caller": facts.caller,
            "callee": facts.callee,
            "agent": facts.agent,
            "queue": facts.queue,
            "flags": self._flags(),
            "class": outcome.get("class"),
            "keep_until": outcome.get("keep_until"),
            "dispose_on": outcome.get("dispose_on"),
            "holds": [*self.holds],
            "files": [file.public() for file in sorted(self.files, key=lambda file: (file.is_metadata, file.n))],
            "policy": {
                "version": outcome.get("version"),
                "rule": outcome.get("rule"),
                "denied": bool(outcome.get("denied")),
            },
            "indexed": self._indexed,
            "metadata": self._metadata,
            "blind": [*hashed],
            "erasure_pending": self.erasure_pending,
        }

    @property
    def _indexed(self) -> str:
        """What the card was made from."""
        has_file = any(file.current for file in self.files)
        if self.known:
            return "both" if has_file else "metadata"
        return "files"

    @property
    def _metadata(self) -> str:
        if self.metadata:
            return self.metadata
        return "not_read" if any(file.is_metadata and file.current for file in self.files) else "none"

    def _flags(self) -> dict[str, Any]:
        flags, outcome = self.facts.flags, self.outcome or {}
        return {
            "restricted": flags.restricted or bool(outcome.get("restricted")),
            "sensitive": flags.sensitive or bool(outcome.get("sensitive")),
            "denied": flags.denied,
            "consent": flags.consent,
            "informed": flags.informed,
            "paused": flags.paused,
            "agent_accepted": flags.agent_accepted,
        }

    def _is_of_before(self, time: str) -> bool:
        """Return whether an event of a time is of a call that has ended since. Nothing is added to an erased call."""
        return self.gone == "erased" or (self.gone_at is not None and time <= self.gone_at)

    @property
    def _again(self) -> Card:
        """The card of a call that lands again after it was disposed of."""
        return replace(self, gone=None, gone_at=None) if self.gone else self

    def _with_file(self, place: Place, change: Callable[[CallFile], CallFile]) -> Card:
        """Return the card with a changed file. A new file gets the lowest number that is free.

        0 is kept for a recording, because metadata is often delivered first.
        """
        files, taken = {file.place: file for file in self.files}, {file.n for file in self.files}
        free = (n for n in count(1 if is_metadata(place[2]) else 0) if n not in taken)
        files[place] = change(files.get(place) or CallFile(next(free), *place))
        return replace(self, files=tuple(files.values()))
