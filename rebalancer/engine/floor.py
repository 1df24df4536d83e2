"""Floor: bounds that need no solver, of the cheapest arc of every group and of what no arc can mend."""

from __future__ import annotations

import numpy as np

from rebalancer.problem import Problem


def sum_of_least(problem: Problem, level: int) -> int:
    """The bound of zero multipliers: every group at its cheapest arc, nothing broken. It needs no solver."""
    cost = problem.levels[level].arc_cost
    if not len(cost):
        return 0
    first = np.searchsorted(problem.arc_group, np.arange(len(problem.groups)))
    return int(np.minimum.reduceat(cost, first).sum())


def outside(problem: Problem) -> tuple[int, ...]:
    """What rows without any arc cost: a floor of a book that nothing can reach."""
    rows = problem.rows
    empty = np.diff(rows.ptr) == 0
    broken = rows.excess(np.zeros(len(rows), dtype=np.int64)).astype(object) * rows.penalty
    return tuple(int(sum(broken[empty & (rows.level == index)])) for index in range(len(problem.levels)))
