"""Certificate: multipliers, and the bound that they prove. Numpy alone; no solver.

The relaxation (Fisher 1981, Management Science 27(1)) charges mu_g for leaving a group out and lambda_r for each unit
of a row, and forgets gates, whose cost is never negative. What is left falls apart into one knapsack per book,

    bound = sum_g mu_g - sum_r lambda_r * limit_r - sum_k kappa_k * most_k - sum_b best_b,
    best_b = max sum of (mu_g - cost_a - sum_r lambda_r * w_ra) over arcs of book b within its knapsack row's limit,

where cost_a adds kappa_k times the cost in each earlier level k that may not exceed most_k. Any multipliers give a
valid bound: wrong ones only a weaker one. An elastic row may be exceeded at its price, in a knapsack as well. All is
worked out in whole millionths, and the bound on a whole-numbered level is rounded up to the next whole number.

A row that loads several books, such as the accounts of a CSM, is a knapsack as well: each group has a copy there that
the row may take or leave, and the arcs pay the copy what it earns (Lagrangian decomposition: Guignard & Kim 1987,
Mathematical Programming 39).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rebalancer.knapsack import knapsack
from rebalancer.parts import Parts
from rebalancer.problem import HARD, NO_LIMIT, Problem

SCALE = 1_000_000
"""Multipliers are whole millionths of a unit of cost."""

MAX_SUM = 2**61
"""Multipliers whose products could pass this are refused: sums of 64 bits would wrap around."""

NO_PRICE = -1
"""Price of exceeding a row that must hold."""


@dataclass(frozen=True)
class Multipliers:
    """Whole millionths: one for each group, each row (above zero prices its upper limit, below zero its lower one),
    each earlier level that is kept, and each copy (none: zeros), beyond what its row prices its weight at.
    """

    group: np.ndarray
    row: np.ndarray
    kept: np.ndarray
    copy: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @classmethod
    def least(cls, problem: Problem, level: int, kept: int = 0) -> Multipliers:
        """Multipliers that prove the sum of every group's cheapest arc, and nothing more."""
        first = np.searchsorted(problem.arc_group, np.arange(len(problem.groups)))
        cost = problem.levels[level].arc_cost
        most = MAX_SUM // SCALE
        group = np.clip(np.minimum.reduceat(cost, first), -most, most) * SCALE if len(cost) else first
        return cls(group, np.zeros(len(problem.rows), dtype=np.int64), np.zeros(kept, dtype=np.int64))


@dataclass(frozen=True)
class Certificate:
    """Multipliers of a whole problem for one level; `kept` has one entry for each part: what overload costs there.
    `copy` has those of all parts, one after the other, so many for each as `copies` says.
    """

    level: str
    group: np.ndarray
    row: np.ndarray
    kept: np.ndarray
    copy: np.ndarray
    copies: np.ndarray

    @classmethod
    def least(cls, problem: Problem, level: int) -> Certificate:
        """A certificate of the sum of every group's cheapest arc."""
        parts = len(Parts(problem))
        found = Multipliers.least(problem, level, kept=parts)
        none = np.zeros(parts, dtype=np.int64)
        return cls(problem.levels[level].name, found.group, found.row, found.kept, found.copy, none)


