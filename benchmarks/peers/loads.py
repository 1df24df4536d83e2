"""Loads: how full every limit is while a plan is made or changed arc by arc."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from benchmarks.instance import Instance
from rebalancer.problem import NO_LIMIT


class Loads:
    """The upper limits of an instance, and their loads under `chosen` (-1: not placed yet). Work is on arrays of arcs.

    Lower limits are left to the judge: no family of books has them.
    """

    def __init__(self, instance: Instance, start: np.ndarray | None = None) -> None:
        self.instance, problem = instance, instance.problem
        limits = instance.limits()
        limits = limits[problem.rows.hi[limits] < NO_LIMIT]
        rows = problem.rows
        weights = csr_array((rows.weight, rows.arc, rows.ptr), shape=(len(rows), problem.n_arcs))
        self.of_arc = csr_array(csr_array(weights[limits]).T)
        """Arcs by limits: what an arc adds."""
        self.members = csr_array(weights[limits])
        self.hi = rows.hi[limits]
        self.price = np.where(rows.level[limits] == 0, rows.penalty[limits], rows.penalty.max(initial=1) * 10**3)
        self.chosen = np.full(len(problem.groups), -1) if start is None else start.copy()
        self.load = self.members @ problem.taken(self.chosen).astype(np.int64)
        self.first = np.searchsorted(problem.arc_group, np.arange(len(problem.groups) + 1))

    @property
    def overload(self) -> int:
        """What is beyond the limits, priced as in level `overload`."""
        return int((np.maximum(0, self.load - self.hi) * self.price).sum())

    def arcs(self, group: int) -> np.ndarray:
        """The arcs of a group."""
        return np.arange(self.first[group], self.first[group + 1])

    def entries(self, group: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For all arcs of a group: the number of the arc within it, the limit, and what the arc adds there."""
        ptr = self.of_arc.indptr[self.first[group] : self.first[group + 1] + 1]
        inside = slice(ptr[0], ptr[-1])
        return np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)), self.of_arc.indices[inside], self.of_arc.data[inside]

    def fullness(self, group: int) -> np.ndarray:
        """How full the fullest limit of each arc of a group would be with it, for a group that is not placed."""
        arc, limit, weight = self.entries(group)
        full = np.zeros(self.first[group + 1] - self.first[group])
        np.maximum.at(full, arc, (self.load[limit] + weight) / np.maximum(1, self.hi[limit]))
        return full

    def weight(self) -> np.ndarray:
        """The size of each group: the largest share of a limit that its first arc takes."""
        share = self.of_arc.multiply(1.0 / np.maximum(1, self.hi)).tocsr()
        largest = share.max(axis=1).toarray().reshape(-1)
        return largest[self.first[:-1]]

    def take(self, arc: int) -> None:
        """Put the group of an arc there, from where it was."""
        group = self.instance.problem.arc_group[arc]
        for which, sign in ((int(self.chosen[group]), -1), (int(arc), 1)):
            if which >= 0:
                inside = slice(self.of_arc.indptr[which], self.of_arc.indptr[which + 1])
                self.load[self.of_arc.indices[inside]] += sign * self.of_arc.data[inside]
        self.chosen[group] = arc

    def change(self, *arcs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What taking several arcs of different groups at once (one from each array) does to overload and cost."""
        cost, total = np.zeros(len(arcs[0]), dtype=np.int64), None
        for part in arcs:
            now = self.chosen[self.instance.problem.arc_group[part]]
            cost += self.instance.cost[part] - self.instance.cost[now]
            step = self.of_arc[part] - self.of_arc[now]
            total = step if total is None else total + step
        entries = csr_array(total).tocoo()
        limit, before = entries.col, self.load[entries.col]
        after = np.maximum(0, before + entries.data - self.hi[limit]) - np.maximum(0, before - self.hi[limit])
        over = np.zeros(len(cost), dtype=np.int64)
        np.add.at(over, entries.row, after * self.price[limit])
        return over, cost
