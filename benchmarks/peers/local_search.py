"""Local search: shifts of one account and swaps of two, from today, as long as one of them helps."""

from __future__ import annotations

import numpy as np

from benchmarks.instance import Instance
from benchmarks.peers.answer import Answer, History
from benchmarks.peers.loads import Loads

PAIRS = 4_000
"""Swaps looked at in one step."""


def run(instance: Instance, seconds: float, seed: int, _workers: int) -> Answer:
    """First the overload is cured, at the least cost for what is cured; then cost is taken out, overload unchanged."""
    search = _Search(instance, seconds, seed)
    search.cure()
    while search.improve():
        pass
    status = "time" if search.over else "no single change helps"
    return Answer(search.loads.chosen, status, None, search.history.points)


class _Search:
    def __init__(self, instance: Instance, seconds: float, seed: int) -> None:
        self.history, self.seconds = History(), seconds
        self.instance, self.problem = instance, instance.problem
        self.loads = Loads(instance, self.problem.today)
        self.rng = np.random.default_rng(seed)
        self.n_seats = len(self.problem.seats)
        self.key = self.problem.arc_group * self.n_seats + self.problem.arc_seat
        self.order = np.argsort(self.key, kind="stable")

    @property
    def over(self) -> bool:
        return self.history.seconds > self.seconds

    def cure(self) -> None:
        """Take the fullest limit beyond its bound, until none is left or none can be helped."""
        stuck: set[int] = set()
        while not self.over:
            beyond = np.maximum(0, self.loads.load - self.loads.hi) * self.loads.price
            beyond[list(stuck)] = 0
            if not beyond.any():
                break
            worst = int(beyond.argmax())
            inside = self._groups_in(worst)
            if self._take_cure(self._shifts(inside)) or self._take_cure(self._swaps(inside)):
                stuck.clear()
            else:
                stuck.add(worst)
        self._note()

    def improve(self) -> bool:
        """Once over all groups that cost something; whether any change was made."""
        changed = False
        costly = np.flatnonzero(self.instance.cost[self.loads.chosen] > 0)
        for group in self.rng.permutation(costly):
            if self.over:
                return False
            alone = np.array([group])
            if self._take_saving(self._shifts(alone)) or self._take_saving(self._swaps(alone)):
                changed = True
                self._note()
        return changed

    def _groups_in(self, limit: int) -> np.ndarray:
        members = self.loads.members
        arcs = members.indices[members.indptr[limit] : members.indptr[limit + 1]]
        return self.problem.arc_group[arcs[self.loads.chosen[self.problem.arc_group[arcs]] == arcs]]

    def _shifts(self, groups: np.ndarray) -> tuple[np.ndarray, ...]:
        arcs = np.concatenate([self.loads.arcs(int(group)) for group in groups])
        return (arcs[self.loads.chosen[self.problem.arc_group[arcs]] != arcs],)

    def _swaps(self, groups: np.ndarray) -> tuple[np.ndarray, ...]:
        """Pairs of a group given and any other, where each may take the other's seat."""
        others = self.rng.choice(len(self.problem.groups), size=max(1, PAIRS // len(groups)))
        one, other = (part.reshape(-1) for part in np.meshgrid(groups, others))
        seat = self.problem.arc_seat[self.loads.chosen]
        there, here = self._arc_of(one, seat[other]), self._arc_of(other, seat[one])
        possible = (there >= 0) & (here >= 0) & (seat[one] != seat[other])
        return there[possible], here[possible]

    def _arc_of(self, group: np.ndarray, seat: np.ndarray) -> np.ndarray:
        """The arc of a group to a seat, -1 where it has none."""
        wanted = group * self.n_seats + seat
        place = np.minimum(np.searchsorted(self.key, wanted, sorter=self.order), len(self.key) - 1)
        arc = self.order[place]
        return np.where(self.key[arc] == wanted, arc, -1)

    def _take_cure(self, moves: tuple[np.ndarray, ...]) -> bool:
        over, cost = self.loads.change(*moves)
        helps = np.flatnonzero(over < 0)
        if len(helps):
            self._take(moves, int(helps[np.argmin(cost[helps] / -over[helps])]))
        return len(helps) > 0

    def _take_saving(self, moves: tuple[np.ndarray, ...]) -> bool:
        over, cost = self.loads.change(*moves)
        helps = np.flatnonzero((over <= 0) & (cost < 0))
        if len(helps):
            self._take(moves, int(helps[np.argmin(cost[helps])]))
        return len(helps) > 0

    def _take(self, moves: tuple[np.ndarray, ...], index: int) -> None:
        for arcs in moves:
            self.loads.take(int(arcs[index]))

    def _note(self) -> None:
        if self.loads.overload == 0:
            self.history.note(int(self.instance.cost[self.loads.chosen].sum()), None)
