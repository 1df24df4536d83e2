"""Contradiction: hard rows that no plan keeps together, proven twice and cut down to a smallest set.

Only the hard rows count here. One solver call never decides: an INFEASIBLE is believed where the solver without its
presolve or a second solver says it of the smallest set as well, and neither finds a plan that keeps it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import csr_array

from rebalancer.engine.cpsat import Effort, Task, minimise
from rebalancer.engine.hard_rows import hard_rows_alone
from rebalancer.engine.outcome import Stop
from rebalancer.errors import NoLegalPlan
from rebalancer.problem import HARD, NO_LIMIT, Problem

LEAST_SECONDS = 4.0
"""Time for the proof where the search has used up its own: less than what a parent waits beyond the limit."""

LEAST_CALL = 0.2
"""Seconds that one call gets even where the time is up."""

NAMED = 6
"""Limits named in the message before the rest is counted."""

HARD_ALONE = Task(0, legal=False)
HIGHS_INFEASIBLE = 2


def refuse_contradictions(problems: Sequence[Problem], seconds: float, stop: Stop) -> None:
    """Raise `NoLegalPlan` naming the hard rows of each problem that contradict each other, where that is proven.

    `problems` are components without a known plan; `seconds` is what is left of the time limit.
    """
    clock = _Clock(max(LEAST_SECONDS, seconds))
    found = [(problem, contradictory_rows(problem, clock.left(), stop)) for problem in problems]
    sentences = [_message(problem, rows, clock, stop) for problem, rows in found if rows is not None]
    if sentences:
        raise NoLegalPlan(" ".join(sentences))


def contradictory_rows(problem: Problem, seconds: float, stop: Stop) -> np.ndarray | None:
    """A smallest set of hard rows that no plan keeps together, None where there is none or it is not proven.

    Smallest: without any one of its rows the others can hold. Where the time is up, it may hold more than it must.
    """
    clock = _Clock(seconds)
    hard = np.flatnonzero(problem.rows.level == HARD)

    def contradict(rows: np.ndarray) -> bool:
        if not len(rows) or clock.left() <= seconds / 2:
            return False
        return _contradicts(hard_rows_alone(problem, rows), clock.left() / 3, stop) is True

    if not contradict(hard):
        return None
    largest_last = hard[np.argsort(np.diff(problem.rows.ptr)[hard], kind="stable")]
    rows = np.sort(irreducible(largest_last, contradict))
    return rows if _proven(hard_rows_alone(problem, rows), clock, stop) else None


def irreducible(rows: np.ndarray, contradict: Callable[[np.ndarray], bool]) -> np.ndarray:
    """What is left of contradictory rows when all are left out that can be: many at once first, one by one at last."""
    size = len(rows)
    while size > 1:
        size = (size + 1) // 2
        place = 0
        while place < len(rows):
            rest = np.delete(rows, slice(place, place + size))
            if contradict(rest):
                rows = rest
            else:
                place += size
    return rows


class _Clock:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        return self._end - time.monotonic()


def _contradicts(part: Problem, seconds: float, stop: Stop, presolve: bool = True) -> bool | None:
    """What CP-SAT says: False where it shows a plan, None where it does not know. Without a choice nobody is asked."""
    if not part.groups:
        return not part.is_complete(np.zeros(0, dtype=np.int64))
    answer = minimise(part, HARD_ALONE, None, _effort(seconds, presolve), stop)
    if answer.chosen is not None:
        return False if part.is_complete(answer.chosen) else None
    return True if answer.status == "infeasible" else None


def _effort(seconds: float, presolve: bool = True) -> Effort:
    return Effort(max(LEAST_CALL, seconds), None, 1, 0.0, 0, presolve)


def _proven(part: Problem, clock: _Clock, stop: Stop) -> bool:
    """Another solver says it too, and none shows a plan."""
    seconds = clock.left() / 3
    verdicts = (_contradicts(part, seconds, stop, presolve=False), _contradicts_in_highs(part, seconds))
    return True in verdicts and False not in verdicts


def _contradicts_in_highs(part: Problem, seconds: float) -> bool | None:
    """HiGHS on the same rows, in floating point; None where it is not sure, or its plan does not hold in integers."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    rows, n = part.rows, part.n_arcs
    if not n:
        return None
    one_arc = csr_array((np.ones(n), (part.arc_group, np.arange(n))), shape=(len(part.groups), n))
    weights = csr_array((rows.weight.astype(float), rows.arc, rows.ptr), shape=(len(rows), n))
    lo = np.where(rows.lo > -NO_LIMIT, rows.lo, -np.inf)
    hi = np.where(rows.hi < NO_LIMIT, rows.hi, np.inf)
    result = milp(
        np.zeros(n),
        integrality=np.ones(n),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(one_arc, 1, 1), LinearConstraint(weights, lo, hi)],
        options={"time_limit": max(LEAST_CALL, seconds)},
    )
    if result.status == HIGHS_INFEASIBLE:
        return True
    if result.x is None:
        return None
    best = np.lexsort((-result.x, part.arc_group))
    chosen = best[np.searchsorted(part.arc_group[best], np.arange(len(part.groups)))]
    return False if part.is_complete(chosen) else None


def _message(problem: Problem, rows: np.ndarray, clock: _Clock, stop: Stop) -> str:
    names = [problem.rows.words(row) for row in rows[:NAMED]]
    if len(rows) > NAMED:
        names.append(f"{len(rows) - NAMED:,} more")
    which, beyond = f"the limit {names[0]} can't hold", "it"
    if len(names) > 1:
        which, beyond = f"the limits {', '.join(names[:-1])} and {names[-1]} can't hold together", "them"
    raises = [(row, _raise(problem, row, clock, stop)) for row in rows[:NAMED]]
    cures = [f"{problem.rows.words(row)} by {more:,}" for row, more in raises if more]
    cure = " or ".join(cures) or "the limit" + "s" * (len(names) > 1)
    return (
        f"{which}: what locks, fixed seats, families and eligibility require is beyond {beyond}. "
        f"Raise {cure}, or remove some lock or assign_to."
    )


def _raise(problem: Problem, row: int, clock: _Clock, stop: Stop) -> int:
    """The least by which this row alone must give way so that all can hold; 0 where that is not known."""
    if clock.left() <= 0:
        return 0
    hard = np.flatnonzero(problem.rows.level == HARD)
    part = hard_rows_alone(problem, hard, elastic=row)
    if not part.groups:
        chosen: np.ndarray | None = np.zeros(0, dtype=np.int64)
    else:
        answer = minimise(part, HARD_ALONE, None, _effort(clock.left() / 3), stop)
        chosen = answer.chosen if answer.status == "optimal" else None
    return part.values(chosen)[0] if chosen is not None and part.is_complete(chosen) else 0
