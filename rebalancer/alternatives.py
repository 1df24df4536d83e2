"""Alternatives: the other seats of an account, what each adds to the levels, and what speaks against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rebalancer.problem import HARD, Problem
from rebalancer.rules.formulation import Formulation

WORSE = {
    "disruption": "costs more",
    "continuity": "changes more CSMs",
    "overlap": "spreads a GAM's accounts over more AMs",
    "fairness": "takes more from one AM",
    "balance": "leaves the books less even",
    "fit": "suits the AM less",
    "ties": "is as good; the order of ids decides",
}
"""What a later level says against a seat that keeps every limit."""


@dataclass(frozen=True)
class Alternative:
    """Another seat for one account, all others as planned: `extra` is the change of every level, in order."""

    arc: int
    am: int
    csm: int
    extra: tuple[int, ...]


class Alternatives:
    """The other seats of `accounts` under one plan. What rows add up to is worked out once, for all of them."""

    def __init__(self, formulation: Formulation, chosen: np.ndarray, accounts: Sequence[int] | np.ndarray) -> None:
        self.formulation, self.chosen = formulation, chosen
        problem = formulation.problem
        rows = problem.rows
        self._activity = rows.activity(problem.taken(chosen))
        asked = np.zeros(len(problem.groups), dtype=bool)
        asked[formulation.group_of[np.asarray(accounts, dtype=np.int64)]] = True
        entries = np.flatnonzero(asked[problem.arc_group][rows.arc])
        entries = entries[np.argsort(rows.arc[entries], kind="stable")]
        self._arc, self._weight = rows.arc[entries], rows.weight[entries]
        self._row = np.searchsorted(rows.ptr, entries, side="right") - 1
        self._gates = _OpenGates(problem, chosen, asked)

    def of(self, account: int) -> list[Alternative]:
        """Every other seat of an account and what it adds to each level, all other accounts as planned; best first.

        An account of a family that stays together takes its family along.
        """
        problem, arcs = self.formulation.problem, self.formulation.arcs
        group = self.formulation.group_of[account]
        first, last = _span(problem.arc_group, group)
        placements = np.arange(_span(arcs.arc, first)[0], _span(arcs.arc, last - 1)[1])
        mine = placements[arcs.account[placements] == account]
        extra = self._extra(first, last)
        found = [
            Alternative(arc, int(arcs.am[place]), int(arcs.csm[place]), extra[arc - first])
            for place, arc in zip(mine, arcs.arc[mine].tolist(), strict=True)
            if arc != self.chosen[group]
        ]
        return sorted(found, key=lambda alternative: (alternative.extra, alternative.arc))

    def drawback(self, other: Alternative) -> str:
        """What speaks against another seat: the limits it breaks further, else the first level it worsens."""
        problem = self.formulation.problem
        rows = problem.rows
        _, touched, more = self._more_excess(other.arc, other.arc + 1)
        worse = touched[(more > 0) & ((rows.level[touched] == 0) | (rows.level[touched] == HARD))]
        if len(worse):
            return "breaks " + ", ".join(f"{rows.rules[row].replace('_', ' ')} of {rows.names[row]}" for row in worse)
        names = [level.name for level in problem.levels]
        first = next((name for name, extra in zip(names, other.extra, strict=True) if extra > 0), "ties")
        return WORSE.get(first, "breaks a limit further")

    def _extra(self, first: int, last: int) -> list[tuple[int, ...]]:
        """The change of every level where one of a group's arcs takes the place of its present one."""
        problem = self.formulation.problem
        now = self.chosen[problem.arc_group[first]]
        which, touched, more = self._more_excess(first, last)
        broken, level_of = more * problem.rows.penalty[touched], problem.rows.level[touched]
        changes = []
        for index, level in enumerate(problem.levels):
            change = level.arc_cost[first:last] - level.arc_cost[now]
            np.add.at(change, which[level_of == index], broken[level_of == index])
            change += self._gates.change(first, last, int(now), level.gate_cost)
            changes.append(change.tolist())
        return list(zip(*changes, strict=True))

    def _more_excess(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is beyond its bounds then: the arc, counted from `first`, a row that it or the present arc weighs, and
        how much further that row is beyond.
        """
        rows, n = self.formulation.problem.rows, last - first
        now = self.chosen[self.formulation.problem.arc_group[first]]
        new = slice(_span(self._arc, first)[0], _span(self._arc, last - 1)[1])
        old = slice(*_span(self._arc, now))
        left = len(self._row[old])
        which = np.concatenate([self._arc[new] - first, np.repeat(np.arange(n), left)]).astype(np.int64)
        row = np.concatenate([self._row[new], np.tile(self._row[old], n)])
        weight = np.concatenate([self._weight[new], np.tile(-self._weight[old], n)])
        touched, place = np.unique(which * len(rows) + row, return_inverse=True)
        change = np.zeros(len(touched), dtype=np.int64)
        np.add.at(change, place.reshape(-1), weight)
        which, row = np.divmod(touched, max(1, len(rows)))
        before, lo, hi = self._activity[row], rows.lo[row], rows.hi[row]
        beyond = [np.maximum(0, np.maximum(activity - hi, lo - activity)) for activity in (before, before + change)]
        return which, row, beyond[1] - beyond[0]


class _OpenGates:
    """Which gates one plan opens, and what other arcs of the groups in `asked` would open or close."""

    def __init__(self, problem: Problem, chosen: np.ndarray, asked: np.ndarray) -> None:
        gates = problem.gates
        gate = np.repeat(np.arange(len(gates)), np.diff(gates.ptr))
        self.used = np.bincount(gate, weights=problem.taken(chosen)[gates.arc], minlength=len(gates)).astype(np.int64)
        mine = np.flatnonzero(asked[problem.arc_group[gates.arc]])
        self.of_arc: dict[int, set[int]] = {}
        for arc, opened in zip(gates.arc[mine].tolist(), gate[mine].tolist(), strict=True):
            self.of_arc.setdefault(arc, set()).add(opened)

    def change(self, first: int, last: int, now: int, cost: np.ndarray) -> np.ndarray:
        """What the gates cost more where each arc from `first` to before `last` takes the place of `now`."""
        change = np.zeros(last - first, dtype=np.int64)
        if not self.of_arc or not cost.any():
            return change
        held = self.of_arc.get(now, set())
        left = {gate for gate in held if self.used[gate] == 1}
        for arc in range(first, last):
            opens = self.of_arc.get(arc, set())
            new = sum(int(cost[gate]) for gate in opens if self.used[gate] == 0)
            change[arc - first] = new - sum(int(cost[gate]) for gate in left - opens)
        return change


def _span(ascending: np.ndarray, value: int) -> tuple[int, int]:
    """Where a value begins and ends. Asked in the array's own type, else all of it would be converted."""
    begin, end = np.searchsorted(ascending, np.array([value, value + 1], dtype=ascending.dtype))
    return int(begin), int(end)
