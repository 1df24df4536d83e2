"""Neighbours: which few books to solve anew, chosen where the plan is furthest from what the dual says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rebalancer.engine.bound import Dual
from rebalancer.engine.narrow import Narrower
from rebalancer.problem import Problem

FIRST_BOOKS, FEWEST_BOOKS, MOST_BOOKS = 4, 3, 24
ARCS_PER_GROUP = 4
"""Arcs of least loss that each group may use within a neighbourhood."""

NEAR = 4.0
"""Arcs count towards the closeness of two books by how small their loss is, in units of the usual loss."""


class Neighbours:
    """Picks sets of books. Their number grows while the solver finishes and shrinks where it does not."""

    def __init__(self, problem: Problem, dual: Dual, narrower: Narrower, seed: int) -> None:
        self.problem, self.dual, self.narrower = problem, dual, narrower
        self.random = np.random.default_rng(seed % 2**63)
        self.books = np.unique(problem.arc_book[problem.arc_book >= 0])
        self.count = len(self.books)
        self.size = float(min(FIRST_BOOKS, self.count))
        place = np.full(int(problem.arc_book.max(initial=0)) + 2, self.count)
        place[self.books] = np.arange(self.count)
        self.book = np.where(problem.arc_book >= 0, place[problem.arc_book], self.count)
        self._near = self._closest()

    def _closest(self) -> tuple[np.ndarray, np.ndarray]:
        """Arcs of small loss, and their weights."""
        loss = self.dual.loss
        finite = np.isfinite(loss)
        usual = max(1.0, float(np.median(np.abs(loss[finite])))) if finite.any() else 1.0
        near = np.flatnonzero(finite & (loss < NEAR * usual) & (self.book < self.count))
        return near, 1.0 / (1.0 + NEAR * np.maximum(0.0, loss[near]) / usual)

    def pick(self, plan: np.ndarray, sets: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Groups and arcs of so many neighbourhoods without a book in common."""
        problem = self.problem
        now = self.book[plan]
        blame = self._blame(plan, now)
        near, weight = self._near
        here, there = now[problem.arc_group[near]], self.book[near]
        free = np.ones(self.count + 1, dtype=bool)
        free[self.count] = False
        size = max(1, min(round(self.size), self.count // sets))
        for _ in range(sets):
            books = self._grow(blame, free, here, there, weight, size)
            free[books] = False
            inside = np.zeros(self.count + 1, dtype=bool)
            inside[books] = True
            groups = np.flatnonzero(inside[now])
            if len(groups):
                yield groups, self._arcs(groups, inside, plan)

    def _blame(self, plan: np.ndarray, now: np.ndarray) -> np.ndarray:
        """What each book adds to the gap: the losses of the arcs taken into it."""
        loss = np.where(np.isfinite(self.dual.loss), np.maximum(0.0, self.dual.loss), 0.0)[plan]
        blame = np.bincount(now, weights=loss, minlength=self.count + 1)[: self.count]
        return blame + blame.mean() / 4 + 1e-9

    def _grow(
        self, blame: np.ndarray, free: np.ndarray, here: np.ndarray, there: np.ndarray, weight: np.ndarray, size: int
    ) -> np.ndarray:
        """A book by its blame, then books that exchange much with those already picked."""
        share = blame * free[: self.count]
        books = [int(self.random.choice(self.count, p=share / share.sum()))]
        picked = np.zeros(self.count + 1, dtype=bool)
        picked[books] = True
        close = np.zeros(self.count + 1)
        while len(books) < size:
            last = books[-1]
            close += np.bincount(there[here == last], weights=weight[here == last], minlength=self.count + 1)
            close += np.bincount(here[there == last], weights=weight[there == last], minlength=self.count + 1)
            chance = (close + close.mean() / 10 + 1e-12) * free * ~picked
            if chance.sum() <= 0:
                break
            books.append(int(self.random.choice(self.count + 1, p=chance / chance.sum())))
            picked[books[-1]] = True
        return np.array(books)

    def _arcs(self, groups: np.ndarray, inside: np.ndarray, plan: np.ndarray) -> np.ndarray:
        """The arcs of least loss into the books, and those of the plan."""
        arcs = self.narrower.arcs_of(groups)
        arcs = arcs[inside[self.book[arcs]]]
        order = np.lexsort((self.dual.loss[arcs], self.problem.arc_group[arcs]))
        group = self.problem.arc_group[arcs[order]]
        first = np.searchsorted(group, group)
        kept = arcs[order][np.arange(len(order)) - first < ARCS_PER_GROUP]
        return np.unique(np.concatenate([kept, plan[groups]]))

    def learn(self, statuses: Sequence[str]) -> None:
        """Take more books where the solver finishes, fewer where it does not."""
        finished = all(status == "optimal" for status in statuses)
        self.size = min(MOST_BOOKS, self.size * 1.1) if finished else max(FEWEST_BOOKS, self.size * 0.8)
