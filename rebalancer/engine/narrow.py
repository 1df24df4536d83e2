"""Narrow: the smaller problem that is left when most groups keep their arcs, or most arcs are shut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebalancer.engine.cpsat import Task
from rebalancer.links import ranges
from rebalancer.problem import HARD, NO_LIMIT, Gates, Level, Problem, Rows


@dataclass(frozen=True)
class Narrowed:
    """A part of a problem: `arcs` and `groups` say where its arcs and groups are in the whole.

    `constant` is what the rest adds to every level.
    """

    problem: Problem
    arcs: np.ndarray
    groups: np.ndarray
    constant: tuple[int, ...]

    def task(self, task: Task) -> Task:
        """The task in numbers of the part."""
        within = tuple((level, most - self.constant[level]) for level, most in task.within)
        return Task(task.level, within, task.legal)

    def widened(self, part: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """The whole plan with the part's choice in it."""
        whole = chosen.copy()
        whole[self.groups] = self.arcs[part]
        return whole


class Narrower:
    """Narrows one problem to what one task needs, many times."""

    def __init__(self, problem: Problem, task: Task) -> None:
        self.problem, self.legal = problem, task.legal
        rows = problem.rows
        wanted = {HARD, task.level, *(level for level, _ in task.within)}
        if task.legal and (overload := problem.level_index("overload")) is not None:
            wanted.add(overload)
        self.row_counts = np.isin(rows.level, list(wanted))
        entry_row = rows.of_entry()
        kept = np.flatnonzero(self.row_counts[entry_row])
        order = kept[np.argsort(rows.arc[kept], kind="stable")]
        self.entry_row, self.entry_weight = entry_row[order], rows.weight[order]
        self.arc_ptr = np.searchsorted(rows.arc[order], np.arange(problem.n_arcs + 1))
        self.group_ptr = np.searchsorted(problem.arc_group, np.arange(len(problem.groups) + 1))

    def arcs_of(self, groups: np.ndarray) -> np.ndarray:
        """All arcs of some groups, in order."""
        return ranges(self.group_ptr[groups], self.group_ptr[groups + 1] - self.group_ptr[groups])

    def narrowed(self, groups: np.ndarray, arcs: np.ndarray, chosen: np.ndarray) -> Narrowed:
        """The problem of choosing among `arcs` (sorted, at least one for each of the sorted `groups`), the other groups
        keeping what a complete plan chose for them. Where no plan is complete yet, all groups have to take part.
        """
        problem, rows = self.problem, self.problem.rows
        fixed = np.ones(len(problem.groups), dtype=bool)
        fixed[groups] = False
        row, arc, weight = self._entries(arcs)
        used, row = np.unique(row, return_inverse=True)
        order = np.lexsort((arc, row))
        done = self._activity(chosen[fixed])
        number = np.cumsum(~fixed) - 1
        opened = problem.gates.open(problem.taken(np.where(fixed, chosen, -1)))
        gates, gate = self._gates(arcs, opened)
        part = Problem(
            groups=tuple(problem.groups[group] for group in groups),
            seats=problem.seats,
            arc_group=number[problem.arc_group[arcs]],
            arc_seat=problem.arc_seat[arcs],
            arc_book=problem.arc_book[arcs],
            today=np.full(len(groups), -1),
            rows=Rows(
                tuple(rows.names[r] for r in used),
                tuple(rows.rules[r] for r in used),
                np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(used)))]).astype(np.int64),
                arc[order],
                weight[order],
                np.where(rows.lo[used] > -NO_LIMIT, rows.lo[used] - done[used], -NO_LIMIT),
                np.where(rows.hi[used] < NO_LIMIT, rows.hi[used] - done[used], NO_LIMIT),
                rows.level[used],
                rows.penalty[used],
            ),
            gates=gates,
            levels=tuple(
                Level(level.name, level.arc_cost[arcs], level.gate_cost[gate], level.tolerance)
                for level in problem.levels
            ),
        )
        return Narrowed(part, arcs, groups, self._constant(chosen[fixed], opened, done, used))

    def _entries(self, arcs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, place among `arcs`, and weight of all entries of some arcs."""
        sizes = self.arc_ptr[arcs + 1] - self.arc_ptr[arcs]
        entries = ranges(self.arc_ptr[arcs], sizes)
        place = np.repeat(np.arange(len(arcs)), sizes)
        return self.entry_row[entries], place, self.entry_weight[entries]

    def _activity(self, taken: np.ndarray) -> np.ndarray:
        row, _, weight = self._entries(taken)
        total = np.zeros(len(self.problem.rows), dtype=np.int64)
        np.add.at(total, row, weight)
        return total

    def _constant(
        self, taken: np.ndarray, opened: np.ndarray, activity: np.ndarray, used: np.ndarray
    ) -> tuple[int, ...]:
        """What fixed arcs and the gates they open cost, and rows that nothing free touches."""
        rows = self.problem.rows
        untouched = self.row_counts.copy()
        untouched[used] = False
        broken = rows.excess(activity).astype(object) * rows.penalty
        return tuple(
            int(level.arc_cost[taken].sum())
            + int(level.gate_cost[opened].sum())
            + int(sum(broken[untouched & (rows.level == index)]))
            for index, level in enumerate(self.problem.levels)
        )

    def _gates(self, arcs: np.ndarray, opened: np.ndarray) -> tuple[Gates, np.ndarray]:
        """Gates that free arcs may open, and their numbers; those that fixed arcs open are paid for already."""
        gates = self.problem.gates
        place = np.full(self.problem.n_arcs, -1)
        place[arcs] = np.arange(len(arcs))
        gate = np.repeat(np.arange(len(gates)), np.diff(gates.ptr))
        free = (place[gates.arc] >= 0) & ~opened[gate]
        kept = np.unique(gate[free])
        sizes = np.bincount(gate[free], minlength=len(gates))[kept]
        ptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return Gates(tuple(gates.names[k] for k in kept), ptr, place[gates.arc[free]]), kept
