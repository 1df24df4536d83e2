"""Hard rows: the small problem of whether some of them can hold together, without all that does not bear on it."""

from __future__ import annotations

import numpy as np

from rebalancer.problem import HARD, NO_LIMIT, Gates, Level, Problem, Rows


def hard_rows_alone(problem: Problem, rows: np.ndarray, elastic: int | None = None) -> Problem:
    """The problem of some hard rows and nothing else, in which `elastic` may break at a price of 1 per unit.

    A group with an arc that is best for every row takes it and is left out. Of the arcs that no row weighs each group
    keeps one.
    """
    every, rows = problem.rows, np.sort(rows)
    entry = np.isin(every.of_entry(), rows)
    arc, weight = every.arc[entry], every.weight[entry]
    row = np.repeat(np.arange(len(rows)), np.diff(every.ptr)[rows])
    best = _best_arcs(problem, row, arc, weight, every.lo[rows], every.hi[rows])
    taken = problem.taken(best)[arc]
    settled = np.bincount(row[taken], weight[taken], len(rows)).astype(np.int64)
    open_groups = best < 0
    weighed = np.zeros(problem.n_arcs, dtype=bool)
    weighed[arc] = True
    free = np.flatnonzero(~weighed)
    weighed[free[np.unique(problem.arc_group[free], return_index=True)[1]]] = True
    kept = weighed & open_groups[problem.arc_group]
    arcs = np.flatnonzero(kept)
    inside = kept[arc]
    none = np.zeros(len(arcs), dtype=np.int64)
    return Problem(
        groups=tuple(np.array(problem.groups, dtype=object)[open_groups]),
        seats=(),
        arc_group=(np.cumsum(open_groups) - 1)[problem.arc_group[arcs]],
        arc_seat=none,
        arc_book=none,
        today=np.full(int(open_groups.sum()), -1),
        rows=Rows(
            names=tuple(every.names[index] for index in rows),
            rules=tuple(every.rules[index] for index in rows),
            ptr=np.searchsorted(row[inside], np.arange(len(rows) + 1)),
            arc=(np.cumsum(kept) - 1)[arc[inside]],
            weight=weight[inside],
            lo=np.where(every.lo[rows] > -NO_LIMIT, every.lo[rows] - settled, -NO_LIMIT),
            hi=np.where(every.hi[rows] < NO_LIMIT, every.hi[rows] - settled, NO_LIMIT),
            level=np.where(rows == elastic, 0, HARD),
            penalty=np.ones(len(rows), dtype=np.int64),
        ),
        gates=Gates(),
        levels=(Level("overload", none, np.zeros(0, dtype=np.int64)),),
    )


def _best_arcs(
    problem: Problem, row: np.ndarray, arc: np.ndarray, weight: np.ndarray, lo: np.ndarray, hi: np.ndarray
) -> np.ndarray:
    """For each group an arc that weighs most in every row with a lower bound and nothing in those with an upper one.

    -1 where there is none, and where a row with both bounds weighs the group.
    """
    n_groups = len(problem.groups)
    from_below = (lo > -NO_LIMIT) & (hi >= NO_LIMIT)
    most, place = np.unique(row * n_groups + problem.arc_group[arc], return_inverse=True)
    heaviest = np.zeros(len(most), dtype=np.int64)
    np.maximum.at(heaviest, place.reshape(-1), weight)
    wanted = np.bincount(most % n_groups, from_below[most // n_groups], n_groups)
    both_sides = (lo > -NO_LIMIT) & (hi < NO_LIMIT)
    wanted[problem.arc_group[arc[both_sides[row]]]] = len(lo) + 1  # more than any arc can be right in
    right = from_below[row] & (weight == heaviest[place.reshape(-1)])
    score = np.bincount(arc, np.where(right, 1, np.where(from_below[row], 0, -len(lo) - 1)), problem.n_arcs)
    good = np.flatnonzero(score == wanted[problem.arc_group])
    best = np.full(n_groups, -1)
    best[problem.arc_group[good[::-1]]] = good[::-1]
    return best
