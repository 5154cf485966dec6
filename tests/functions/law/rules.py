"""What each action has to do, in each state: the rules as the platform promises them. No code of the product is here.

An action is what people and functions do: `dispose` and `erase` are a run of the function, `erase` after everything
that people must do for it. After `class shorter` and `class longer` 3 days pass, and dispose_recordings and
lock_recordings run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .states import (
    ARCHIVED,
    COMPLIANCE,
    FETCHED,
    GONE,
    IN_FORCE,
    LANDING,
    NONE,
    OPEN,
    RUNNING,
    State,
)

NOTHING = "nothing is left"
DELETED, ERASED = "deleted, with a record", "erased"
ERASED_HERE = "erased here, the recipient is notified"
BY_HOLD, BY_ERASURE, BY_DATE = "stays: hold", "stays: its erasure", "stays: not due"
BY_LOCK, BY_LANDING = "stays: lock", "stays: not delivered yet"
COPY_ONLY_HOLD, COPY_ONLY_LOCK = "only the SFTP copy goes: hold", "only the SFTP copy goes: lock"
S3_HOLD, CARD_HOLD, MISSED = "held by S3", "held by its card", "listed as gone"
FREE, NO_HOLD = "free", "no hold to release"
LONGER, STAYS = "locked longer", "stays"


def dispose(state: State) -> str:
    """A call goes when its class ends. A hold, an approved erasure and a file in landing stop that."""
    if state.file == GONE:
        return NOTHING
    if state.until == RUNNING:
        return BY_DATE
    return _due(state)


def erase(state: State) -> str:
    """A hold stops an erasure, and so does a lock in mode COMPLIANCE. The copy for the recipient goes at once."""
    if state.file == GONE:
        return NOTHING
    if state.hold in IN_FORCE:
        return COPY_ONLY_HOLD if state.file in ARCHIVED else BY_HOLD
    if state.is_locked and state.lock == COMPLIANCE:
        return COPY_ONLY_LOCK
    return ERASED_HERE if state.file == FETCHED else ERASED


def hold(state: State) -> str:
    """Everything that is there can be held, once more too. What is gone is listed."""
    if state.file == GONE:
        return MISSED
    return S3_HOLD if state.file in ARCHIVED else CARD_HOLD


def release(state: State) -> str:
    """Two people release a hold. A call that no hold has is free."""
    return FREE if state.hold in IN_FORCE else NO_HOLD


def shorter(state: State) -> str:
    """A shorter class makes each call due, and shortens no lock."""
    return NOTHING if state.file == GONE else _due(state)


def longer(state: State) -> str:
    """A longer class stops each disposal, and makes locks longer."""
    if state.file == GONE:
        return NOTHING
    return LONGER if state.lock != NONE and state.file in ARCHIVED else STAYS


def _due(state: State) -> str:
    if state.hold in IN_FORCE:
        return BY_HOLD
    if state.erasure in OPEN:
        return BY_ERASURE
    if state.is_locked:
        return BY_LOCK
    return BY_LANDING if state.file == LANDING else DELETED


RULES: Mapping[str, Callable[[State], str]] = {
    "dispose": dispose,
    "erase": erase,
    "hold": hold,
    "release": release,
    "class shorter": shorter,
    "class longer": longer,
}
