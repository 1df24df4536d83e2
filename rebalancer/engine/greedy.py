"""Greedy plans: the baselines that a search has to beat, and its first hint."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from rebalancer.engine import compiled
from rebalancer.engine.bound import Dual
from rebalancer.links import ranges
from rebalancer.problem import HARD, Problem

PASSES = 4
"""Moves tried per group at most, so that the walk ends."""

LOSS_STEPS = 1_000
"""Losses that differ by less than this part of the usual one count as equal: then the fuller book is taken."""

BEYOND = 1e15
"""The loss of an arc that fits into no book."""


def start_plans(problem: Problem) -> list[np.ndarray]:
    """Complete plans without a solver: today's where it may be kept, and a greedily cured one."""
    plans = [problem.today.copy()] if (problem.today >= 0).all() else []
    plans.append(_Walk(problem).plan())
    return [plan for plan in plans if problem.is_complete(plan)]


def guided(problem: Problem, dual: Dual, most: int, level: int, deadline: float) -> np.ndarray:
    """A plan led by the dual: groups that its knapsacks take stay where they do so at the least loss, the others are
    placed and the rest is cured at the least loss, until `overload` is at or below `most` or nothing helps. Then groups
    go back to arcs that cost less at `level` where there is room.
    """
    loss = np.where(np.isfinite(dual.loss), dual.loss, 0.0)
    step = max(1e-9, float(np.median(np.abs(loss))) / LOSS_STEPS)
    loss = np.where(np.isfinite(dual.loss), np.rint(dual.loss / step), BEYOND)
    taken = np.flatnonzero(dual.taken)
    taken = taken[np.lexsort((loss[taken], problem.arc_group[taken]))]
    groups, first = np.unique(problem.arc_group[taken], return_index=True)
    start = np.full(len(problem.groups), -1)
    start[groups] = taken[first]
    walk = _Walk(problem, start, loss)
    walk.place()
    walk.cure(most, deadline)
    walk.cost = problem.levels[level].arc_cost
    walk.cheapen(max(most, walk.overloaded()), deadline)
    return walk.chosen


def cheapened(problem: Problem, plan: np.ndarray, most: int) -> np.ndarray:
    """The plan with groups put into cheaper arcs, dearest first, as long as `overload` stays at or below `most`."""
    walk = _Walk(problem, plan)
    walk.cheapen(most)
    return walk.chosen


@dataclass
class _Candidates:
    """Arcs that break no hard row; what each does to overload and cost; the least share of a limit that it leaves."""

    arc: np.ndarray
    overload: np.ndarray
    cost: np.ndarray
    room: np.ndarray


