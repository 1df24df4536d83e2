"""The problem that every method gets, with what its plans are judged by."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rebalancer.book import Book
from rebalancer.coverage import Measure, Scope
from rebalancer.plan import resolve_model
from rebalancer.problem import HARD, NO_LIMIT, Problem
from rebalancer.rules import RULES
from rebalancer.rules.formulation import formulate
from rebalancer.snapshot import take_snapshot

SCOPE: Scope = "full"
MEASURE: Measure = "revenue_at_risk"


@dataclass(frozen=True)
class Instance:
    """A problem whose level 0 is `overload` and level 1 `disruption`. `moves` and `arr` are the accounts that change
    their AM under each arc, and their ARR in dollars.
    """

    problem: Problem
    moves: np.ndarray
    arr: np.ndarray

    @property
    def cost(self) -> np.ndarray:
        """The disruption of each arc: dollars at risk."""
        return self.problem.levels[1].arc_cost

    def limits(self) -> np.ndarray:
        """Numbers of the rows that a legal plan keeps: the hard ones and those priced in `overload`."""
        return np.flatnonzero((self.problem.rows.level == HARD) | (self.problem.rows.level == 0))

    def judged(self, chosen: np.ndarray | None) -> dict[str, Any]:
        """What a plan is worth, recomputed from the problem in integers; a method's own word counts for nothing.

        `value` is the disruption in dollars at risk, `over_limit` the number of limits the plan breaks.
        """
        if chosen is None or (chosen < 0).any():
            return {"plan": False, "legal": False}
        values = self.problem.values(chosen)
        return {
            "plan": True,
            "legal": self.problem.is_complete(chosen) and values[0] == 0,
            "value": values[1],
            "overload": values[0],
            "over_limit": self.over_limit(chosen),
            "moves": int(self.moves[chosen].sum()),
            "arr_moved": int(self.arr[chosen].sum()),
        }

    def over_limit(self, chosen: np.ndarray) -> int:
        """Limits that a plan breaks."""
        rows = self.problem.rows
        return int((rows.excess(rows.activity(self.problem.taken(chosen)))[self.limits()] > 0).sum())

    def save(self, path: Path) -> None:
        """Write the instance for other processes of this run."""
        with path.open("wb") as file:
            pickle.dump(self, file, protocol=pickle.HIGHEST_PROTOCOL)

    @staticmethod
    def load(path: Path) -> Instance:
        """Read what `save` wrote."""
        with path.open("rb") as file:
            loaded: Instance = pickle.load(file)
        return loaded


def instance_of(book: Book) -> Instance:
    """The problem that `propose` gives the engine for a book, under the book's own model."""
    snapshot = take_snapshot(book, resolve_model(book, None), SCOPE, MEASURE)
    formulation = formulate(snapshot, RULES)
    arcs = formulation.arcs
    moved = arcs.am_changed.astype(np.int64)
    arr = np.maximum(0, arcs.of_accounts(snapshot.accounts.arr))
    return Instance(formulation.problem, arcs.per_arc(moved), arcs.per_arc(moved * arr))


def bounds(values: np.ndarray) -> np.ndarray:
    """Bounds of rows as floats, open ones infinite."""
    out = values.astype(np.float64)
    out[values >= NO_LIMIT] = np.inf
    out[values <= -NO_LIMIT] = -np.inf
    return out
