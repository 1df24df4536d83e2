"""Lifecycle: which states a proposal has, what may happen to it in each, and who may do it. Pure; reads no store.

`TRANSITIONS` is the only list of what is legal. The store holds the same list as a trigger, so that nothing goes
around it.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import product
from typing import Literal, get_args

from rebalancer.errors import UsageError

State = Literal["open", "approved", "rejected", "superseded", "applied", "undone"]
Event = Literal[
    "approve", "reject_some", "withdraw", "lapse", "expire", "reject", "supersede", "apply", "undo"
]  # fmt: skip
Decision = Literal["undecided", "approved", "rejected"]

STATES: tuple[State, ...] = get_args(State)
EVENTS: tuple[Event, ...] = get_args(Event)
LIVE: tuple[State, ...] = ("open", "approved")
"""States in which a proposal still waits for something. A book has one live plan."""

TRANSITIONS: dict[tuple[State, Event], State] = {
    ("open", "approve"): "approved",
    ("approved", "approve"): "approved",
    ("open", "reject_some"): "open",
    ("approved", "reject_some"): "approved",
    ("approved", "withdraw"): "open",
    ("approved", "lapse"): "approved",
    ("approved", "expire"): "open",
    ("open", "reject"): "rejected",
    ("approved", "reject"): "rejected",
    ("open", "supersede"): "superseded",
    ("approved", "supersede"): "superseded",
    ("approved", "apply"): "applied",
    ("applied", "undo"): "undone",
}
"""approve, reject: moves of it, or all. reject_some: others stay as they are; withdraw: that was the last approved
one. lapse, expire: some, all of its approvals have run out. supersede: a newer plan of the book takes its place. undo:
the proposal that undoes it was applied.
"""

DONE: dict[Event, State] = {"reject": "rejected", "supersede": "superseded", "apply": "applied", "undo": "undone"}
"""What has nothing left to do in that state: saying it once more is no fault and changes nothing."""

CHANGES: frozenset[tuple[State, State]] = frozenset(
    (before, after) for (before, _), after in TRANSITIONS.items() if before != after
)
"""Pairs of states that a store lets follow each other."""

WHY_NOT: dict[State, str] = {
    "open": "it is not approved",
    "approved": "it is approved and not yet applied",
    "rejected": "it was rejected",
    "superseded": "a newer proposal took its place",
    "applied": "it was applied; undo it with `rebalancer proposals undo`",
    "undone": "it was undone",
}


def after(state: State, event: Event) -> State:
    """The state that follows. Raises `UsageError` where the event is not legal in this state."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise UsageError(f"{WORDS[event]} is not possible: {WHY_NOT[state]}.") from None


def is_repeat(state: State, event: Event) -> bool:
    """The event has happened already and has nothing more to do."""
    return DONE.get(event) == state


WORDS: dict[Event, str] = {
    "approve": "approving",
    "reject_some": "rejecting moves",
    "withdraw": "withdrawing the approval",
    "lapse": "ending approvals",
    "expire": "ending the approval",
    "reject": "rejecting",
    "supersede": "superseding",
    "apply": "applying",
    "undo": "undoing",
}


def rejecting(state: State, left: Collection[Decision]) -> Event:
    """The event that a rejection is; `left` are the decisions on all moves once it is made."""
    if all(decision == "rejected" for decision in left):
        return "reject"
    return "withdraw" if state == "approved" and "approved" not in left else "reject_some"


def expiring(left: Collection[Decision]) -> Event:
    """The event that the end of some approvals is; `left` are the decisions on all moves after it."""
    return "lapse" if "approved" in left else "expire"


def illegal() -> list[tuple[State, Event]]:
    """Every pair that is not legal, in order."""
    return [pair for pair in product(STATES, EVENTS) if pair not in TRANSITIONS]
