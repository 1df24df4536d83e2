"""An independent reference: the same question as a mixed-integer programme, from the facts that `verify` reads.

It shares neither rules nor engine with the product: seats, limits and costs come from `rebalancer.verify.Ledger`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np
from random_books import Case
from scipy.optimize import Bounds, LinearConstraint, milp

from rebalancer.verify import Ledger

Plan = dict[str, tuple[str, str]]
FEW_PLANS = 3_000
"""Books with at most this many plans are enumerated instead."""


@dataclass
class Reference:
    """The least overload, and the least disruption among plans with that overload."""

    overload: int
    disruption: int


def reference(case: Case) -> Reference | None:
    """The exact answer; None where some account has no seat, or no plan keeps the budgets."""
    ledger = Ledger.build(case.book.text_tables(), case.model, case.book.effective_date, case.scope)
    options = [ledger.options(group) for group in ledger.groups()]
    if any(not found for found in options):
        return None
    budgets = list(_budgets(ledger))
    plans = np.prod([float(len(found)) for found in options])
    answer = _by_trying if plans <= FEW_PLANS else _by_milp
    return answer(ledger, case, options, budgets)


@dataclass
class Budget:
    """At most `limit` of what `spends` says of an account that goes to an AM, summed over all accounts."""

    spends: Callable[[str, str], int]
    limit: int


def _budgets(ledger: Ledger) -> Iterator[Budget]:
    terms, accounts = ledger.model.budgets, ledger.accounts
    share = None if terms.share is None else int(Fraction(terms.share) * len(accounts) // 1)

    def moves(name: str, am: str) -> bool:
        return not ledger.homeless(accounts[name]) and ledger.book_of(am) != ledger.book_of(accounts[name].owner)

    def budget(limit: int | None, amount: Callable[[str, str], int]) -> Iterator[Budget]:
        if limit is not None:
            yield Budget(lambda name, am: amount(name, am) if moves(name, am) else 0, limit)

    yield from budget(terms.accounts, lambda _name, _am: 1)
    yield from budget(share, lambda _name, _am: 1)
    yield from budget(terms.arr, lambda name, _am: max(0, accounts[name].arr))
    for tier, limit in terms.per_tier.items():
        yield from budget(limit, lambda name, _am, tier=tier: int(accounts[name].tier == tier))
    for book in ledger.books:
        lost = lambda name, _am, book=book: int(ledger.book_of(accounts[name].owner) == book)  # noqa: E731
        yield from budget(terms.lost_per_am, lost)
        yield from budget(terms.gained_per_am, lambda _name, am, book=book: int(ledger.book_of(am) == book))


def _cost(ledger: Ledger, case: Case, plan: Plan) -> int:
    return sum(ledger.cost(account_id, *seat, case.measure) for account_id, seat in plan.items())


def _spent(budget: Budget, plan: Plan) -> int:
    return sum(budget.spends(name, am) for name, (am, _) in plan.items())


def _by_trying(ledger: Ledger, case: Case, options: list[list[Plan]], budgets: list[Budget]) -> Reference | None:
    found = []
    for chosen in product(*options):
        plan = {name: seat for part in chosen for name, seat in part.items()}
        if all(_spent(budget, plan) <= budget.limit for budget in budgets):
            found.append((ledger.overload(plan), _cost(ledger, case, plan)))
    return Reference(*min(found)) if found else None


def _by_milp(ledger: Ledger, case: Case, options: list[list[Plan]], budgets: list[Budget]) -> Reference | None:
    arcs = [(group, plan) for group, found in enumerate(options) for plan in found]
    rows = ledger.elastic_rows({})
    weights = np.array([[row.value for row in ledger.elastic_rows(plan)] for _, plan in arcs], dtype=float).T
    n, m = len(arcs), len(rows)
    one_option = np.zeros((len(options), n + m))
    for index, (group, _) in enumerate(arcs):
        one_option[group, index] = 1
    constraints = [LinearConstraint(one_option, 1, 1)]
    for r, row in enumerate(rows):
        line = np.zeros(n + m)
        line[:n] = weights[r]
        line[n + r] = -1 if row.high is not None else 1
        low, high = (-np.inf, row.high) if row.high is not None else (row.low, np.inf)
        constraints.append(LinearConstraint(line, low, high))
    for budget in budgets:
        line = np.array([*(_spent(budget, plan) for _, plan in arcs), *[0] * m], dtype=float)
        constraints.append(LinearConstraint(line, -np.inf, budget.limit))
    penalty = np.concatenate([np.zeros(n), [row.penalty for row in rows]])
    cost = np.array([*(_cost(ledger, case, plan) for _, plan in arcs), *[0] * m], dtype=float)
    first = _solve(penalty, constraints, n, m)
    if first is None:
        return None
    overload = ledger.overload(_plan(arcs, first))
    second = _solve(cost, [*constraints, LinearConstraint(penalty, -np.inf, overload + 0.5)], n, m)
    assert second is not None
    plan = _plan(arcs, second)
    assert ledger.overload(plan) == overload
    return Reference(overload, _cost(ledger, case, plan))


INFEASIBLE = 2


def _solve(objective: np.ndarray, constraints: list[LinearConstraint], n: int, m: int) -> np.ndarray | None:
    result = milp(
        objective,
        integrality=np.ones(n + m),
        bounds=Bounds(np.zeros(n + m), np.concatenate([np.ones(n), np.full(m, np.inf)])),
        constraints=constraints,
        options={"mip_rel_gap": 0},
    )
    if result.status == INFEASIBLE:
        return None
    assert result.status == 0, result.message
    solution: np.ndarray = result.x
    return solution


def _plan(arcs: list[tuple[int, Plan]], solution: np.ndarray) -> Plan:
    taken = [plan for (_, plan), share in zip(arcs, solution, strict=False) if share > 0.5]
    return {name: seat for part in taken for name, seat in part.items()}