class _Walk:
    """A plan in the making with the activity of every row kept up to date."""

    def __init__(self, problem: Problem, start: np.ndarray | None = None, cost: np.ndarray | None = None) -> None:
        self.problem = problem
        rows = problem.rows
        self.overload = problem.level_index("overload")
        counts = (rows.level == self.overload) | (rows.level == HARD)
        row = rows.of_entry()
        entries = np.flatnonzero(counts[row])
        order = entries[np.argsort(rows.arc[entries], kind="stable")]
        self.entry_row, self.entry_weight = row[order], rows.weight[order]
        self.arc_ptr = np.searchsorted(rows.arc[order], np.arange(problem.n_arcs + 1))
        self.group_ptr = np.searchsorted(problem.arc_group, np.arange(len(problem.groups) + 1))
        self.price = np.where(rows.level == self.overload, rows.penalty, np.where(rows.level == HARD, -1, 0))
        self.charged = np.maximum(0, self.price)
        self.cost = problem.levels[0 if self.overload is None else self.overload + 1].arc_cost if cost is None else cost
        self.chosen = (problem.today if start is None else start).copy()
        self.activity = rows.activity(problem.taken(self.chosen))

    def plan(self) -> np.ndarray:
        """Place what has no seat, cure what is over or under, then take back moves that cured nothing."""
        self.place()
        self.cure()
        self._take_back()
        return self.chosen

    def place(self) -> None:
        """Give every group without a seat the arc that does least harm, costs least, and fills its book best."""
        for group in self._homeless():
            weighed = self._weigh(np.arange(self.group_ptr[group], self.group_ptr[group + 1]))
            if len(weighed.arc):
                best = np.lexsort((weighed.arc, weighed.room, weighed.cost, weighed.overload))[0]
                self._take(int(weighed.arc[best]))

    def _homeless(self) -> np.ndarray:
        """Groups without a seat, heaviest first."""
        homeless = np.flatnonzero(self.chosen < 0)
        weight = [self.entry_weight[slice(*self._entries(self.group_ptr[g]))].max(initial=0) for g in homeless]
        order = np.argsort(np.array(weight, dtype=np.int64), kind="stable")[::-1]
        return homeless[order]

    def _entries(self, arc: int) -> tuple[int, int]:
        return int(self.arc_ptr[arc]), int(self.arc_ptr[arc + 1])

    def overloaded(self) -> int:
        """The present value of `overload`, as far as rows make it."""
        return int((self.problem.rows.excess(self.activity).astype(object) * self.charged).sum())

    def cure(self, most: int = 0, deadline: float = math.inf) -> None:
        """Move groups out of the worst row at the least cost per unit of overload, until it is at or below `most`."""
        stuck: set[int] = set()
        for _ in range(PASSES * len(self.problem.groups)):
            broken = self.problem.rows.excess(self.activity) * self.charged
            if broken.sum() <= most or time.monotonic() > deadline:
                return
            broken[list(stuck)] = 0
            worst = int(broken.argmax())
            if broken[worst] == 0:
                return
            weighed = self._weigh(self._remedies(worst))
            if self._take_cheapest_cure(weighed):
                stuck.clear()
            else:
                stuck.add(worst)

    def _remedies(self, row: int) -> np.ndarray:
        """Arcs out of a row that is over, or into a row that is under."""
        rows, group = self.problem.rows, self.problem.arc_group
        inside = rows.arc[rows.ptr[row] : rows.ptr[row + 1]]
        taken = self.chosen[group[inside]] == inside
        if self.activity[row] < rows.lo[row]:
            return inside[~taken]
        held = group[inside[taken]]
        every = ranges(self.group_ptr[held], self.group_ptr[held + 1] - self.group_ptr[held])
        return every[self.chosen[group[every]] != every]

    def _weigh(self, arcs: np.ndarray) -> _Candidates:
        """What taking each arc instead of its group's present one does to overload and cost, hard rows kept."""
        rows = self.problem.rows
        now = self.chosen[self.problem.arc_group[arcs]]
        overload, breaks = np.empty(len(arcs), dtype=np.int64), np.empty(len(arcs), dtype=bool)
        room = np.empty(len(arcs))
        compiled.weigh(
            arcs, now, self.arc_ptr, self.entry_row, self.entry_weight, self.activity, rows.lo, rows.hi, self.price,
            overload, breaks, room,
        )  # fmt: skip
        cost = self.cost[arcs] - np.where(now >= 0, self.cost[now], 0)
        fits = ~breaks
        return _Candidates(arcs[fits], overload[fits], cost[fits], room[fits])

    def _take(self, arc: int) -> None:
        group = self.problem.arc_group[arc]
        for which, sign in ((self.chosen[group], -1), (arc, 1)):
            if which >= 0:
                entries = slice(*self._entries(int(which)))
                self.activity[self.entry_row[entries]] += sign * self.entry_weight[entries]
        self.chosen[group] = arc

    def _take_cheapest_cure(self, weighed: _Candidates) -> bool:
        cures = np.flatnonzero(weighed.overload < 0)
        if not len(cures):
            return False
        ratio = weighed.cost[cures] / -weighed.overload[cures]
        self._take(int(weighed.arc[cures[np.argmin(ratio)]]))
        return True

    def _take_back(self) -> None:
        """Return groups to today's seat where that breaks nothing further, dearest first."""
        today = self.problem.today
        moved = np.flatnonzero((today >= 0) & (self.chosen != today))
        for group in moved[np.argsort(-self.cost[self.chosen[moved]], kind="stable")]:
            weighed = self._weigh(today[group : group + 1])
            if len(weighed.arc) and weighed.overload[0] <= 0 and weighed.cost[0] <= 0:
                self._take(int(today[group]))

    def cheapen(self, most: int, deadline: float = math.inf) -> None:
        """Give up moves that overload can spare; what one frees, another may use, so go round until nothing changes."""
        overload = self.problem.values(self.chosen)[self.overload or 0]
        self.least = np.minimum.reduceat(self.cost, self.group_ptr[:-1]) if len(self.cost) else self.cost
        for _ in range(PASSES):
            before = overload
            costly = np.flatnonzero(self.cost[self.chosen] > self.least)
            changed = False
            for group in costly[np.argsort(-self.cost[self.chosen[costly]], kind="stable")]:
                if time.monotonic() > deadline:
                    return
                weighed = self._weigh(np.arange(self.group_ptr[group], self.group_ptr[group + 1]))
                fits = np.flatnonzero((weighed.cost < 0) & (overload + weighed.overload <= most))
                if len(fits):
                    best = fits[np.lexsort((weighed.overload[fits], weighed.cost[fits]))[0]]
                    self._take(int(weighed.arc[best]))
                    overload += int(weighed.overload[best])
                    changed = True
            if not changed and overload == before:
                return
