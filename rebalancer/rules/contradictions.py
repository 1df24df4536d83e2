"""Contradictions: hard rows that no choice of arcs can satisfy, found before anybody searches."""

from __future__ import annotations

import numpy as np

from rebalancer.errors import NoLegalPlan
from rebalancer.links import ranges
from rebalancer.problem import HARD, Problem
from rebalancer.rules.arcs import starts


def refuse_contradictions(problem: Problem) -> None:
    """Raise `NoLegalPlan` for the first hard row that can't hold even where every group helps it most."""
    rows = problem.rows
    hard = np.flatnonzero(rows.level == HARD)
    least, most = _reach(problem, hard)
    beyond = np.maximum(rows.lo[hard] - most, least - rows.hi[hard])
    if (beyond > 0).any():
        first = int(np.argmax(beyond > 0))
        raise NoLegalPlan(
            f"the limit {rows.words(hard[first])} can't hold: what locks, fixed seats and departures require is "
            f"{int(beyond[first]):,} beyond it. Raise the limit, or remove some assign_to."
        )


def _reach(problem: Problem, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the most that each of the rows can add up to, one arc of every group taken."""
    rows, n = problem.rows, len(kept)
    sizes = rows.ptr[kept + 1] - rows.ptr[kept]
    entries = ranges(rows.ptr[kept], sizes)
    row, group, weight = np.repeat(np.arange(n), sizes), problem.arc_group[rows.arc[entries]], rows.weight[entries]
    least, most = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    if len(entries):
        first = starts(row * len(problem.groups) + group)  # arcs are sorted by group, so equal ones stand together
        count = np.diff(np.append(first, len(row)))
        free = count < np.bincount(problem.arc_group, minlength=len(problem.groups))[group[first]]
        for total, extreme in ((least, np.minimum), (most, np.maximum)):
            weighed = extreme.reduceat(weight, first)
            np.add.at(total, row[first], np.where(free, extreme(weighed, 0), weighed))
    return least, most
