"""Bound: climbs the Lagrangian dual of `certificate` and says which arcs a good plan may use.

The ascent is Adam (Kingma & Ba 2015, ICLR) on the multipliers, with steps in units of what a group's move costs that
shrink where they lead no higher; the best point is kept. The bound that is handed out is the certificate's own.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from rebalancer.certificate import MAX_SUM, SCALE, Multipliers, Relaxation, bound, relaxation
from rebalancer.engine import compiled
from rebalancer.engine.cpsat import Task
from rebalancer.engine.outcome import Stop
from rebalancer.problem import NO_LIMIT, Problem

FIRST_STEP, LAST_STEP = 0.1, 0.0005
"""The first steps of the ascent as shares of what moving a group costs, and those that end it."""

PATIENCE, DEEPER_PATIENCE, SHRINK, TELLING = 10, 20, 0.8, 1e-6
"""Steps get shorter by this factor after so many evaluations that were not higher by this share of the bound."""

MEAN, SPREAD = 0.9, 0.99
"""Decay of Adam's first and second moment."""


DEEPER_STEP = 0.005
"""The first steps once every row that can be a knapsack is one, from where the ascent without them ended."""

QUICK = 1_000
"""Evaluations at most for the certificate of a problem that the solver has done alone."""


def certify(problem: Problem, task: Task, stop: Stop) -> tuple[Multipliers, int]:
    """Multipliers for a task, found in a moment, and the bound they prove."""
    ascent = Ascent(problem, task.level, task.within, task.legal)
    ascent.climb(QUICK, stop, math.inf)
    if ascent.deepens:
        ascent = ascent.deepened()
        ascent.climb(QUICK, stop, math.inf)
    dual = ascent.dual()
    return dual.multipliers, dual.bound


@dataclass
class Dual:
    """Where an ascent stands: the best multipliers, their bound, and the loss of every arc.

    `loss[a]` is by how much the bound of a plan that takes arc a is higher, in units of cost; `doubt` is to be added
    before an arc is ruled out for certain. `taken` flags the arcs that the knapsacks take.
    """

    multipliers: Multipliers
    bound: int
    loss: np.ndarray
    doubt: np.ndarray
    taken: np.ndarray


