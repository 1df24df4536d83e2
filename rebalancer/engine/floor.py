"""Floor: the bound that needs no search, of the cheapest arc of every group."""

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
