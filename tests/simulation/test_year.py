"""Some weeks of the simulated year (`make year` runs all of it), and the product broken on purpose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from simulation.year.broken import VARIANTS
from simulation.year.dates import Term
from simulation.year.year import Verdict, simulate

SEED, DAYS = 3, 40


@pytest.fixture(scope="module")
def weeks() -> Verdict:
    return simulate(SEED, DAYS, print)


def test_no_call_goes_early_or_stays_late_and_no_erasure_is_in_part_unsaid(weeks: Verdict) -> None:
    assert weeks.findings.lines == []
    assert timedelta() < weeks.latest < timedelta(days=1)


@pytest.mark.parametrize(
    "figure",
    ["runs that the brake stopped", "brakes confirmed", "calls that waited for the grace", "policies changed",
     "of these when the grace ended", "holds placed", "holds released", "erasures approved", "calls erased",
     "calls disposed of", "notices answered", "approvals by the same person refused", "comparisons",
     "files of erased calls that landed again", "files certified as at_recipient"],
)  # fmt: skip
def test_everything_happens_in_some_weeks(weeks: Verdict, figure: str) -> None:
    assert weeks.figures[figure] > 0


# `make year YEAR=--self-check` breaks the product in each way.
@pytest.mark.parametrize("name", ["holds", "keep", "area"])
def test_broken_product_is_found(name: str) -> None:
    verdict = simulate(SEED, DAYS, print, name)
    assert set(verdict.findings.counts) & VARIANTS[name][1]


@pytest.mark.parametrize(
    ("keep", "delete_after", "kept", "disposed"),
    [
        ("1m", None, (3, 1), None),
        (None, "1m", None, (3, 1)),
        ("2d", "1d", (2, 3), (2, 3)),
        ("0d", "24h", (2, 1), (2, 2)),
    ],
)  # fmt: skip
def test_dates_of_the_judge(
    keep: str | None, delete_after: str | None, kept: tuple[int, int] | None, disposed: tuple[int, int] | None
) -> None:
    ended = datetime(2032, 1, 31, 12, tzinfo=UTC)
    term = Term("default", keep, delete_after, "none")
    found = [date and (date.month, date.day) for date in (term.keep_until(ended), term.dispose_on(ended))]
    assert found == [kept, disposed]
