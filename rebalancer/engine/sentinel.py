"""Sentinel: shows that the installed solver gives right optima on the model family where OR-tools 9.15 does not.

OR-tools issue 5293: rows whose boolean coefficients add up past 2^31-1, soft, and switched off by a relief literal,
get an OPTIMAL answer with a wrong optimum, unless `presolve_inclusion_work_limit` is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from ortools.sat.python import cp_model

TOTALS = (2**31 - 1, 2**31, 2**31 + 64, 10**10, 2**53 // 1000)
SHAPES = ((1, 2), (2, 2), (3, 2), (3, 3))


def wrong_optima(cured: bool = True) -> list[str]:
    """Cases in which the solver's proven optimum differs from the one found by trying every plan.

    `cured` solves as the engine does; without it the fault of the release shows.
    """
    found = []
    for accounts, ams in SHAPES:
        for total in TOTALS:
            weights = [total // accounts] * accounts
            weights[0] += total - sum(weights)
            capacities = [total * 6 // 10] + [total * 3 // 10] * (ams - 1)
            case = _Case(weights, capacities, total // 20, total // 15)
            answer, exact = case.solve(cured), case.by_trying()
            if answer != exact:
                found.append(f"{accounts} accounts, {ams} AMs, row sum {total:,}: solver {answer:,}, exact {exact:,}")
    return found


class _Case:
    """All accounts owned by the first AM; a book over its capacity pays the excess, one book at most is let off."""

    def __init__(self, weights: Sequence[int], capacities: Sequence[int], relief: int, move: int) -> None:
        self.weights, self.capacities, self.relief, self.move = weights, capacities, relief, move

    def solve(self, cured: bool) -> int:
        model = cp_model.CpModel()
        books = range(len(self.capacities))
        x = [[model.new_bool_var(f"x{i}_{b}") for b in books] for i in range(len(self.weights))]
        for row in x:
            model.add_exactly_one(row)
        excess = [model.new_int_var(0, sum(self.weights), f"excess{b}") for b in books]
        let_off = [model.new_bool_var(f"relief{b}") for b in books]
        model.add_at_most_one(let_off)
        for b in books:
            load = sum(weight * row[b] for weight, row in zip(self.weights, x, strict=True))
            model.add(load - excess[b] <= self.capacities[b]).only_enforce_if(~let_off[b])
        moved = sum(self.move * (1 - row[0]) for row in x)
        model.minimize(sum(excess) + moved + self.relief * sum(let_off))
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        if cured:
            solver.parameters.presolve_inclusion_work_limit = 0
        if solver.solve(model) != cp_model.OPTIMAL:
            return -1
        taken = [max(books, key=lambda b, row=row: solver.value(row[b])) for row in x]  # type: ignore[misc]
        return self._value(taken, [b for b in books if solver.value(let_off[b])])

    def by_trying(self) -> int:
        books = range(len(self.capacities))
        plans = product(books, repeat=len(self.weights))
        return min(self._value(plan, off) for plan in plans for off in ([], *([b] for b in books)))

    def _value(self, plan: Sequence[int], let_off: Sequence[int]) -> int:
        total = self.relief * len(let_off) + self.move * sum(b != 0 for b in plan)
        for b, capacity in enumerate(self.capacities):
            load = sum(weight for weight, chosen in zip(self.weights, plan, strict=True) if chosen == b)
            total += 0 if b in let_off else max(0, load - capacity)
        return total
