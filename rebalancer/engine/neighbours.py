"""Neighbours: which small part of a problem to solve anew, chosen where plan and dual are furthest apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from rebalancer.engine.bound import Dual
from rebalancer.engine.narrow import Narrower
from rebalancer.problem import Problem

FIRST_BOOKS, FEWEST_BOOKS, MOST_BOOKS = 4, 3, 24
FIRST_ARCS, FEWEST_ARCS, MOST_ARCS = 200, 50, 20_000
ARCS_PER_GROUP = 4
"""Arcs of least loss that each group may use within a neighbourhood of books where more are open."""

NEAR = 4.0
"""Arcs count towards the closeness of two books by how small their loss is, in units of the usual loss."""

BLUR = 0.3
"""Losses are multiplied by something from here to 1, so that no two neighbourhoods of groups are the same."""


class Kind(Enum):
    """A few books with all their groups, or the groups of any book whose arcs are least decided."""

    BOOKS = "books"
    GROUPS = "groups"


@dataclass
class Sizes:
    """How large neighbourhoods are: they grow while the solver finishes and shrink where it does not."""

    books: float = FIRST_BOOKS
    arcs: float = FIRST_ARCS

    def learn(self, kind: Kind, finished: bool) -> None:
        """Take more where the solver finished, less where it did not."""
        if kind == Kind.BOOKS:
            self.books = min(MOST_BOOKS, self.books * 1.1) if finished else max(FEWEST_BOOKS, self.books * 0.8)
        else:
            self.arcs = min(MOST_ARCS, self.arcs * 1.2) if finished else max(FEWEST_ARCS, self.arcs * 0.8)


class Neighbours:
    """Picks neighbourhoods: groups, sorted, and the arcs that they may choose from."""

    def __init__(self, problem: Problem, dual: Dual, narrower: Narrower, sizes: Sizes, seed: int) -> None:
        self.problem, self.dual, self.narrower, self.sizes = problem, dual, narrower, sizes
        self.random = np.random.default_rng(seed % 2**63)
        self.books = np.unique(problem.arc_book[problem.arc_book >= 0])
        self.count = len(self.books)
        place = np.full(int(problem.arc_book.max(initial=0)) + 2, self.count)
        place[self.books] = np.arange(self.count)
        self.book = np.where(problem.arc_book >= 0, place[problem.arc_book], self.count)
        self.loss = np.maximum(0.0, dual.loss)
        self._near = self._closest()

    def _closest(self) -> tuple[np.ndarray, np.ndarray]:
        """Arcs of small loss, and their weights."""
        finite = np.isfinite(self.loss)
        usual = max(1.0, float(np.median(self.loss[finite]))) if finite.any() else 1.0
        near = np.flatnonzero(finite & (self.loss < NEAR * usual) & (self.book < self.count))
        return near, 1.0 / (1.0 + NEAR * self.loss[near] / usual)

    def pick(self, kind: Kind, plan: np.ndarray, gap: int, sets: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """So many neighbourhoods of a kind; those of books have no book in common. `gap`: of the plan to the bound."""
        return self._of_books(plan, gap, sets) if kind == Kind.BOOKS else self._of_groups(plan, sets)

    def _of_groups(self, plan: np.ndarray, sets: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for _ in range(sets):
            blurred = self.loss * self.random.uniform(BLUR, 1.0, len(self.loss))
            blurred[plan] = np.inf
            count = min(round(self.sizes.arcs), len(blurred) - 1)
            near = np.argpartition(blurred, count)[:count]
            near = near[np.isfinite(blurred[near])]
            groups = np.unique(self.problem.arc_group[near])
            if len(groups):
                yield groups, np.unique(np.concatenate([near, plan[groups]]))

    def _of_books(self, plan: np.ndarray, gap: int, sets: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        problem = self.problem
        now = self.book[plan]
        blame = self._blame(plan, now)
        near, weight = self._near
        here, there = now[problem.arc_group[near]], self.book[near]
        free = np.ones(self.count + 1, dtype=bool)
        free[self.count] = False
        could_help = self.loss <= gap + self.dual.doubt
        size = max(1, min(round(self.sizes.books), self.count // sets))
        for _ in range(sets):
            books = self._grow(blame, free, here, there, weight, size)
            free[books] = False
            inside = np.zeros(self.count + 1, dtype=bool)
            inside[books] = True
            groups = np.flatnonzero(inside[now])
            if len(groups):
                yield groups, self._arcs(groups, inside, could_help, plan)

    def _blame(self, plan: np.ndarray, now: np.ndarray) -> np.ndarray:
        """What each book adds to the gap: the losses of the arcs taken into it."""
        loss = np.where(np.isfinite(self.loss), self.loss, 0.0)[plan]
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

    def _arcs(self, groups: np.ndarray, inside: np.ndarray, could_help: np.ndarray, plan: np.ndarray) -> np.ndarray:
        """The arcs into the books that could make a better plan, of many those of least loss, and the plan's own."""
        arcs = self.narrower.arcs_of(groups)
        arcs = arcs[inside[self.book[arcs]]]
        kept = arcs[could_help[arcs]]
        if len(kept) > ARCS_PER_GROUP * len(groups):
            order = np.lexsort((self.loss[arcs], self.problem.arc_group[arcs]))
            group = self.problem.arc_group[arcs[order]]
            first = np.searchsorted(group, group)
            kept = arcs[order][np.arange(len(order)) - first < ARCS_PER_GROUP]
        return np.unique(np.concatenate([kept, plan[groups]]))
