"""The verdict: each call of each function against its role, and each permission of the role against the calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.template.permissions.calls import Call
from tests.template.permissions.stack import FUNCTIONS, Deployed

# The facts that define a call's kind, independent of tenant, file and version.
_OF_KIND = {"bucket", "if_match", "checksum_mode", "tagging", "lock"}


@dataclass(frozen=True)
class Verdict:
    """The faults: calls that would be refused, and permissions that no call needs."""

    kinds: int
    not_allowed: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def line(self) -> str:
        """Return the verdict in a line."""
        return (
            f"permissions: {self.kinds} kinds of calls, {len(self.not_allowed)} not allowed, "
            f"{len(self.unused)} permissions unused"
        )

    @property
    def holds(self) -> bool:
        """Return whether there was something to judge and no fault."""
        return bool(self.kinds) and not self.not_allowed and not self.unused


def judge(calls: Iterable[Call], stack: Deployed) -> Verdict:
    """Judge calls."""
    calls = set(calls)
    refused = [f"{one.function or 'nobody'} is no function: {one}" for one in calls if one.function not in FUNCTIONS]
    unused: list[str] = []
    for function in FUNCTIONS:
        role = stack.role(function)
        needs = stack.needs_of_lambda(function)
        refused += [f"{role.name} does not allow Lambda {need}" for need in needs if not role.allows(need)]
        for one in (one for one in calls if one.function == function):
            try:
                needed = stack.needs_of(one)
            except LookupError as exc:
                refused.append(str(exc))
                continue
            needs.update(needed)
            refused += [f"{role.name} does not allow {need}, for {one}" for need in needed if not role.allows(need)]
        unused += [f"{role.name} has no use for {permission}" for permission in role.unused(needs)]
    return Verdict(len({_kind(one) for one in calls}), tuple(sorted(set(refused))), tuple(sorted(unused)))


def _kind(call: Call) -> tuple[object, ...]:
    facts = {(name, value if name == "bucket" else "") for name, value in call.facts if name in _OF_KIND}
    source = call["source"].partition("/")[0]
    return call.function, call.service, call.operation, source, frozenset(facts)
