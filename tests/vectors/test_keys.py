"""Every kind of key file that we could think of: the command, the function and the family's own tool agree on it, or
the difference is explained. The page of it is docs/keys-accepted.md."""

from __future__ import annotations

import pytest

from callseal.core.errors import Reason
from tests.vectors.case import Case
from tests.vectors.page import PAGE, render
from tests.vectors.seen import CASES, FAMILIES, USABLE, seen, skip_other_version

EACH = pytest.mark.parametrize(("family", "case"), CASES, ids=[f"{family} {case.name}" for family, case in CASES])
# Said of a tenant without a key, and of one that has not shown yet that it can open: of no file.
OF_NO_FILE = {Reason.KEY_MISSING, Reason.KEY_UNPROVEN}


@EACH
def test_the_command_and_the_function_say_the_same(family: str, case: Case) -> None:
    said = seen(family, case)
    assert said.check.says == said.function.says == (case.reason or USABLE)
    assert said.check.accepts == said.function.accepts == (case.reason is None)
    assert said.exit_code == (0 if said.check.accepts else 1)


@EACH
def test_the_familys_own_tool_says_the_same_or_the_difference_is_explained(family: str, case: Case) -> None:
    skip_other_version(family)
    said = seen(family, case)
    if said.outside.accepts == said.check.accepts:
        assert not case.difference, f"they agree ({said.outside.says}), and the catalogue explains a difference"
    else:
        assert case.difference, f"we say {said.check.says}; the tool: {said.outside.says}"


def test_the_catalogue_is_whole() -> None:
    assert len(CASES) >= 40
    for cases in FAMILIES.values():
        assert len({case.name for case in cases}) == len(cases)
    reasons = {case.reason for _, case in CASES if case.reason}
    assert reasons == {reason for reason in Reason if reason.startswith("Key")} - OF_NO_FILE
    assert all({case.reason is None for case in cases} == {True, False} for cases in FAMILIES.values())


def test_the_page_is_what_was_seen() -> None:
    for family in FAMILIES:
        skip_other_version(family)
    if not PAGE.exists() or PAGE.read_text() != render():
        pytest.fail("docs/keys-accepted.md is stale. Run `make docs`, and commit what it writes.")
