"""An independent reference: the same question as a mixed-integer programme, from the facts that `verify` reads.

It shares neither rules nor engine with the product: seats, limits and costs come from `rebalancer.verify.Ledger`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from random_books import Case
from scipy.optimize import Bounds, LinearConstraint, milp

from rebalancer.verify import Ledger

Seat = tuple[str, str]
FEW_PLANS = 3_000
"""Books with at most this many plans are enumerated instead."""


@dataclass
class Reference:
    """The least overload, and the least disruption among plans with that overload; None where nobody fits."""

    overload: int
    disruption: int


def reference(case: Case) -> Reference | None:
    """The exact answer, None where some account has no seat at all."""
    ledger = Ledger.build(case.book.text_tables(), case.model, case.book.effective_date, case.scope)
    seats = {account_id: ledger.legal_seats(account_id) for account_id in ledger.accounts}
    if any(not options for options in seats.values()):
        return None
    plans = np.prod([float(len(options)) for options in seats.values()])
    return _by_trying(ledger, case, seats) if plans <= FEW_PLANS else _by_milp(ledger, case, seats)


def _cost(ledger: Ledger, case: Case, plan: dict[str, Seat]) -> int:
    return sum(ledger.cost(account_id, *seat, case.measure) for account_id, seat in plan.items())


def _by_trying(ledger: Ledger, case: Case, seats: dict[str, list[Seat]]) -> Reference:
    plans = (dict(zip(seats, chosen, strict=True)) for chosen in product(*seats.values()))
    return Reference(*min((ledger.overload(plan), _cost(ledger, case, plan)) for plan in plans))


def _by_milp(ledger: Ledger, case: Case, seats: dict[str, list[Seat]]) -> Reference:
    arcs = [(account_id, seat) for account_id, options in seats.items() for seat in options]
    rows = ledger.elastic_rows({})
    weights = np.array([[row.value for row in ledger.elastic_rows({a: seat})] for a, seat in arcs], dtype=float).T
    n, m = len(arcs), len(rows)
    one_seat = np.zeros((len(seats), n + m))
    for index, (account_id, _) in enumerate(arcs):
        one_seat[list(seats).index(account_id), index] = 1
    constraints = [LinearConstraint(one_seat, 1, 1)]
    for r, row in enumerate(rows):
        line = np.zeros(n + m)
        line[:n] = weights[r]
        line[n + r] = -1 if row.high is not None else 1
        low, high = (-np.inf, row.high) if row.high is not None else (row.low, np.inf)
        constraints.append(LinearConstraint(line, low, high))
    penalty = np.concatenate([np.zeros(n), [row.penalty for row in rows]])
    cost = np.concatenate([[ledger.cost(a, *seat, case.measure) for a, seat in arcs], np.zeros(m)])
    first = _solve(penalty, constraints, n, m)
    overload = ledger.overload(_plan(arcs, first))
    second = _solve(cost, [*constraints, LinearConstraint(penalty, -np.inf, overload + 0.5)], n, m)
    plan = _plan(arcs, second)
    assert ledger.overload(plan) == overload
    return Reference(overload, _cost(ledger, case, plan))


def _solve(objective: np.ndarray, constraints: list[LinearConstraint], n: int, m: int) -> np.ndarray:
    result = milp(
        objective,
        integrality=np.ones(n + m),
        bounds=Bounds(np.zeros(n + m), np.concatenate([np.ones(n), np.full(m, np.inf)])),
        constraints=constraints,
        options={"mip_rel_gap": 0},
    )
    assert result.status == 0, result.message
    return result.x


def _plan(arcs: list[tuple[str, Seat]], solution: np.ndarray) -> dict[str, Seat]:
    return {account_id: seat for (account_id, seat), taken in zip(arcs, solution, strict=False) if taken > 0.5}
