"""Whether a call is due: for any dates, it is never deleted before one of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from callseal.calls.call_file import Delivery
from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.classes import Class, Duration, dispose_on, keep_until
from callseal.core.audit import timestamp
from callseal.retention.verdict import Rules, verdict

DAY = timedelta(days=1)
START = datetime(2024, 1, 31, 13, 5, 7, tzinfo=UTC)


def card_of(class_: Class, ended: datetime, until: datetime | None = None) -> Card:
    keep, dispose = keep_until(class_, ended), dispose_on(class_, ended)
    delivery = Delivery("1", timestamp(ended), 1, None, "none", version="v", until=until.isoformat() if until else None)
    dates = {"keep_until": keep and timestamp(keep), "dispose_on": dispose and timestamp(dispose)}
    return Card(CallName("acme", "1")).with_delivery(("archive", "b", "k"), delivery).with_outcome(dates)


@pytest.mark.parametrize("seed", range(20))
def test_a_call_is_due_exactly_from_the_last_of_its_dates_on(seed: int) -> None:
    random = Random(seed)
    for _ in range(300):
        ended = START + timedelta(seconds=random.randint(0, 10**8))
        keep, after = (Duration(random.randint(0, 40), random.choice("hdmy")) for _ in range(2))
        class_ = Class(random.choice([None, keep]), random.choice([None, after, after]))
        until = random.choice([None, ended + random.randint(0, 500) * DAY])
        card = card_of(class_, ended, until)
        dates = [each for each in (keep_until(class_, ended), dispose_on(class_, ended), until) if each]
        if class_.delete_after is None:
            assert verdict(card, Rules(), datetime(9999, 1, 1, tzinfo=UTC)) == "later"
            continue
        last = max(dates)
        assert verdict(card, Rules(), last) == "due"
        assert verdict(card, Rules(), last - timedelta(milliseconds=1)) != "due"
        assert verdict(card, Rules(), last - random.randint(1, 400) * DAY) != "due"
        assert last >= ended + (DAY if after.unit in "dmy" and after.count else 0 * DAY)


def test_what_stops_a_call_that_is_due() -> None:
    card, now = card_of(Class(None, Duration(1, "d")), START), START + 9 * DAY
    assert verdict(card, Rules(), now) == "due"
    assert verdict(card.with_holds(["case"]), Rules(), now) == "held"
    assert verdict(card, Rules(covers=lambda _: True), now) == "held"
    assert verdict(card, Rules(keeps=lambda _: True), now) == "kept"
    assert verdict(card.with_erasure(pending=True), Rules(), now) == "erasing"
    assert verdict(card.ended_by("disposed", timestamp(now)), Rules(), now) == "later"