@dataclass(frozen=True)
class Relaxation:
    """What the knapsacks of a problem are, when one level is minimised and others are kept.

    An item is a group's arcs into one book: `arc[item_ptr[i]:item_ptr[i+1]]`, of which the most profitable counts, at
    the least of their weights. `book_ptr` bounds the items of each knapsack; its limit `capacity` is that of `own_row`.
    The last knapsack has no limit: it holds the arcs of no book. `row_kind`: 0 for rows without a part, 1 for those
    that must hold, 2 for those that may be exceeded at a price: `price_level` is 0 where the level minimised sets it,
    else 1 + the place in `within` of the level that does. `entries` are those of the rows that are no knapsacks, of
    `entry_row`.

    An arc that loads a knapsack without being one of its own (a family that stays spread over several books, or any arc
    and the row of its CSM) has a copy there: an item that the knapsack may take or leave, at the price that the arc
    pays for it. Arcs of one group and one weight share their copy. Copies are numbered like further arcs and groups:
    copy k is of a group in row `copy_row[k]`, where it weighs `copy_weight[k]`; `link_arc` pay for `link_copy`.
    """

    problem: Problem
    level: int
    within: tuple[tuple[int, int], ...]
    arc: np.ndarray
    item_ptr: np.ndarray
    item_group: np.ndarray
    item_weight: np.ndarray
    book_ptr: np.ndarray
    capacity: np.ndarray
    own_row: np.ndarray
    row_kind: np.ndarray
    price_level: np.ndarray
    entries: np.ndarray
    entry_row: np.ndarray
    linkable: np.ndarray
    """Per row: it could be a knapsack of copies alone."""
    linked: np.ndarray
    """Per row: it is one."""
    copy_row: np.ndarray
    copy_weight: np.ndarray
    copy_group: np.ndarray
    link_copy: np.ndarray
    link_arc: np.ndarray

    def prices(self, kept: np.ndarray) -> np.ndarray:
        """Per row, what a unit beyond it costs (millionths), `NO_PRICE` where it must hold."""
        scale = np.concatenate([[SCALE], kept])[self.price_level]
        return np.where(self.row_kind == 2, self.problem.rows.penalty * scale, NO_PRICE)

    def admitted(self, multipliers: Multipliers) -> Multipliers:
        """The nearest multipliers that prove something: of the right sign, and no higher than a row's price."""
        rows = self.problem.rows
        kept = np.maximum(0, multipliers.kept)
        price = self.prices(kept)
        most = np.where(price == NO_PRICE, np.iinfo(np.int64).max, price)
        low = np.where(rows.lo > -NO_LIMIT, -most, 0)
        high = np.where(rows.hi < NO_LIMIT, most, 0)
        row = np.where(self.row_kind == 0, 0, np.clip(multipliers.row, low, high))
        own = self.own_row[self.own_row >= 0]
        row[own[~self.linked[own]]] = 0
        copy = multipliers.copy if len(multipliers.copy) == len(self.copy_row) else np.zeros_like(self.copy_row)
        return Multipliers(multipliers.group, row, kept, copy)

    def arc_cost(self, multipliers: Multipliers) -> np.ndarray:
        """Cost of every arc and copy (millionths) with what the kept levels, the rows and its copies charge."""
        kept, row = multipliers.kept, multipliers.row
        levels = self.problem.levels
        cost = levels[self.level].arc_cost * SCALE
        for (level, _), factor in zip(self.within, kept.tolist(), strict=True):
            cost = cost + levels[level].arc_cost * factor
        rows = self.problem.rows
        charged = row[self.entry_row] != 0
        entries = self.entries[charged]
        np.add.at(cost, rows.arc[entries], rows.weight[entries] * row[self.entry_row[charged]])
        np.add.at(cost, self.link_arc, multipliers.copy[self.link_copy])
        return np.concatenate([cost, -row[self.copy_row] * self.copy_weight])

    def profits(self, multipliers: Multipliers) -> np.ndarray:
        """Profit of every item, that of its best arc (millionths)."""
        cost = self.arc_cost(multipliers)[self.arc]
        if not len(cost):
            return cost
        return np.concatenate([multipliers.group, multipliers.copy])[self.item_group] - np.minimum.reduceat(
            cost, self.item_ptr[:-1]
        )

    def constant(self, multipliers: Multipliers) -> int:
        """The part of the bound that no choice changes (millionths)."""
        rows, row = self.problem.rows, multipliers.row
        limit = np.where(row > 0, rows.hi, np.where(row < 0, rows.lo, 0))
        charged = np.flatnonzero((row != 0) & ~self.linked)
        priced = sum(int(row[r]) * int(limit[r]) for r in charged)
        kept = sum(int(k) * most for k, (_, most) in zip(multipliers.kept, self.within, strict=True))
        gates = sum(min(0, int(cost)) for cost in self.problem.levels[self.level].gate_cost)
        return sum(multipliers.group.tolist()) - priced - kept + SCALE * gates


