"""When calls follow a new version of a policy: after three days, but for a tenant's first one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from callseal.retention.policy_versions import PolicyVersions, seen, stored_versions

START = datetime(2026, 11, 30, 10, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_a_first_version_is_followed_at_once_by_calls_without_an_outcome_and_by_all_after_three_days() -> None:
    state = seen(None, "v1", START)
    assert state.walk == "unjudged"
    state = state.walked()
    assert (state.walk, seen(state, "v1", START + 3 * DAY - HOUR)) == ("none", state)
    assert seen(state, "v1", START + 3 * DAY).walk == "all"
    done = seen(state, "v1", START + 3 * DAY).walked()
    assert (done.walk, seen(done, "v1", START + 9 * DAY)) == ("none", done)


def test_a_later_version_waits() -> None:
    state = seen(seen(None, "v1", START).walked(), "v2", START + DAY)
    assert state.walk == "none"
    assert seen(state, "v2", START + 4 * DAY - HOUR).walk == "none"
    assert seen(state, "v2", START + 4 * DAY).walk == "all"


def test_a_version_that_comes_back_waits_again() -> None:
    state = seen(seen(seen(None, "v1", START), "v2", START + DAY), "v1", START + 2 * DAY)
    assert (state.walk, seen(state, "v1", START + 4 * DAY).walk) == ("none", "none")
    assert seen(state, "v1", START + 5 * DAY).walk == "all"


def test_a_walk_in_work_goes_on_where_it_was() -> None:
    state = replace(seen(seen(None, "v1", START), "v2", START), walk="all", position="p")
    assert seen(state, "v2", START + 5 * DAY) == state
    first = replace(seen(None, "v1", START), position="p")
    assert seen(first, "v1", START + HOUR) == first


def test_stored() -> None:
    state = PolicyVersions("v", "2026-11-30T10:00:00.000Z", "all", "p", 1)
    assert stored_versions(state.stored()) == state
    assert stored_versions({}) is None
