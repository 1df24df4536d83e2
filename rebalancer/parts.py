"""Parts: a problem split into what can be solved alone. A level's total is the sum over the parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from rebalancer.links import Lists, ranges, tied
from rebalancer.problem import Gates, Level, Problem, Rows

Part = tuple[Problem, np.ndarray, np.ndarray]
"""A problem of its own, and the numbers of its arcs and of its groups in the whole."""


def components(problem: Problem) -> list[np.ndarray]:
    """The groups of each component, in the order of their first groups."""
    lists = _by_component(_labels(problem))
    return [lists[index] for index in range(len(lists))]


def _labels(problem: Problem) -> np.ndarray:
    """The component of each group: that of all it shares a row or a gate with, directly or through others."""
    tables = [(table.ptr, table.arc, problem.arc_group) for table in (problem.rows, problem.gates)]
    return tied(len(problem.groups), tables)


def _by_component(label: np.ndarray) -> Lists:
    return Lists(label, int(label.max()) + 1 if len(label) else 0)


class Parts(Sequence[Part]):
    """The parts of a problem in the order of their first groups, each made when it is asked for.

    Making one takes time and memory in proportion to that part, so all of them together as much as one pass.
    """

    def __init__(self, problem: Problem) -> None:
        self.whole = problem
        label = _labels(problem)
        self.groups = _by_component(label)
        self.names = np.array(problem.groups, dtype=object)
        self.sizes = np.bincount(problem.arc_group, minlength=len(label))
        self.first = np.cumsum(self.sizes) - self.sizes
        self.shift = self.first - self.groups.offsets(self.sizes)
        self.place = self.groups.offsets(np.ones(len(label), dtype=np.int64))
        self.rows = self._of_parts(label, problem.rows)
        self.gates = self._of_parts(label, problem.gates)

    def _of_parts(self, label: np.ndarray, table: Rows | Gates) -> Lists:
        """The rows of each part; those without an entry belong to none."""
        filled = np.flatnonzero(np.diff(table.ptr))
        belongs = np.full(len(table), -1)
        belongs[filled] = label[self.whole.arc_group[table.arc[table.ptr[filled]]]]
        return Lists(belongs, len(self.groups))

    def __len__(self) -> int:
        return len(self.groups)

    @overload
    def __getitem__(self, index: int) -> Part: ...
    @overload
    def __getitem__(self, index: slice) -> list[Part]: ...
    def __getitem__(self, index: int | slice) -> Part | list[Part]:
        places = range(len(self))[index]
        return [self._part(place) for place in places] if isinstance(places, range) else self._part(places)

    def _part(self, index: int) -> Part:
        whole, groups, gates = self.whole, self.groups[index], self.gates[index]
        arcs = ranges(self.first[groups], self.sizes[groups])
        today = whole.today[groups]
        part = replace(
            whole,
            groups=tuple(self.names[groups]),
            arc_group=self.place[whole.arc_group[arcs]],
            arc_seat=whole.arc_seat[arcs],
            arc_book=whole.arc_book[arcs],
            today=np.where(today >= 0, today - self.shift[groups], -1),
            rows=self._rows(self.rows[index]),
            gates=self._gates(gates),
            levels=tuple(_level(level, arcs, gates) for level in whole.levels),
        )
        return part, arcs, groups

    def _rows(self, kept: np.ndarray) -> Rows:
        rows = self.whole.rows
        ptr, arc, entries = self._csr(rows, kept)
        names, rules = (tuple(words[row] for row in kept) for words in (rows.names, rows.rules))
        bounds = (getattr(rows, name)[kept] for name in ("lo", "hi", "level", "penalty"))
        return Rows(names, rules, ptr, arc, rows.weight[entries], *bounds)

    def _gates(self, kept: np.ndarray) -> Gates:
        ptr, arc, _ = self._csr(self.whole.gates, kept)
        return Gates(tuple(self.whole.gates.names[gate] for gate in kept), ptr, arc)

    def _csr(self, table: Rows | Gates, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pointers, arcs as the part numbers them, and the entries of the whole that they come from."""
        sizes = table.ptr[kept + 1] - table.ptr[kept]
        entries = ranges(table.ptr[kept], sizes)
        arc = table.arc[entries]
        ptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return ptr, arc - self.shift[self.whole.arc_group[arc]], entries


def _level(level: Level, arcs: np.ndarray, gates: np.ndarray) -> Level:
    return replace(level, arc_cost=level.arc_cost[arcs], gate_cost=level.gate_cost[gates])