def relaxation(
    problem: Problem, level: int, within: tuple[tuple[int, int], ...], legal: bool, *, linked: bool = True
) -> Relaxation:
    """The knapsacks of the problem of minimising `level` with `within` kept; `legal`: nothing exceeds a limit.

    Without `linked` rows that load several books are no knapsacks: quicker, and never closer.
    """
    rows = problem.rows
    kind, price_level = _kinds(problem, level, within, legal)
    own_row, book_of = _own_rows(problem, kind)
    row_of = rows.of_entry()
    inside = (own_row[row_of] >= 0) & (problem.arc_book[rows.arc] == own_row[row_of])
    weight = np.zeros(problem.n_arcs, dtype=np.int64)
    weight[rows.arc[inside]] = rows.weight[inside]
    linkable = _linkable(problem, kind, own_row)
    shared = linkable & linked
    astray = np.flatnonzero(((own_row[row_of] >= 0) & ~inside | shared[row_of]) & (rows.weight > 0))
    copies, link_copy = _copies(problem, astray, row_of)
    extra = np.flatnonzero(shared)
    last = len(book_of) + len(extra)
    place = np.full(int(problem.arc_book.max(initial=0)) + 2, last)
    place[problem.arc_book[rows.arc[inside]]] = 0
    place[[book for book, _ in book_of]] = np.arange(len(book_of))
    of_row = np.full(len(rows), last)
    of_row[[row for _, row in book_of]] = np.arange(len(book_of))
    of_row[extra] = len(book_of) + np.arange(len(extra))
    knapsack_of = np.where(problem.arc_book >= 0, place[problem.arc_book], last)
    knapsack_of = np.concatenate([knapsack_of, of_row[copies.row]])
    weight = np.concatenate([weight, copies.weight])
    group = np.concatenate([problem.arc_group, len(problem.groups) + np.arange(len(copies.row))])
    order = np.lexsort((group, knapsack_of))
    key = knapsack_of[order] * max(1, len(problem.groups) + len(copies.row)) + group[order]
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.zeros(0, dtype=np.int64)
    dual = np.flatnonzero((kind[row_of] > 0) & (own_row[row_of] < 0))
    own = np.concatenate([[row for _, row in book_of], extra, [-1]]).astype(np.int64)
    return Relaxation(
        problem=problem,
        level=level,
        within=within,
        arc=order,
        item_ptr=np.append(first, len(order)),
        item_group=group[order[first]],
        item_weight=np.minimum.reduceat(weight[order], first) if len(first) else first,
        book_ptr=np.searchsorted(knapsack_of[order[first]], np.arange(last + 2)),
        capacity=np.append(rows.hi[own[:-1]], NO_LIMIT),
        own_row=own,
        row_kind=kind,
        price_level=price_level,
        entries=dual,
        entry_row=row_of[dual],
        linkable=linkable,
        linked=shared,
        copy_row=copies.row,
        copy_weight=copies.weight,
        copy_group=copies.group,
        link_copy=link_copy,
        link_arc=rows.arc[astray].astype(np.int64),
    )


@dataclass(frozen=True)
class _Copies:
    """Row, weight and group of each copy."""

    row: np.ndarray
    weight: np.ndarray
    group: np.ndarray


