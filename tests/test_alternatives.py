"""The other seats of an account: what each adds is the difference of two whole plans, and its drawback is true."""

import numpy as np
from random_books import random_case

from rebalancer.alternatives import WORSE, Alternatives
from rebalancer.engine import Options, solve
from rebalancer.errors import RebalancerError
from rebalancer.problem import HARD
from rebalancer.rules import RULES
from rebalancer.rules.formulation import formulate
from rebalancer.snapshot import take_snapshot

KINDER = {*WORSE.values(), "breaks a limit further"}


def plans(seeds):
    """Formulations of random books, each with its plan."""
    for seed in seeds:
        case = random_case(seed)
        try:
            formulation = formulate(take_snapshot(case.book, case.model, case.scope, case.measure), RULES)
            yield formulation, solve(formulation.problem, Options(time_limit=20, workers=1)).chosen
        except RebalancerError:  # no seat, or budgets that contradict each other
            continue


def test_what_another_seat_adds_is_the_difference_of_the_two_plans():
    seen = set()
    for formulation, chosen in plans(range(60)):
        problem, others = formulation.problem, Alternatives(formulation, chosen, range(len(formulation.group_of)))
        rows, now = problem.rows, np.array(problem.values(chosen))
        excess = rows.excess(rows.activity(problem.taken(chosen)))
        for account, group in enumerate(formulation.group_of):
            found = others.of(account)
            assert [other.extra for other in found] == sorted(other.extra for other in found)
            assert len(found) == (problem.arc_group == group).sum() - 1
            for other in found:
                elsewhere = chosen.copy()
                elsewhere[group] = other.arc
                assert other.extra == tuple(np.array(problem.values(elsewhere)) - now)
                more = rows.excess(rows.activity(problem.taken(elsewhere))) > excess
                broken = np.flatnonzero(more & np.isin(rows.level, (HARD, 0)))
                words = others.drawback(other)
                limits = [f"{rows.rules[row].replace('_', ' ')} of {rows.names[row]}" for row in broken]
                assert words == "breaks " + ", ".join(limits) if limits else words in KINDER
                seen |= {words, *(rows.rules[row] for row in broken)}
    assert {"units_cap", "accounts_limit", "budgets", WORSE["disruption"], WORSE["balance"]} <= seen
