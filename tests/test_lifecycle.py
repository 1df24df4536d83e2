"""The states of a proposal: the whole table of what may happen in which, held against one written by hand."""

from itertools import product

import pytest

from rebalancer.errors import UsageError
from rebalancer.store.lifecycle import (
    CHANGES,
    DONE,
    EVENTS,
    LIVE,
    STATES,
    TRANSITIONS,
    WHY_NOT,
    after,
    expiring,
    illegal,
    is_repeat,
    rejecting,
)

TABLE = """
            approve   reject_some withdraw lapse    expire reject   supersede  apply   undo
open        approved  open        -        -        -      rejected superseded -       -
approved    approved  approved    open     approved open   rejected superseded applied -
rejected    -         -           -        -        -      =        -          -       -
superseded  -         -           -        -        -      -        =          -       -
applied     -         -           -        -        -      -        -          =       undone
undone      -         -           -        -        -      -        -          -       =
"""
"""`-`: refused. `=`: refused as a transition, but done already, which is no fault."""


def cells():
    head, *rows = TABLE.strip("\n").splitlines()
    return {
        (line.split()[0], event): cell
        for line in rows
        for event, cell in zip(head.split(), line.split()[1:], strict=True)
    }


CELLS = cells()


def test_the_table_has_every_state_and_every_event():
    assert set(CELLS) == set(product(STATES, EVENTS))


@pytest.mark.parametrize(("state", "event"), list(CELLS), ids="-".join)
def test_an_event_leads_where_the_table_says(state, event):
    cell = CELLS[state, event]
    assert is_repeat(state, event) == (cell == "=")
    if cell in "-=":
        with pytest.raises(UsageError, match=WHY_NOT[state][:20]):
            after(state, event)
        assert (state, event) in illegal()
    else:
        assert after(state, event) == cell


def test_nothing_is_applied_but_what_is_approved_and_nothing_leaves_a_last_state():
    assert {before for before, now in CHANGES if now == "applied"} == {"approved"}
    assert {state for state, _ in TRANSITIONS} == {*LIVE, "applied"}
    assert set(DONE.values()) == set(STATES) - set(LIVE)


@pytest.mark.parametrize(
    ("state", "left", "event"),
    [
        ("open", ["rejected", "rejected"], "reject"),
        ("approved", ["rejected", "rejected"], "reject"),
        ("open", ["rejected", "undecided"], "reject_some"),
        ("approved", ["rejected", "approved"], "reject_some"),
        ("approved", ["rejected", "undecided"], "withdraw"),
    ],
)
def test_what_a_rejection_is_follows_from_what_it_leaves(state, left, event):
    assert rejecting(state, left) == event


def test_approvals_that_end_leave_the_proposal_open_where_none_is_left():
    assert expiring(["approved", "undecided"]) == "lapse"
    assert expiring(["undecided", "rejected"]) == "expire"
