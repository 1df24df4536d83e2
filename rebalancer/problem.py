"""Problem: what the engine sees. Arcs, rows, gates and levels as arrays, with no word of the domain but ids.

x_a in {0,1} chooses arc a = (group, seat); every group takes exactly one arc. A row bounds a weighted sum of arcs,
lo_r <= sum_a w_ra x_a <= hi_r; an elastic row may be broken at a price per unit in one level. A gate is open when any
of its arcs is taken, and then costs. Levels are minimised one after the other, never added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import SupportsIndex

import numpy as np

NO_LIMIT = 2**62
"""A bound that does not bind: `hi` of a row with no upper limit, and its negative for `lo`."""

HARD = -1
"""`Rows.level` of a row that must hold."""


@dataclass(frozen=True)
class Rows:
    """Linear limits over arcs in CSR form: row r has `arc[ptr[r]:ptr[r+1]]` with `weight` there (all int64).

    `level` is the index of the level that prices a violation, or `HARD`; `penalty` is the price per unit.
    """

    names: tuple[str, ...]
    rules: tuple[str, ...]
    ptr: np.ndarray
    arc: np.ndarray
    weight: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    level: np.ndarray
    penalty: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def of_entry(self) -> np.ndarray:
        """The row of every entry of `arc`."""
        return np.repeat(np.arange(len(self)), np.diff(self.ptr))

    def words(self, row: SupportsIndex) -> str:
        """A row as planners read it: `budgets (gained M-1)`."""
        return f"{self.rules[row].replace('_', ' ')} ({self.names[row].replace(':', ' ')})"

    def activity(self, taken: np.ndarray) -> np.ndarray:
        """The weighted sum of every row, given one flag per arc."""
        totals = np.zeros(len(self), dtype=np.int64)
        hit = np.flatnonzero(taken[self.arc])
        np.add.at(totals, np.searchsorted(self.ptr, hit, side="right") - 1, self.weight[hit])
        return totals

    def excess(self, activity: np.ndarray) -> np.ndarray:
        """How far each row is beyond its bounds (0 where it holds)."""
        return np.maximum(0, np.maximum(activity - self.hi, self.lo - activity))


@dataclass(frozen=True)
class Gates:
    """Gate k is open when any of `arc[ptr[k]:ptr[k+1]]` is taken."""

    names: tuple[str, ...] = ()
    ptr: np.ndarray = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    arc: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.names)

    def open(self, taken: np.ndarray) -> np.ndarray:
        """Which gates are open, given one flag per arc."""
        gate = np.repeat(np.arange(len(self)), np.diff(self.ptr))
        return np.bincount(gate, weights=taken[self.arc], minlength=len(self)) > 0


@dataclass(frozen=True)
class Level:
    """One objective: a cost per arc and per gate. Row violations are priced by `Rows.level` and `Rows.penalty`.

    `tolerance` is the share of (today's value - the least) that later levels may give back.
    """

    name: str
    arc_cost: np.ndarray
    gate_cost: np.ndarray
    tolerance: float = 0.0


@dataclass(frozen=True)
class Problem:
    """Groups, seats, arcs (sorted by group, then seat), rows, gates and levels.

    `today` is the arc each group uses now, -1 where it has none that may be kept. `book` numbers the book an arc
    loads, for engines that work book by book.
    """

    groups: tuple[str, ...]
    seats: tuple[str, ...]
    arc_group: np.ndarray
    arc_seat: np.ndarray
    arc_book: np.ndarray
    today: np.ndarray
    rows: Rows
    gates: Gates
    levels: tuple[Level, ...]

    @property
    def n_arcs(self) -> int:
        """Number of arcs."""
        return len(self.arc_group)

    def level_index(self, name: str) -> int | None:
        """The position of a level, None where the problem has no such level."""
        names = [level.name for level in self.levels]
        return names.index(name) if name in names else None

    def taken(self, chosen: np.ndarray) -> np.ndarray:
        """One flag per arc from the arc chosen for each group (-1: none)."""
        flags = np.zeros(self.n_arcs, dtype=bool)
        flags[chosen[chosen >= 0]] = True
        return flags

    def values(self, chosen: np.ndarray) -> tuple[int, ...]:
        """The exact value of every level, recomputed in integers from the arc chosen for each group."""
        taken = self.taken(chosen)
        rows = self.rows
        broken = rows.excess(rows.activity(taken)).astype(object) * rows.penalty
        gates_open = self.gates.open(taken)
        return tuple(
            int(level.arc_cost[taken].sum()) + int(level.gate_cost[gates_open].sum()) + sum(broken[rows.level == index])
            for index, level in enumerate(self.levels)
        )

    def is_complete(self, chosen: np.ndarray) -> bool:
        """Every group takes one of its own arcs and every hard row holds."""
        if len(chosen) != len(self.groups) or (chosen < 0).any():
            return False
        if (self.arc_group[chosen] != np.arange(len(self.groups))).any():
            return False
        rows = self.rows
        excess = rows.excess(rows.activity(self.taken(chosen)))
        return not (excess[rows.level == HARD] > 0).any()

    def components(self) -> list[np.ndarray]:
        """Groups that share a row or a gate, directly or through others: arrays of group numbers.

        A level's total is the sum over components, so each can be solved alone.
        """
        from rebalancer.parts import components  # it builds on this module

        return components(self)

    def parts(self) -> Sequence[tuple[Problem, np.ndarray, np.ndarray]]:
        """The components as problems of their own: (part, its arcs here, its groups here), each made when asked for."""
        from rebalancer.parts import Parts  # it builds on this module

        return Parts(self)

    def restricted(self, groups: np.ndarray) -> tuple[Problem, np.ndarray]:
        """The part of the problem over some groups with the rows and gates they touch, and its arcs here.

        Rows must not reach beyond `groups`: pass a component.
        """
        inside = np.zeros(len(self.groups), dtype=bool)
        inside[groups] = True
        arcs = np.flatnonzero(inside[self.arc_group])
        place = np.full(self.n_arcs, -1)
        place[arcs] = np.arange(len(arcs))
        group_place = np.cumsum(inside) - 1
        rows, kept = _restricted_csr(self.rows.ptr, self.rows.arc, place)
        gates, kept_gates = _restricted_csr(self.gates.ptr, self.gates.arc, place)
        today = self.today[inside]
        part = Problem(
            groups=tuple(np.array(self.groups, dtype=object)[inside]),
            seats=self.seats,
            arc_group=group_place[self.arc_group[arcs]],
            arc_seat=self.arc_seat[arcs],
            arc_book=self.arc_book[arcs],
            today=np.where(today >= 0, place[today], -1),
            rows=Rows(
                _picked(self.rows.names, rows),
                _picked(self.rows.rules, rows),
                kept.ptr,
                place[self.rows.arc[kept.entries]],
                self.rows.weight[kept.entries],
                *(getattr(self.rows, name)[rows] for name in ("lo", "hi", "level", "penalty")),
            ),
            gates=Gates(_picked(self.gates.names, gates), kept_gates.ptr, place[self.gates.arc[kept_gates.entries]]),
            levels=tuple(
                Level(level.name, level.arc_cost[arcs], level.gate_cost[gates], level.tolerance)
                for level in self.levels
            ),
        )
        return part, arcs


@dataclass(frozen=True)
class _Kept:
    ptr: np.ndarray
    entries: np.ndarray


def _entry_of(ptr: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))


def _picked(names: Sequence[str], index: np.ndarray) -> tuple[str, ...]:
    return tuple(names[i] for i in index)


def _restricted_csr(ptr: np.ndarray, arc: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, _Kept]:
    """Rows of a CSR with an entry among the kept arcs, and their new pointers and old entries."""
    row = _entry_of(ptr)
    entries = np.flatnonzero(place[arc] >= 0) if len(arc) else np.zeros(0, dtype=np.int64)
    rows, counts = np.unique(row[entries], return_counts=True)
    return rows, _Kept(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), entries)
