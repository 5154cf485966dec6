"""Proving keys: read an answer in a tenant's key-check folder, compare it, report it to the audit, and delete it.

An attempt is counted before the code is compared, and the proof is reported before the code is marked as used. A run
that is interrupted and repeated therefore costs at most one attempt and loses no proof.
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
from callseal.keys.challenge import MAX_ANSWER_BYTES, MAX_ATTEMPTS, SENT, USED, Challenge, matches, refusal
from callseal.keys.check_folder import Answer, AnswerKey, CheckFolder, parse_answer_key
from callseal.keys.events import KeyVerdict
from callseal.keys.register import FINGERPRINT, KeyRecord
from callseal.keys.register_table import KeyInventory, KeyRegister

# The most audit events of refused answers for a tenant and day (UTC): a tenant can write any number of files.
MAX_REFUSALS_A_DAY = 20

# "refused" is a wrong answer to an open challenge, at most MAX_ATTEMPTS times. "discarded" is any other wrong answer.
Outcome = Literal["proven", "refused", "discarded", "repeat", "gone"]


@dataclass(frozen=True, slots=True)
class _AnswerCase:
    """An answer with what the register has of the tenant's keys."""

    key: AnswerKey
    answer: Answer
    inventory: KeyInventory

    @property
    def challenge(self) -> Challenge | None:
        """The tenant's challenge for this key, or None if its file does not exist yet: it cannot be answered."""
        found = self.inventory.challenge(self.key.fingerprint)
        return found if found and found.state in (SENT, USED) else None

    @property
    def verdict(self) -> KeyVerdict:
        """The key for an event, from the register and the challenge.

        A tenant can write any name: one that is not a fingerprint gives no key.
        """
        name, challenge = self.key.fingerprint, self.challenge
        if not FINGERPRINT.fullmatch(name):
            return KeyVerdict(self.key.tenant, None, ())
        record = next((record for record in self.inventory.records if record.fingerprint == name), KeyRecord(name))
        kind = cast("Any", record.kind or ("openpgp" if len(name) == 40 else "x509"))
        primary = (challenge and challenge.primary) or record.primary or name
        subkey = name if kind == "openpgp" else None
        key = Recipient(primary, kind, None, algorithm=record.algorithm, strength=record.strength, subkey=subkey)
        return KeyVerdict(self.key.tenant, challenge.version if challenge else None, [key])


class KeyProof:
    """Processes answers to challenges."""

    def __init__(self, register: KeyRegister, files: CheckFolder, bus: AuditBus, clock: Clock, log: Log) -> None:
        """Take what it works with."""
        self._register, self._files, self._bus, self._clock, self._log = register, files, bus, clock, log

    def handle(self, event: Mapping[str, Any]) -> tuple[dict[str, Any], list[Outcome]]:
        """Handle a batch of S3 notifications. Return Lambda's partial batch response and the answers' outcomes."""
        messages, outcomes = batch_messages(event), list[Outcome]()

        def take_all(message: Message) -> None:
            outcomes.extend([self._take(landed.bucket, landed.key) for landed in parse_body(message.body)])

        errors = try_each(messages, take_all)
        return answer(messages, errors, self._log, "answer not taken"), outcomes

    def _take(self, bucket: str, key: str) -> Outcome:
        answer_key = parse_answer_key(key)
        if bucket != self._files.bucket or answer_key is None:
            raise UnreadableNotificationError("The message does not name an answer in a tenant's key-check folder.")
        try:
            answer = self._files.read_answer(key)
        except SourceGoneError:
            return "gone"
        outcome = self._decide(_AnswerCase(answer_key, answer, self._register.read(answer_key.tenant)))
        with suppress(SourceGoneError):  # another answer has replaced it, with a notification of its own
            self._files.remove_answer(key, answer)
        self._log.info(f"answer {outcome}", extra={"tenant": answer_key.tenant})
        return outcome

    def _decide(self, case: _AnswerCase) -> Outcome:
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
            self._register.save_challenge(counted, challenge)
        if case.answer.text is None:
            return self._refuse(case, f"it is not a text of at most {MAX_ANSWER_BYTES:,} bytes{_left(counted)}")
        if not matches(counted, case.answer.text):
            return self._refuse(case, f"it is not the code{_left(counted)}")
        self._bus.put(events.proven(case.verdict, self._clock()))
        self._register.save_challenge(replace(counted, state=USED), counted)
        return "proven"

    def _refuse(self, case: _AnswerCase, why: str) -> Outcome:
        """Send the event of a refused answer, unless this tenant has had MAX_REFUSALS_A_DAY of them today."""
        now = self._clock()
        count = case.inventory.refused.get(f"{now:%Y-%m-%d}", 0)
        if count < MAX_REFUSALS_A_DAY:
            self._bus.put(events.proof_refused(case.verdict, why, case.answer.etag, now))
            self._register.count_refusal(case.key.tenant, count + 1, now)
        return "refused"


def metrics_of(outcomes: Sequence[Outcome]) -> Iterator[Metric]:
    """Return the metrics of a batch."""
    yield Metric("KeysProven", outcomes.count("proven"))
    yield Metric("KeyProofsRefused", outcomes.count("refused"))
    yield Metric("KeyAnswersDiscarded", outcomes.count("discarded"))


def _left(challenge: Challenge) -> str:
    left = MAX_ATTEMPTS - challenge.attempts
    return f"; {left} more attempt{'' if left == 1 else 's'}" if left else "; that was the last attempt"
