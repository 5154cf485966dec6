"""The duties towards tenants' keys: check_keys, prove_keys and register_keys."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, ClassVar

from simulation.faults.duty import Duty, notification_of
from simulation.faults.model import LOST, SWAPPED, TWICE
from simulation.faults.tenants import Tenant, tenant
from tests.support.stack import SFTP

CODE = re.compile(r"^ {4}([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})$", re.MULTILINE)
PROOF = {"require_key_proof": True}
DAY = timedelta(days=1)
ATTEMPTS = 5


class KeyDuty(Duty):
    """A tenant that has to prove its key."""

    envelope: ClassVar[str] = "cms"

    @property
    def owner(self) -> Tenant:
        """The tenant's public and private key."""
        return tenant(self.envelope)

    def paste(self, text: str) -> None:
        """Set up the tenant with this key text."""
        self._cloud.put_settings(self._tenant, PROOF)
        self.version = self._cloud.put_key(self._tenant, text)

    def check(self) -> None:
        """Check the key, as at its change."""
        self.invoke_async("check", {"tenant": self._tenant})

    def challenge(self) -> tuple[str, str] | None:
        """Open the challenge in the SFTP area as the tenant does. Return the key's name and the code."""
        files = [key for key in self._cloud.listing(SFTP) if key.startswith(f"{self._tenant}/key-check/")]
        if len(files) != 1:
            self.complain(LOST, f"{len(files)} challenges are in the SFTP area, and not 1")
            return None
        stored = self._cloud.read(SFTP, files[0])
        assert stored
        (code,) = CODE.findall(self.owner.open(stored.data).decode())
        return files[0].rpartition("/")[2].partition(".")[0], code

    def answer(self, name: str, code: str) -> None:
        """Put an answer and deliver its notification from the queue."""
        self.answer_key = f"{self._tenant}/key-check/{name}.answer"
        self._cloud.put(SFTP, self.answer_key, code.encode())
        self.hand_over_bodies("prove", [notification_of(SFTP, self.answer_key)])

    def states(self) -> list[tuple[str, int]]:
        """Return state and attempts of each challenge."""
        items = self._cloud.items("key-register", self._tenant, "fingerprint")
        return [(one["state"], one["attempts"]) for name, one in items.items() if name.startswith("challenge#")]

    def judge_answer(self) -> None:
        """Complain if the answer still exists."""
        if self._cloud.read(SFTP, self.answer_key):
            self.complain(LOST, "the answer was not removed")


class Prove(KeyDuty):
    """The fifth answer to a challenge is right. It proves the key, whatever interrupts its first run."""

    name = "prove"
    disturbed = (2,)
    believed = frozenset({("GetObject", 404), ("DeleteObject", 404), ("DeleteObject", 412)})

    def story(self) -> None:
        """Challenge the tenant, then answer."""
        self.paste(self.owner.public_text)
        self.next_step()
        self.check()
        self.next_step()
        if challenge := self.challenge():
            name, code = challenge
            self._cloud.change_challenge(self._tenant, name, attempts=ATTEMPTS - 1)
            self.answer(name, self.code(code))

    def code(self, right: str) -> str:
        """Return the code that the tenant answers."""
        return right

    def judge(self) -> None:
        """Expect one proof and no refusal."""
        self.must_be_told(1, "KeyProven", tenant=self._tenant, key_version=self.version)
        self.must_be_told(0, "KeyProofRefused", tenant=self._tenant)
        named = [one["fingerprint"] for detail in self.told("KeyProven") for one in detail["recipients"]]
        self.must_equal(SWAPPED, "proven keys", named, [self.owner.fingerprint])
        self.must_equal(TWICE, "state and attempts", self.states(), [("used", ATTEMPTS)])
        self.judge_answer()


class ProveWrong(Prove):
    """The fifth answer is wrong. It never proves the key, and costs one attempt."""

    name = "prove, wrong code"

    def code(self, right: str) -> str:
        """Return a wrong code."""
        return "0000-0000-0000"

    def judge(self) -> None:
        """Expect one refusal and no proof."""
        if self.told("KeyProven"):
            self.complain(SWAPPED, "a wrong code proves")
        self.must_be_told(1, "KeyProofRefused", tenant=self._tenant)
        self.must_equal(TWICE, "state and attempts", self.states(), [("sent", ATTEMPTS)])
        self.judge_answer()


