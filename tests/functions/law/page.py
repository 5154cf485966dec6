"""docs/retention-table.md, generated from the rules that the tests compare: `python -m tests.functions.law.page`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tools.pages.markers import table

from .rules import RULES
from .states import DIMENSIONS, STATES, State, all_states, impossible

PAGE = Path(__file__).parents[3] / "docs" / "retention-table.md"
INTRO = """\
# What happens to a recording, by its state

What the rules of the law ([retention](retention.md), [erasure](erasure.md)) do to a recording in each state that it can
be in. The page is generated from the rules (`make docs`). The tests bring a call into each state, do each action with
the functions themselves, and compare what is left in the buckets with the rules. The suite takes a third of the states,
and `make law` takes all.

- **lock** is the class's `lock`. **until** says whether its `keep` is running or has ended.
- **hold**: none, held, held with `--future` before the call landed, with its release asked for, or released.
- **erasure**: none, requested by one person, approved by a second one, approved with `--anonymise`, or carried out but
  for a rest that a hold or a lock protected.
- **file** is where the recording is. An archived file also has a copy in the SFTP area, until it is deleted.

Each line holds by itself. A value that is missing in a line cannot be met there, or another line has it.
"""
Box = Mapping[str, frozenset[str]]
# The states that have a value, by dimension and value, as bits.
Having = Mapping[str, Mapping[str, int]]


def render() -> str:
    """Return the page."""
    parts = [INTRO]
    for action, rule in RULES.items():
        lines = boxes({state: rule(state) for state in STATES})
        rows = [(*(_values(name, box[name]) for name in DIMENSIONS), outcome) for box, outcome in lines]
        head = (*DIMENSIONS, "what happens")
        parts.append(f"## {action.capitalize()}\n\n{rule.__doc__}\n\n{table(head, rows)}")
    reasons = Counter(impossible(state) or "" for state in all_states())
    left_out = [(str(number), reason) for reason, number in reasons.most_common() if reason]
    parts.append(
        f"## What is left out\n\nOf {len(all_states())} combinations {len(STATES)} can exist. With {len(RULES)} "
        f"actions these are {len(STATES) * len(RULES):,} cells.\n\n"
        + table(("combinations", "why they cannot exist"), left_out)
    )
    return "\n".join(parts)


def boxes(outcomes: Mapping[State, str]) -> Iterator[tuple[Box, str]]:
    """Yield few lines that have all states: sets of values whose states all have one outcome, the largest first."""
    states = [*outcomes]
    having = {
        name: {value: _bits(state[place] == value for state in states) for value in values}
        for place, (name, values) in enumerate(DIMENSIONS.items())
    }
    same = {outcome: _bits(each == outcome for each in outcomes.values()) for outcome in outcomes.values()}
    grown = [(_grown(state, having, same[outcomes[state]]), outcomes[state]) for state in states]
    left = _bits(True for _ in states)
    while left:
        box, outcome = max(grown, key=lambda each: (_inside(each[0], having) & left).bit_count())
        left &= ~_inside(box, having)
        yield box, outcome


def _grown(state: State, having: Having, same: int) -> Box:
    """Return the box around a state, grown value by value, without values that no state of it has."""
    box: Box = {name: frozenset((value,)) for name, value in zip(DIMENSIONS, state, strict=True)}
    for name, values in DIMENSIONS.items():
        for value in values:
            wider = {**box, name: box[name] | {value}}
            if not _inside(wider, having) & ~same:
                box = wider
    inside = _inside(box, having)
    return {name: frozenset(value for value in box[name] if having[name][value] & inside) for name in box}


def _inside(box: Box, having: Having) -> int:
    """Return the states in a box, as bits."""
    inside = -1
    for name, values in box.items():
        inside &= sum(having[name][value] for value in values)
    return inside


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << place for place, flag in enumerate(flags) if flag)


def _values(name: str, chosen: frozenset[str]) -> str:
    values: Sequence[str] = DIMENSIONS[name]
    if chosen == frozenset(values):
        return "any"
    return ", ".join(value.replace(", ", " ") for value in values if value in chosen)


if __name__ == "__main__":
    PAGE.write_text(render())
