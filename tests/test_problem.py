"""Problem: values, components and parts of small problems written by hand."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import book_of, chosen, problem_of

from rebalancer.problem import HARD, NO_LIMIT, Gates, Level, Problem, Rows


def ints(*values):
    return np.array(values, dtype=np.int64)


def small():
    """Groups g0-g3 at seats A and B (arcs 2g and 2g + 1), g3 at A alone (arc 6); today all at A but g3, which is new.

    Rows: A holds at most 5 of g0 and g1 (elastic, price 10), B between 2 and 4 of g0 and g1 (hard), an open one without
    an arc. Gate: g1 at B or g2 at B.
    """
    zero = np.zeros(1, dtype=np.int64)
    return Problem(
        groups=("g0", "g1", "g2", "g3"),
        seats=("A", "B"),
        arc_group=ints(0, 0, 1, 1, 2, 2, 3),
        arc_seat=ints(0, 1, 0, 1, 0, 1, 0),
        arc_book=ints(0, 1, 0, 1, 0, 1, 0),
        today=ints(0, 2, 4, -1),
        rows=Rows(
            names=("A", "B", "nobody"),
            rules=("cap", "band", "cap"),
            ptr=ints(0, 2, 4, 4),
            arc=ints(0, 2, 1, 3),
            weight=ints(3, 4, 3, 4),
            lo=ints(-NO_LIMIT, 2, -NO_LIMIT),
            hi=ints(5, 4, 0),
            level=ints(0, HARD, 0),
            penalty=ints(10, 0, 7),
        ),
        gates=Gates(("shared",), ints(0, 2), ints(3, 5)),
        levels=(
            Level("overload", np.zeros(7, dtype=np.int64), zero, 0.1),
            Level("cost", ints(0, 5, 0, 6, 0, 7, 1), ints(100)),
        ),
    )


def test_values_are_arcs_open_gates_and_what_is_broken_at_its_price():
    problem = small()
    today = ints(0, 2, 4, 6)
    assert problem.values(today) == (20, 1)  # A holds 7, two too many
    assert problem.values(ints(1, 2, 4, 6)) == (0, 6)
    assert problem.values(ints(1, 3, 5, 6)) == (0, 5 + 6 + 7 + 1 + 100)  # the gate is paid once
    assert problem.values(ints(0, 2, -1, -1)) == (20, 0)


def test_values_do_not_overflow():
    problem = small()
    rows = replace(problem.rows, weight=ints(10**12, 10**12, 3, 4), penalty=ints(10**9, 0, 7))
    assert replace(problem, rows=rows).values(ints(0, 2, 4, 6))[0] == (2 * 10**12 - 5) * 10**9


def test_the_excess_of_a_row_counts_on_both_sides():
    rows = small().rows
    assert rows.excess(ints(4, 1, 0)).tolist() == [0, 1, 0]
    assert rows.excess(ints(9, 6, 3)).tolist() == [4, 2, 3]
    assert rows.activity(small().taken(ints(0, 3, 4, 6))).tolist() == [3, 4, 0]
    assert rows.of_entry().tolist() == [0, 0, 1, 1]
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("plan", "complete"),
    [
        ((1, 2, 4, 6), True),  # B holds 3
        ((0, 2, 4, 6), False),  # B holds 0, at least 2
        ((1, 3, 4, 6), False),  # B holds 7
        ((1, 2, 4, -1), False),
        ((1, 2, 4, 4), False),  # an arc of another group
        ((1, 2, 4), False),
    ],
)
def test_a_plan_is_complete_where_every_group_has_an_arc_of_its_own_and_hard_rows_hold(plan, complete):
    assert small().is_complete(ints(*plan)) is complete


def test_a_gate_is_open_when_any_of_its_arcs_is_taken():
    problem = small()
    assert problem.gates.open(problem.taken(ints(1, 2, 5, 6))).tolist() == [True]
    assert problem.gates.open(problem.taken(ints(1, 2, 4, 6))).tolist() == [False]
    assert Gates().open(problem.taken(ints(1, 2, 4, 6))).tolist() == []


def test_groups_that_share_a_row_or_a_gate_belong_together():
    assert [part.tolist() for part in small().components()] == [[0, 1, 2], [3]]


def test_without_rows_and_gates_every_group_is_alone():
    problem = small()
    none = np.zeros(0, dtype=np.int64)
    empty = Rows((), (), ints(0), none, none, none, none, none, none)
    alone = replace(problem, rows=empty, gates=Gates(), levels=(Level("cost", problem.levels[1].arc_cost, none),))
    assert [part.tolist() for part in alone.components()] == [[0], [1], [2], [3]]
    assert alone.values(ints(1, 2, 4, 6)) == (6,)
    assert alone.is_complete(ints(0, 2, 4, 6))
    part, arcs = alone.restricted(ints(3))
    assert (part.groups, arcs.tolist(), len(part.rows)) == (("g3",), [6], 0)


def test_a_problem_without_groups_has_no_components():
    problem = small()
    nothing = np.zeros(0, dtype=np.int64)
    empty = Problem((), (), nothing, nothing, nothing, nothing, problem.restricted(nothing)[0].rows, Gates(), ())
    assert empty.components() == []


def test_a_part_keeps_its_arcs_rows_gates_and_prices():
    problem = small()
    part, arcs = problem.restricted(ints(0, 1, 2))
    assert arcs.tolist() == [0, 1, 2, 3, 4, 5]
    assert (part.groups, part.today.tolist()) == (("g0", "g1", "g2"), [0, 2, 4])
    assert (part.rows.names, part.rows.rules) == (("A", "B"), ("cap", "band"))  # the row without an arc is gone
    assert (part.rows.hi.tolist(), part.rows.level.tolist()) == ([5, 4], [0, HARD])
    assert part.gates.names == ("shared",)
    assert part.levels[0].tolerance == 0.1
    assert part.values(ints(1, 3, 5)) == (0, 118)


def test_a_part_numbers_its_arcs_anew():
    part, arcs = small().restricted(ints(3))
    assert (arcs.tolist(), part.arc_group.tolist(), part.today.tolist()) == ([6], [0], [-1])
    assert (len(part.rows), len(part.gates)) == (0, 0)
    assert part.values(ints(0)) == (0, 1)
    assert part.seats == ("A", "B")


def test_the_value_of_a_problem_is_the_sum_of_its_parts():
    accounts = "account_id,owner,region,tier\na,E-1,EMEA,enterprise\nb,E-1,EMEA,smb\nc,E-2,APAC,smb\nd,,APAC,strategic"
    problem = problem_of(book_of(accounts, "am_id,region,capacity\nE-1,EMEA,4\nE-2,APAC,5\nE-3,EMEA;APAC,1"))
    single = problem_of(book_of(accounts, "am_id,region,capacity\nE-1,EMEA,4\nE-2,APAC,5\nE-3,EMEA,1"))
    assert len(problem.components()) == 1  # E-3 ties them
    parts = single.components()
    assert [part.tolist() for part in parts] == [[0, 1], [2, 3]]
    plan = chosen(single, "a E-1, b E-3, c E-2, d E-2")
    total = np.zeros(len(single.levels), dtype=np.int64)
    for groups in parts:
        part, arcs = single.restricted(groups)
        total += part.values(np.searchsorted(arcs, plan[groups]))
    ties = single.level_index("ties")
    assert total.tolist() == list(single.values(plan))
    assert ties == len(single.levels) - 1


def test_arcs_are_sorted_by_group_and_seat_and_levels_are_found_by_name():
    problem = problem_of(book_of("account_id,owner\nb,E-2\na,E-1"))
    assert problem.groups == ("a", "b")
    assert list(zip(problem.arc_group.tolist(), problem.arc_seat.tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    assert (problem.level_index("disruption"), problem.level_index("continuity")) == (1, None)
    assert problem.n_arcs == 4
