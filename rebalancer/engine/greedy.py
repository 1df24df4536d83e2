"""Greedy plans: the baselines that a search has to beat, and its first hint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebalancer.problem import HARD, Problem

PASSES = 4
"""Moves tried per group at most, so that the walk ends."""


def start_plans(problem: Problem) -> list[np.ndarray]:
    """Complete plans without a solver: today's where it may be kept, and a greedily cured one."""
    plans = [problem.today.copy()] if (problem.today >= 0).all() else []
    plans.append(_Walk(problem).plan())
    return [plan for plan in plans if problem.is_complete(plan)]


def cheapened(problem: Problem, plan: np.ndarray, most: int) -> np.ndarray:
    """The plan with groups put into cheaper arcs, dearest first, as long as `overload` stays at or below `most`."""
    walk = _Walk(problem, plan)
    walk.cheapen(most)
    return walk.chosen


@dataclass
class _Candidates:
    arc: np.ndarray
    overload: np.ndarray
    cost: np.ndarray


class _Walk:
    """A plan in the making with the activity of every row kept up to date."""

    def __init__(self, problem: Problem, start: np.ndarray | None = None) -> None:
        self.problem = problem
        rows = problem.rows
        order = np.argsort(rows.arc, kind="stable")
        self.entry_row = rows.of_entry()[order]
        self.entry_weight = rows.weight[order]
        self.arc_ptr = np.searchsorted(rows.arc[order], np.arange(problem.n_arcs + 1))
        self.group_ptr = np.searchsorted(problem.arc_group, np.arange(len(problem.groups) + 1))
        self.overload = problem.level_index("overload")
        self.counted = rows.level == self.overload
        self.price = np.where(self.counted, rows.penalty, 0)
        self.cost = problem.levels[0 if self.overload is None else self.overload + 1].arc_cost
        self.chosen = (problem.today if start is None else start).copy()
        self.activity = rows.activity(problem.taken(self.chosen))

    def plan(self) -> np.ndarray:
        """Place what has no seat, cure what is over or under, then take back moves that cured nothing."""
        for group in self._homeless():
            self._take_best(self._weigh(np.arange(self.group_ptr[group], self.group_ptr[group + 1])))
        self._cure()
        self._take_back()
        return self.chosen

    def _homeless(self) -> np.ndarray:
        """Groups without a seat, heaviest first."""
        homeless = np.flatnonzero(self.chosen < 0)
        weight = [self.entry_weight[slice(*self._entries(self.group_ptr[g]))].max(initial=0) for g in homeless]
        order = np.argsort(np.array(weight, dtype=np.int64), kind="stable")[::-1]
        return homeless[order]

    def _entries(self, arc: int) -> tuple[int, int]:
        return int(self.arc_ptr[arc]), int(self.arc_ptr[arc + 1])

    def _cure(self) -> None:
        stuck: set[int] = set()
        for _ in range(PASSES * len(self.problem.groups)):
            broken = self.problem.rows.excess(self.activity) * self.price
            broken[list(stuck)] = 0
            worst = int(broken.argmax()) if len(broken) else 0
            if not len(broken) or broken[worst] == 0:
                return
            weighed = self._weigh(self._remedies(worst))
            if self._take_cheapest_cure(weighed):
                stuck.clear()
            else:
                stuck.add(worst)

    def _remedies(self, row: int) -> np.ndarray:
        """Arcs out of a row that is over, or into a row that is under."""
        rows = self.problem.rows
        inside = rows.arc[rows.ptr[row] : rows.ptr[row + 1]]
        groups = np.unique(self.problem.arc_group[inside])
        if self.activity[row] < rows.lo[row]:
            return inside[self.chosen[self.problem.arc_group[inside]] != inside]
        held = groups[np.isin(self.chosen[groups], inside)]
        arcs = [np.arange(self.group_ptr[g], self.group_ptr[g + 1]) for g in held]
        every = np.concatenate(arcs) if arcs else np.zeros(0, dtype=np.int64)
        return every[self.chosen[self.problem.arc_group[every]] != every]

    def _weigh(self, arcs: np.ndarray) -> _Candidates:
        """What taking each arc instead of its group's present one does to overload and cost, hard rows kept."""
        rows = self.problem.rows
        now = self.chosen[self.problem.arc_group[arcs]]
        cand, row, change = self._changes(arcs, now)
        n_rows = max(1, len(rows))
        key, place = np.unique(cand * n_rows + row, return_inverse=True)
        total = np.zeros(len(key), dtype=np.int64)
        np.add.at(total, place.reshape(-1), change)
        cand, row = np.divmod(key, n_rows)
        before = self.activity[row]
        after = before + total
        excess = _beyond(after, rows.lo[row], rows.hi[row]) - _beyond(before, rows.lo[row], rows.hi[row])
        overload = np.zeros(len(arcs), dtype=np.int64)
        np.add.at(overload, cand, excess * self.price[row])
        breaks = np.zeros(len(arcs), dtype=bool)
        breaks[cand[(rows.level[row] == HARD) & (excess > 0)]] = True
        cost = self.cost[arcs] - np.where(now >= 0, self.cost[now], 0)
        return _Candidates(arcs[~breaks], overload[~breaks], cost[~breaks])

    def _changes(self, arcs: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        parts = []
        for sign, which, index in ((1, arcs, np.arange(len(arcs))), (-1, now[now >= 0], np.flatnonzero(now >= 0))):
            first, last = self.arc_ptr[which], self.arc_ptr[which + 1]
            count = last - first
            entry = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
            parts.append((np.repeat(index, count), self.entry_row[entry], sign * self.entry_weight[entry]))
        cand, row, change = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return cand, row, change

    def _take(self, arc: int) -> None:
        group = self.problem.arc_group[arc]
        for which, sign in ((self.chosen[group], -1), (arc, 1)):
            if which >= 0:
                entries = slice(*self._entries(int(which)))
                self.activity[self.entry_row[entries]] += sign * self.entry_weight[entries]
        self.chosen[group] = arc

    def _take_best(self, weighed: _Candidates) -> None:
        if len(weighed.arc):
            self._take(int(weighed.arc[np.lexsort((weighed.arc, weighed.cost, weighed.overload))[0]]))

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

    def cheapen(self, most: int) -> None:
        """Give up moves that overload can spare; what one frees, another may use, so go round until nothing changes."""
        overload = self.problem.values(self.chosen)[self.overload or 0]
        for _ in range(PASSES):
            before = overload
            costly = np.flatnonzero(self.cost[self.chosen] > 0)
            changed = False
            for group in costly[np.argsort(-self.cost[self.chosen[costly]], kind="stable")]:
                weighed = self._weigh(np.arange(self.group_ptr[group], self.group_ptr[group + 1]))
                fits = np.flatnonzero((weighed.cost < 0) & (overload + weighed.overload <= most))
                if len(fits):
                    best = fits[np.lexsort((weighed.overload[fits], weighed.cost[fits]))[0]]
                    self._take(int(weighed.arc[best]))
                    overload += int(weighed.overload[best])
                    changed = True
            if not changed and overload == before:
                return


def _beyond(activity: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    return np.maximum(0, np.maximum(activity - hi, lo - activity))