class Ascent:
    """The dual of one task on one problem, climbed in as many goes as there is time for."""

    def __init__(
        self, problem: Problem, level: int, within: tuple[tuple[int, int], ...], legal: bool, *, linked: bool = False
    ) -> None:
        self.problem, self.legal = problem, legal
        self.relaxed = relaxation(problem, level, within, legal, linked=linked)
        self.proving = relaxation(problem, level, within, legal) if self.deepens else self.relaxed
        self._prepare(self.relaxed)
        self._scale()
        self.evaluations = 0
        self.slack = 0.0  # what a knapsack's value may lack, since exact ones take longer than they help
        self.at = (self.group.copy(), self.row.copy(), self.kept.copy())
        self._rest(FIRST_STEP)
        self.best = (self.least, np.zeros(len(self.rows)), np.zeros(len(self.most)))
        self.best_value = self.evaluate(*self.best)

    def _rest(self, size: float) -> None:
        """Stand still, with the next steps of this size."""
        self.moments = [(np.zeros(len(part)), np.zeros(len(part))) for part in self.at]
        self.size, self.idle, self.turn = size, 0, 0

    @property
    def deepens(self) -> bool:
        """Some row could be a knapsack and is none yet."""
        return bool((self.relaxed.linkable & ~self.relaxed.linked).any())

    def deepened(self) -> Ascent:
        """An ascent that goes on where this one stands, with a knapsack for every row that can be one."""
        relaxed = self.relaxed
        deep = Ascent(self.problem, relaxed.level, relaxed.within, self.legal, linked=True)
        price = np.zeros(len(self.problem.rows))
        group, price[self.rows], kept = self.best
        copies = price[deep.relaxed.copy_row] * deep.relaxed.copy_weight
        copies[~deep.relaxed.linked[deep.relaxed.copy_row]] = group[len(self.problem.groups) :]
        deep.best = (np.concatenate([group[: len(self.problem.groups)], copies]), price[deep.rows], kept)
        deep.best_value = deep.evaluate(*deep.best)
        deep.at = (deep.best[0].copy(), deep.best[1].copy(), kept.copy())
        deep._rest(DEEPER_STEP)
        return deep

    def _prepare(self, relaxed: Relaxation) -> None:
        """Everything in the order of the items, in floating point."""
        problem, rows = self.problem, self.problem.rows
        total = problem.n_arcs + len(relaxed.copy_row)
        place = np.empty(total, dtype=np.int64)
        place[relaxed.arc] = np.arange(total)
        dual = ~relaxed.linked[relaxed.entry_row]
        entries = relaxed.entries[dual]
        used, number = np.unique(relaxed.entry_row[dual], return_inverse=True)
        self.rows = used
        # Arcs pay their copies as they pay rows, numbered after the rows.
        at = np.concatenate([place[rows.arc[entries]], place[relaxed.link_arc]])
        order = np.argsort(at, kind="stable")
        self.entry_row = np.concatenate([number.reshape(-1), len(used) + relaxed.link_copy])[order].astype(np.int64)
        weight = np.concatenate([rows.weight[entries].astype(float), np.ones(len(relaxed.link_copy))])
        self.entry_weight = weight[order]
        self.arc_ptr = np.searchsorted(at[order], np.arange(total + 1))
        none = np.zeros(len(relaxed.copy_row))
        numbers = [relaxed.level, *(level for level, _ in relaxed.within)]
        costs = [problem.levels[level].arc_cost.astype(float) for level in numbers]
        self.levels = [np.concatenate([cost, none])[relaxed.arc] for cost in costs]
        self.lo, self.hi = rows.lo[used].astype(float), rows.hi[used].astype(float)
        self.most = np.array([most for _, most in relaxed.within], dtype=float)
        self.cost = np.empty(total)
        self.taken = np.zeros(total, dtype=bool)
        self.count = np.zeros(len(problem.groups) + len(none), dtype=np.int64)
        self.excess, self.edge, self.surplus = (np.zeros(len(relaxed.capacity)) for _ in range(3))
        self.activity = np.zeros(len(used) + len(none))

    def _scale(self) -> None:
        """Start from what each group's second best arc costs; the units of every multiplier's steps."""
        cost, group = self.problem.levels[self.relaxed.level].arc_cost.astype(float), self.problem.arc_group
        n, none = len(self.problem.groups), np.zeros(len(self.relaxed.copy_row))
        order = np.lexsort((cost, group))
        sorted_cost, size = cost[order], np.bincount(group, minlength=n)
        first = np.cumsum(size) - size
        least = sorted_cost[first]
        self.least = np.concatenate([least, none])
        self.group = sorted_cost[first + np.minimum(1, size - 1)].copy()
        spread = sorted_cost[first + size // 2 - (size % 2 == 0) * (size > 1)] - least
        sold = self._sold(n)
        self.group += sold
        spread = np.maximum(spread, sold)
        self.usual = usual = float(np.median(spread[spread > 0])) if (spread > 0).any() else 1.0
        self.group = np.concatenate([self.group, none])
        self.group_step = np.concatenate([np.maximum(spread, usual / 100), none + usual])
        self.row = np.zeros(len(self.rows))
        used = len(self.rows)
        weight = np.bincount(self.entry_row, weights=self.entry_weight, minlength=used)[:used]
        entries = np.maximum(1, np.bincount(self.entry_row, minlength=used)[:used])
        self.row_step = usual / np.maximum(1e-9, np.abs(weight) / entries)
        today = self.problem.values(self.problem.today)
        beyond = np.array([max(1, today[level] - most, most // 10) for level, most in self.relaxed.within], dtype=float)
        self.kept_step = 10 * usual / np.maximum(1.0, beyond)
        self.kept = self.kept_step.copy() if len(self.most) else np.zeros(0)

    def _sold(self, groups: int) -> np.ndarray:
        """What each group costs at least where its books take it beyond their limits, if this level prices that."""
        relaxed = self.relaxed
        own = np.append(relaxed.own_row, -1)
        priced = (own >= 0) & (np.append(relaxed.row_kind, 0)[own] == 2) & (np.append(relaxed.price_level, 1)[own] == 0)
        price = np.where(priced, np.append(self.problem.rows.penalty, 0)[own], 0)[:-1]
        knapsack = np.repeat(np.arange(len(relaxed.capacity)), np.diff(relaxed.book_ptr))
        least = np.full(groups + len(relaxed.copy_row), np.inf)
        np.minimum.at(least, relaxed.item_group, relaxed.item_weight * price[knapsack].astype(float))
        return np.where(np.isfinite(least), least, 0.0)[:groups]

    def evaluate(self, group: np.ndarray, row: np.ndarray, kept: np.ndarray) -> float:
        """The bound of these multipliers in floating point; what its knapsacks take is left in the arrays."""
        relaxed = self.relaxed
        _, own = self._prices(kept)
        base = (
            self.levels[0]
            if not len(kept)
            else self.levels[0] + sum(factor * cost for factor, cost in zip(kept, self.levels[1:], strict=True))
        )
        real = len(self.problem.groups)
        paid = np.concatenate([row, group[real:]])
        compiled.charge(base, self.arc_ptr, self.entry_row, self.entry_weight, paid, self.cost)
        total = compiled.evaluate(
            group, self.cost, relaxed.item_ptr, relaxed.item_group, relaxed.item_weight, relaxed.book_ptr,
            relaxed.capacity, own, self.slack, self.taken, self.count, self.excess, self.edge, self.surplus,
        )  # fmt: skip
        compiled.activities(self.taken, self.arc_ptr, self.entry_row, self.entry_weight, self.activity)
        limit = np.where(row > 0, self.hi, np.where(row < 0, self.lo, 0.0))
        self.evaluations += 1
        return float(group[:real].sum() - row @ limit - kept @ self.most - total)

    def _prices(self, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What exceeding costs, per dualised row (infinite where it must hold) and per knapsack (below zero there)."""
        relaxed = self.relaxed
        scale = np.concatenate([[1.0], kept])[relaxed.price_level]
        price = np.where(relaxed.row_kind == 2, self.problem.rows.penalty * scale, np.inf)
        own = np.append(price, 0.0)[relaxed.own_row]  # the knapsack without a limit has no row: -1
        return price[self.rows], np.where(np.isinf(own), -1.0, own)

    def climb(self, evaluations: int, stop: Stop, deadline: float) -> None:
        """Go on uphill. Steps shrink where they lead no higher, until they are too small to matter; evaluations, time
        or a stop may cut them short.
        """
        for _ in range(evaluations):
            if self.converged or stop.requested or time.monotonic() > deadline:
                return
            self._step()

    @property
    def converged(self) -> bool:
        """The steps have become too small to matter."""
        return self.size < LAST_STEP

    def _step(self) -> None:
        group, row, kept = self.at
        price, _ = self._prices(kept)
        row[:] = np.clip(row, np.where(self.lo > -NO_LIMIT, -price, 0.0), np.where(self.hi < NO_LIMIT, price, 0.0))
        value = self.evaluate(group, row, kept)
        self.slack = max(0.0, TELLING * abs(self.best_value) / len(self.relaxed.capacity))
        self.idle = 0 if value > self.best_value + TELLING * abs(self.best_value) else self.idle + 1
        if value > self.best_value:
            self.best_value, self.best = value, (group.copy(), row.copy(), kept.copy())
        if self.idle >= (DEEPER_PATIENCE if self.relaxed.linked.any() else PATIENCE):
            self.size, self.idle = self.size * SHRINK, 0
        self.turn += 1
        units = (self.group_step, self.row_step, self.kept_step)
        for part, slope, unit, (mean, spread) in zip(
            self.at, self._slopes(row, price), units, self.moments, strict=True
        ):
            mean *= MEAN
            mean += (1 - MEAN) * slope
            spread *= SPREAD
            spread += (1 - SPREAD) * slope * slope
            corrected = np.sqrt(spread / (1 - SPREAD**self.turn)) + 1e-8
            part += self.size * unit * (mean / (1 - MEAN**self.turn)) / corrected
        np.maximum(kept, 0.0, out=kept)

    def _slopes(self, row: np.ndarray, price: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A supergradient in each kind of multiplier."""
        activity = self.activity[: len(row)]
        above = np.where(self.hi < NO_LIMIT, activity - self.hi, -np.inf)
        below = np.where(self.lo > -NO_LIMIT, activity - self.lo, np.inf)
        slope = np.where((row > 0) | (above > 0), above, np.where((row < 0) | (below < 0), below, 0.0))
        missing = 1.0 - self.count
        missing[len(self.problem.groups) :] += self.activity[len(row) :] - 1.0
        return missing, slope, self._kept_slopes(row, price, slope)

    def _kept_slopes(self, row: np.ndarray, price: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Per kept level: its cost and its excesses in the relaxed choice, beyond the most it may have."""
        relaxed, penalty = self.relaxed, self.problem.rows.penalty
        slopes = np.zeros(len(self.most))
        for place in range(len(self.most)):
            total = float(self.levels[place + 1][self.taken].sum()) - self.most[place]
            mine = np.flatnonzero(relaxed.own_row >= 0)
            own = relaxed.own_row[mine]
            priced = (relaxed.price_level[own] == place + 1) & (relaxed.row_kind[own] == 2)
            total += float((self.excess[mine] * penalty[own] * priced).sum())
            rows = self.rows
            at_price = (relaxed.row_kind[rows] == 2) & (relaxed.price_level[rows] == place + 1) & (row >= price)
            total += float((np.maximum(0.0, slope) * penalty[rows] * at_price).sum())
            slopes[place] = total
        return slopes

    def dual(self) -> Dual:
        """The best point so far with its certified bound and what it says of every arc."""
        group, row, kept = self.best
        self.slack = 0.0
        value = self.evaluate(group, row, kept)
        multipliers = self._whole(group, row, kept)
        proven = bound(self.proving, multipliers)
        loss, surplus, taken = self._losses(group, kept)
        real = slice(self.problem.n_arcs)
        floor = -(2**62) if proven is None else proven
        return Dual(multipliers, floor, loss[real], surplus[real] + 1e-9 * abs(value) + 1e-3, taken[real])

    def _losses(self, group: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Per arc: by how much the bound is higher where it is taken, its doubt, and whether its knapsack takes it.

        Each knapsack's linear relaxation says what forcing an item in or out costs. Taking an arc forces the group's
        items in other knapsacks out, its copies in, and the group's other copies out; what these cost beyond their own
        doubt counts as well.
        """
        relaxed, real = self.relaxed, len(self.problem.groups)
        sizes = np.diff(relaxed.item_ptr)
        item = np.repeat(np.arange(len(sizes)), sizes)
        knapsack = np.repeat(np.arange(len(relaxed.capacity)), np.diff(relaxed.book_ptr))
        weight, edge, doubt = relaxed.item_weight, self.edge[knapsack], self.surplus[knapsack]
        gain = group[relaxed.item_group[item]] - self.cost - (edge * weight)[item]
        ahead = np.maximum(0.0, np.maximum.reduceat(gain, relaxed.item_ptr[:-1])) if len(gain) else gain
        hard = self._prices(kept)[1][knapsack] < 0
        heavy = hard & (weight > 0) & (weight > np.maximum(0, relaxed.capacity[knapsack]))
        ahead[heavy] = 0.0
        enter = np.where(heavy[item], np.inf, ahead[item] - gain)
        leave = np.maximum(0.0, ahead - doubt)
        copies = relaxed.item_group >= real
        owner = relaxed.item_group.copy()
        owner[copies] = relaxed.copy_group[owner[copies] - real]
        out = np.bincount(owner, weights=leave, minlength=real)
        loss = enter + out[owner[item]] - leave[item]
        by_arc, doubts, taken = (np.empty(len(loss)) for _ in range(3))
        by_arc[relaxed.arc], doubts[relaxed.arc], taken[relaxed.arc] = loss, doubt[item], self.taken
        copy = np.arange(self.problem.n_arcs, len(relaxed.arc))
        forced = np.empty(len(relaxed.arc))
        forced[relaxed.arc] = np.maximum(0.0, enter - doubt[item]) - leave[item]
        np.add.at(by_arc, relaxed.link_arc, forced[copy][relaxed.link_copy])
        return by_arc, doubts, taken.astype(bool)

    def _whole(self, group: np.ndarray, row: np.ndarray, kept: np.ndarray) -> Multipliers:
        every = np.zeros(len(self.problem.rows), dtype=np.int64)
        every[self.rows] = _millionths(row)
        real = len(self.problem.groups)
        copies = group[real:]
        if self.deepens:  # the certificate has copies in the other rows as well, in the same order
            copies = np.zeros(len(self.proving.copy_row))
            copies[~self.proving.linked[self.proving.copy_row]] = group[real:]
        return Multipliers(_millionths(group[:real]), every, _millionths(kept), _millionths(copies))


def _millionths(values: np.ndarray) -> np.ndarray:
    """Whole millionths; what is too large for them is cut, which leaves a weaker bound."""
    whole = np.rint(np.nan_to_num(values) * SCALE)
    cut: np.ndarray = np.clip(whole, -MAX_SUM, MAX_SUM).astype(np.int64)
    return cut
