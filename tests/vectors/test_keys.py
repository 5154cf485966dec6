"""Every kind of key file: the command, the function and the family's own tool agree, or the difference is explained.

The page with the results is docs/keys-accepted.md.
"""

from __future__ import annotations

import pytest

from callseal.core.errors import Reason
from tests.vectors.case import Case
from tests.vectors.page import PAGE, render
from tests.vectors.seen import CASES, FAMILIES, USABLE, seen, skip_other_version

EACH = pytest.mark.parametrize(("family", "case"), CASES, ids=[f"{family} {case.name}" for family, case in CASES])
# These apply to a tenant without a key, or with an unproven key, and never to a file.
OF_NO_FILE = {Reason.KEY_MISSING, Reason.KEY_UNPROVEN}


@EACH
def test_command_and_function_agree(family: str, case: Case) -> None:
    said = seen(family, case)
    assert said.check.says == said.function.says == (case.reason or USABLE)
    assert said.check.accepts == said.function.accepts == (case.reason is None)
    assert said.exit_code == (0 if said.check.accepts else 1)


@EACH
def test_familys_own_tool_agrees_or_the_difference_is_explained(family: str, case: Case) -> None:
    skip_other_version(family)
    said = seen(family, case)
    if said.outside.accepts == said.check.accepts:
        assert not case.difference, f"they agree ({said.outside.says}), and the catalogue explains a difference"
    else:
        assert case.difference, f"we say {said.check.says}; the tool: {said.outside.says}"


def test_catalogue_is_complete() -> None:
    assert len(CASES) >= 40
    for cases in FAMILIES.values():
        assert len({case.name for case in cases}) == len(cases)
    reasons = {case.reason for _, case in CASES if case.reason}
    assert reasons == {reason for reason in Reason if reason.startswith("Key")} - OF_NO_FILE
    assert all({case.reason is None for case in cases} == {True, False} for cases in FAMILIES.values())


def test_page_shows_the_verdicts() -> None:
    for family in FAMILIES:
        skip_other_version(family)
    if not PAGE.exists() or PAGE.read_text() != render():
        pytest.fail("docs/keys-accepted.md is stale. Run `make docs`, and commit what it writes.")