class Check(KeyDuty):
    """A good key is announced once and challenged by a file whose code is accepted afterwards."""

    name = "check"
    envelope = "openpgp"

    def story(self) -> None:
        """Store a key."""
        self.paste(self.owner.public_text)
        self.next_step()
        self.check()

    def heal(self) -> None:
        """Check a day later, as on every day; then answer."""
        self._ahead += DAY
        self.check()
        self.must_equal(LOST, "states of challenges", self.states(), [("sent", 0)])
        if challenge := self.challenge():
            self.answer(*challenge)

    def judge(self) -> None:
        """Expect one announcement and a proof."""
        self.must_be_told(1, "KeyAccepted", tenant=self._tenant, key_version=self.version)
        self.must_be_told(0, "KeyRejected", tenant=self._tenant)
        self.must_be_told(1, "KeyProven", tenant=self._tenant, key_version=self.version)
        self.must_equal(LOST, "states of challenges", self.states(), [("used", 1)])


class CheckRejected(KeyDuty):
    """A private key is announced once, and nothing is sealed to it."""

    name = "check, private key"

    def story(self) -> None:
        """Store the private half as well."""
        self.paste(self.owner.public_text + self.owner.private_text)
        self.next_step()
        self.check()

    def heal(self) -> None:
        """Check a day later."""
        self._ahead += DAY
        self.check()

    def judge(self) -> None:
        """Expect one rejection and no challenge."""
        self.must_be_told(1, "KeyRejected", tenant=self._tenant, reason="KeyIsPrivate", key_version=self.version)
        self.must_be_told(0, "KeyAccepted", tenant=self._tenant)
        self.must_equal(SWAPPED, "challenges", self.states(), [])


class Register(Duty):
    """Audit events that arrive twice become the same rows as events that arrive once."""

    name = "register"
    disturbed = (1, 2)

    def story(self) -> None:
        """Deliver a batch, then some of its events again."""
        first = [self._accepted("A", 1), self._proven("A", 2), self._accepted("B", 3), self._used("A", 4),
                 self._used("B", 5), self._used("A", 4)]  # fmt: skip
        self.next_step()
        self.hand_over_bodies("register", first)
        self.next_step()
        self.hand_over_bodies("register", [first[0], first[3], self._used("B", 6)])

    def judge(self) -> None:
        """Compare the rows with the events."""
        common = {"tenant": self._tenant, "kind": "x509", "algorithm": "RSA", "strength": 3072}
        rows = {
            "A" * 64: common | {"fingerprint": "A" * 64, "first_seen": _at(1), "accepted": _at(1), "use_count": 1,
                                "last_accepted": _at(1), "proven": _at(2), "retired": _at(3), "last_used": _at(4),
                                "secret_version_id": "version-A"},
            "B" * 64: common | {"fingerprint": "B" * 64, "first_seen": _at(3), "accepted": _at(3), "use_count": 2,
                                "last_accepted": _at(3), "last_used": _at(6), "secret_version_id": "version-B"},
        }  # fmt: skip
        found = self._cloud.items("key-register", self._tenant, "fingerprint")
        self.must_equal(TWICE, "rows", found, rows)

    def _accepted(self, letter: str, second: int) -> dict[str, Any]:
        return self._event("KeyAccepted", letter, second)

    def _proven(self, letter: str, second: int) -> dict[str, Any]:
        return self._event("KeyProven", letter, second)

    def _used(self, letter: str, second: int) -> dict[str, Any]:
        return self._event("RecordingDelivered", letter, second)

    def _event(self, kind: str, letter: str, second: int) -> dict[str, Any]:
        key = {"fingerprint": letter * 64, "subkey": None, "kind": "x509", "not_after": None, "algorithm": "RSA",
               "strength": 3072, "revoked_subkeys": None}  # fmt: skip
        detail = {"id": f"{self._tenant}-{kind}-{letter}-{second}", "time": _at(second), "tenant": self._tenant,
                  "recipients": [key], "key_version": f"version-{letter}", "reason": None}  # fmt: skip
        return {"detail-type": kind, "detail": detail}


def _at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02d}.000Z"
