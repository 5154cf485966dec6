"""Proving keys: an answer in a tenant's key-check folder is read, compared, told to the audit, and removed.

An attempt is counted before the code is compared, and the proof is told before the code is marked as used: a run that
breaks off and is repeated costs an attempt at most, and loses no proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from callseal.aws.bus import AuditBus
from callseal.core.clock import Clock
from callseal.core.errors import SourceGoneError, UnreadableNotificationError
from callseal.core.log import Log
from callseal.core.metrics import Metric
from callseal.core.queue_message import Message
from callseal.core.recipient import Recipient
from callseal.inbound.notification import parse_body
from callseal.inbound.partial_batch import answer, batch_messages, try_each
from callseal.keys import events
from callseal.keys.challenge import MAX_ANSWER_BYTES, MAX_ATTEMPTS, SENT, USED, Challenge, fits, refusal
from callseal.keys.check_folder import Answer, AnswerKey, CheckFolder, parse_answer_key
from callseal.keys.events import KeyVerdict
from callseal.keys.register import FINGERPRINT, KeyRecord
from callseal.keys.register_table import KeyInventory, KeyRegister

# Audit events of a tenant's refused answers in a day (UTC): a tenant can put any number of files there.
MAX_REFUSALS_A_DAY = 20

# "refused" is a wrong answer to an open challenge, of which there are MAX_ATTEMPTS; "discarded" is any other.
Outcome = Literal["proven", "refused", "discarded", "repeat", "gone"]


@dataclass(frozen=True, slots=True)
class _Case:
    """An answer with what is known of the key that it is for."""

    key: AnswerKey
    answer: Answer
    known: KeyInventory

    @property
    def challenge(self) -> Challenge | None:
        """The challenge of this tenant for this key; one that has no file yet cannot be answered."""
        found = self.known.challenge(self.key.fingerprint)
        return found if found and found.state in (SENT, USED) else None

    @property
    def judged(self) -> KeyVerdict:
        """The key, as an event has it; nothing of a name that is no fingerprint: a tenant may write anything."""
        name, challenge = self.key.fingerprint, self.challenge
        if not FINGERPRINT.fullmatch(name):
            return KeyVerdict(self.key.tenant, None, ())
        row = next((row for row in self.known.rows if row.fingerprint == name), KeyRecord(name))
        kind = cast("Any", row.kind or ("openpgp" if len(name) == 40 else "x509"))
        primary = (challenge and challenge.primary) or row.primary or name
        subkey = name if kind == "openpgp" else None
        key = Recipient(primary, kind, None, algorithm=row.algorithm, strength=row.strength, subkey=subkey)
        return KeyVerdict(self.key.tenant, challenge.version if challenge else None, [key])


class KeyProof:
    """Takes answers in."""

    def __init__(self, register: KeyRegister, files: CheckFolder, bus: AuditBus, clock: Clock, log: Log) -> None:
        """Take what it works with."""
        self._register, self._files, self._bus, self._clock, self._log = register, files, bus, clock, log

    def handle(self, event: Mapping[str, Any]) -> tuple[dict[str, Any], list[Outcome]]:
        """Handle a batch of S3 notifications: Lambda's partial answer, and what became of the answers."""
        messages, outcomes = batch_messages(event), list[Outcome]()

        def take_all(message: Message) -> None:
            outcomes.extend([self._take(landed.bucket, landed.key) for landed in parse_body(message.body)])

        errors = try_each(messages, take_all)
        return answer(messages, errors, self._log, "answer not taken"), outcomes

    def _take(self, bucket: str, key: str) -> Outcome:
        answer_key = parse_answer_key(key)
        if bucket != self._files.bucket or answer_key is None:
            raise UnreadableNotificationError("The message names no answer in a tenant's key-check folder.")
        try:
            answer = self._files.read_answer(key)
        except SourceGoneError:
            return "gone"
        outcome = self._judge(_Case(answer_key, answer, self._register.known(answer_key.tenant)))
        with suppress(SourceGoneError):  # another answer stands there by now, with a notification of its own
            self._files.remove_answer(key, answer)
        self._log.info(f"answer {outcome}", extra={"tenant": answer_key.tenant})
        return outcome

    def _judge(self, case: _Case) -> Outcome:
        challenge, etag = case.challenge, case.answer.etag
        if challenge and challenge.state == USED and challenge.last_answer == etag:
            return "repeat"
        why = refusal(challenge, etag, self._clock())
        if why or not challenge:
            self._refuse(case, why or "")
            return "discarded"
        counted = challenge
        if challenge.last_answer != etag:
            counted = replace(challenge, attempts=challenge.attempts + 1, last_answer=etag)
            self._register.keep_challenge(counted, challenge)
        if case.answer.text is None:
            return self._refuse(case, f"it is no text of {MAX_ANSWER_BYTES:,} bytes at most{_left(counted)}")
        if not fits(counted, case.answer.text):
            return self._refuse(case, f"it is not the code{_left(counted)}")
        self._bus.put(events.proven(case.judged, self._clock()))
        self._register.keep_challenge(replace(counted, state=USED), counted)
        return "proven"

    def _refuse(self, case: _Case, why: str) -> Outcome:
        """Put the event of a refused answer, unless this tenant has had MAX_REFUSALS_A_DAY of them today."""
        now = self._clock()
        count = case.known.refused.get(f"{now:%Y-%m-%d}", 0)
        if count < MAX_REFUSALS_A_DAY:
            self._bus.put(events.proof_refused(case.judged, why, case.answer.etag, now))
            self._register.count_refusal(case.key.tenant, count + 1, now)
        return "refused"


def metrics_of(outcomes: Sequence[Outcome]) -> Iterator[Metric]:
    """Give the metrics of a batch."""
    yield Metric("KeysProven", outcomes.count("proven"))
    yield Metric("KeyProofsRefused", outcomes.count("refused"))
    yield Metric("KeyAnswersDiscarded", outcomes.count("discarded"))


def _left(challenge: Challenge) -> str:
    left = MAX_ATTEMPTS - challenge.attempts
    return f"; {left} more attempt{'' if left == 1 else 's'}" if left else "; that was the last attempt"