def _copies(problem: Problem, entries: np.ndarray, row_of: np.ndarray) -> tuple[_Copies, np.ndarray]:
    """The copies behind some entries of rows, one for each row, group and weight, and the copy of each entry."""
    rows = problem.rows
    row, weight, group = row_of[entries], rows.weight[entries], problem.arc_group[rows.arc[entries]]
    order = np.lexsort((weight, group, row))
    row, weight, group = row[order], weight[order], group[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (row[1:] != row[:-1]) | (weight[1:] != weight[:-1]) | (group[1:] != group[:-1])
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.cumsum(new) - 1
    return _Copies(row[new].astype(np.int64), weight[new].astype(np.int64), group[new].astype(np.int64)), number


def proven(problem: Problem, chosen: np.ndarray, certificate: Certificate) -> int | None:
    """What no plan costs less than at the certificate's level, if in no part it has more overload than the plan has.

    `chosen` is the arc of each group. None where the numbers are too large to be exact, or of the wrong shape.
    """
    level, parts = problem.level_index(certificate.level), Parts(problem)
    shapes = (len(certificate.group), len(certificate.row), len(certificate.kept), len(certificate.copies))
    if level is None or shapes != (len(problem.groups), len(problem.rows), len(parts), len(parts)):
        return None
    copies = np.cumsum(np.concatenate([[0], np.maximum(0, certificate.copies)]))
    total = outside(problem)[level]
    for index in range(len(parts)):
        part, arcs, groups = parts[index]
        place = np.searchsorted(arcs, chosen[groups])
        overload = part.values(place)[0]
        legal = level > 0 and overload == 0
        within = ((0, overload),) if level > 0 and not legal else ()
        kept = certificate.kept[index : index + len(within)]
        copy = certificate.copy[copies[index] : copies[index + 1]]
        multipliers = Multipliers(certificate.group[groups], certificate.row[parts.rows[index]], kept, copy)
        least = bound(relaxation(part, level, within, legal), multipliers)
        if least is None:
            return None
        total += least
    return int(total)


def outside(problem: Problem) -> tuple[int, ...]:
    """What rows without any arc cost: a floor of a book that nothing can reach."""
    rows = problem.rows
    empty = np.diff(rows.ptr) == 0
    broken = rows.excess(np.zeros(len(rows), dtype=np.int64)).astype(object) * rows.penalty
    return tuple(int(sum(broken[empty & (rows.level == index)])) for index in range(len(problem.levels)))


def bound(relaxed: Relaxation, multipliers: Multipliers) -> int | None:
    """What no plan of the relaxation's task can be below, exactly. None where the numbers are too large to be exact."""
    admitted = relaxed.admitted(multipliers)
    if not _exact(relaxed, admitted):
        return None
    profit = relaxed.profits(admitted)
    price = relaxed.prices(admitted.kept)
    total = relaxed.constant(admitted)
    for book in range(len(relaxed.capacity)):
        items = slice(relaxed.book_ptr[book], relaxed.book_ptr[book + 1])
        own = int(price[relaxed.own_row[book]]) if relaxed.own_row[book] >= 0 else 0
        total -= knapsack(profit[items], relaxed.item_weight[items], int(relaxed.capacity[book]), own)
    return int(-(-total // SCALE))


def _exact(relaxed: Relaxation, multipliers: Multipliers) -> bool:
    """No sum of the bound can wrap around, judged in floating point from the largest cost of every group."""
    levels, rows = relaxed.problem.levels, relaxed.problem.rows
    cost = np.abs(levels[relaxed.level].arc_cost.astype(float)) * SCALE
    for (level, _), factor in zip(relaxed.within, multipliers.kept.tolist(), strict=True):
        cost += np.abs(levels[level].arc_cost.astype(float)) * factor
    charge = np.abs(rows.weight[relaxed.entries].astype(float) * multipliers.row[relaxed.entry_row])
    np.add.at(cost, rows.arc[relaxed.entries], charge)
    copies = np.abs(multipliers.copy.astype(float))
    earned = copies + np.abs(multipliers.row[relaxed.copy_row].astype(float) * relaxed.copy_weight)
    np.add.at(cost, relaxed.link_arc, copies[relaxed.link_copy])
    most = np.zeros(len(relaxed.problem.groups))
    np.maximum.at(most, relaxed.problem.arc_group, cost)
    return float(most.sum() + np.abs(multipliers.group.astype(float)).sum() + earned.sum()) < MAX_SUM


def _kinds(
    problem: Problem, level: int, within: tuple[tuple[int, int], ...], legal: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Of every row, the part it has (see `Relaxation.row_kind`) and which level prices it: 0, or 1 + its place in
    `within`.
    """
    rows = problem.rows
    kind, price_level = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    for place, priced in enumerate([level, *(kept for kept, _ in within)]):
        here = (rows.level == priced) & (kind == 0)
        kind[here], price_level[here] = 2, place
    overload = problem.level_index("overload")
    kind[(rows.level == HARD) | (legal & (rows.level == overload))] = 1
    return kind, price_level


def _own_rows(problem: Problem, kind: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The book of each row that is a knapsack (-1 for others), and the books with their rows.

    A row suits where it weighs nothing below zero and touches one book only; of several, the one that all its arcs
    would exceed most, measured by its limit.
    """
    rows = problem.rows
    row_of = rows.of_entry()
    book = problem.arc_book[rows.arc]
    negative = np.bincount(row_of, weights=rows.weight < 0, minlength=len(rows)) > 0
    first, last = np.full(len(rows), np.iinfo(np.int64).max), np.full(len(rows), -1)
    np.minimum.at(first, row_of[book >= 0], book[book >= 0])
    np.maximum.at(last, row_of, book)
    total = np.bincount(row_of, weights=rows.weight, minlength=len(rows))
    suits = (kind > 0) & ~negative & (first == last) & (rows.hi < NO_LIMIT)
    tightness = np.where(suits, total / np.maximum(1, rows.hi), -1.0)
    own = np.full(len(rows), -1)
    order = np.lexsort((-tightness, last))
    chosen = [int(row) for row in order if suits[row]]
    books: dict[int, int] = {}
    for row in chosen:
        books.setdefault(int(last[row]), row)
    for number, row in books.items():
        own[row] = number
    return own, sorted(books.items())


def _linkable(problem: Problem, kind: np.ndarray, own_row: np.ndarray) -> np.ndarray:
    """Flags the rows that load several books and are worth a knapsack: of weights not below zero that differ, so that
    what fills the limit is not decided by the dearest alone.
    """
    rows = problem.rows
    row_of, book = rows.of_entry(), problem.arc_book[rows.arc]
    least, most = np.full(len(rows), np.iinfo(np.int64).max), np.zeros(len(rows), dtype=np.int64)
    np.minimum.at(least, row_of, rows.weight)
    np.maximum.at(most, row_of, rows.weight)
    first, last = np.full(len(rows), np.iinfo(np.int64).max), np.full(len(rows), -1)
    np.minimum.at(first, row_of, book)
    np.maximum.at(last, row_of, book)
    suits = (kind > 0) & (own_row < 0) & (rows.hi < NO_LIMIT) & (rows.lo <= -NO_LIMIT)
    flags: np.ndarray = suits & (least >= 0) & (first < last) & (least < most)
    return flags
