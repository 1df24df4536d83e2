"""Steady: the plan that stands is kept where it is still good, so that nobody is told something new every night.

What was proven of the best plan stays true: the bound is that of all plans, and the one that is kept says by how much
it is above it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isqrt

import numpy as np
import pandas as pd

from rebalancer.engine import LevelResult, Outcome
from rebalancer.errors import NoLegalPlan, NoPlanInTime
from rebalancer.metrics import triggered
from rebalancer.problem import Problem
from rebalancer.rebuilt import chosen_arcs
from rebalancer.rules import RULES
from rebalancer.rules.formulation import Formulation, formulate
from rebalancer.snapshot import Snapshot

DISRUPTION = 1
"""The level that is compared; the one before it is the overload, which has to be 0."""


@dataclass(frozen=True)
class Standing:
    """A plan that was proposed and stands: by account the AM and the CSM it is to have. `worse` is the share by which
    its disruption may exceed the least before it is given up.
    """

    moves: Mapping[str, tuple[str, str]]
    worse: float

    def record(self) -> dict[str, object]:
        """What a run notes of it, since the plan depends on it."""
        return {"worse": self.worse, "moves": {account: list(seat) for account, seat in sorted(self.moves.items())}}


Search = Callable[[Problem], Outcome]


def steadied(formulation: Formulation, outcome: Outcome, standing: Standing, search: Search) -> Outcome:
    """The outcome with the plan that stands, else with as much of it as is still needed, else as it was.

    Either has to be legal and, in disruption, within `worse` of the plan found.
    """
    problem = formulation.problem
    if not outcome.legal or not standing.moves or not _changes(problem, outcome.chosen):
        return outcome
    whole = chosen_arcs(formulation, _frame(formulation.snapshot, standing.moves))
    if _good_enough(problem, whole, outcome, standing):
        return _with(problem, outcome, whole, "The open proposal is kept")
    wanted = _still_wanted(formulation, standing, whole)
    found = keeping(problem, wanted, outcome, standing, search)
    if found is None:
        return outcome
    kept = _kept(formulation, found, standing)
    return _with(problem, outcome, found, f"{kept:,} of the {len(standing.moves):,} moves of the open proposal stay")


def _changes(problem: Problem, chosen: np.ndarray) -> bool:
    return bool((chosen != problem.today).any())


def _frame(snapshot: Snapshot, moves: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Where everybody is today, but for these moves."""
    frame = snapshot.frame
    rows = zip(frame["account_id"], frame["owner"], frame["csm"], strict=True)
    seats = [(account, *moves.get(account, (owner, csm))) for account, owner, csm in rows]
    return pd.DataFrame(seats, columns=["account_id", "to_am", "to_csm"])


def _good_enough(problem: Problem, chosen: np.ndarray, outcome: Outcome, standing: Standing) -> bool:
    if (chosen < 0).any() or not problem.is_complete(chosen):
        return False
    values, least = problem.values(chosen), outcome.levels[DISRUPTION].value
    return values[0] == 0 and values[DISRUPTION] <= least * (1 + standing.worse)


def _with(problem: Problem, outcome: Outcome, chosen: np.ndarray, what: str) -> Outcome:
    """The outcome of another plan. A bound holds as long as all levels before it have the values it was proven for."""
    levels, same = list[LevelResult](), True
    for level, value in zip(outcome.levels, problem.values(chosen), strict=True):
        bound = level.bound if same else None
        proof = level.proof if same and value == level.value else None
        certified = level.certificate_bound if same else None
        levels.append(replace(level, value=value, bound=bound, proof=proof, certificate_bound=certified))
        same = same and value == level.value
    known = {level.name for level in levels if level.certificate_bound is not None}
    least, now = outcome.levels[DISRUPTION].value, levels[DISRUPTION].value
    extra = "" if now == least else f"; the best plan found has {least:,} disruption, this one {now:,}"
    return replace(
        outcome,
        chosen=chosen,
        levels=tuple(levels),
        stopped=outcome.stopped if now == least else "gap",
        warnings=(*outcome.warnings, f"{what}{extra}."),
        certificates=tuple(part for part in outcome.certificates if part.level in known),
    )


def _still_wanted(formulation: Formulation, standing: Standing, whole: np.ndarray) -> np.ndarray:
    """The arc of each group that a rule admits and that still serves, -1 for all others: the book that it leaves is
    triggered or relieved, or it has to leave.
    """
    snapshot = formulation.snapshot
    accounts = snapshot.accounts
    over = triggered(snapshot) | snapshot.relieved
    serves = ~snapshot.owner_present | ((accounts.owner >= 0) & over[accounts.owner])
    stands = np.array([account in standing.moves for account in accounts.ids], dtype=bool)
    wanted = np.zeros(len(whole), dtype=bool)
    wanted[formulation.group_of[serves & stands]] = True
    return np.where(wanted & (whole != formulation.problem.today), whole, -1)


def keeping(
    problem: Problem, wanted: np.ndarray, outcome: Outcome, standing: Standing, search: Search
) -> np.ndarray | None:
    """A good enough plan with as many of the wanted seats as a price on every other seat can keep; None where none was
    found.

    The dearer another seat, the more of them stay: first so dear that all stay that can, then so little that all
    together stay within `worse`, then between the two.
    """
    count = int((wanted >= 0).sum())
    if not count:
        return None

    def tried(weight: int) -> np.ndarray | None:
        found = _preferring(problem, wanted, weight, search)
        return found if found is not None and _good_enough(problem, found, outcome, standing) else None

    least = outcome.levels[DISRUPTION].value
    high = int(problem.levels[DISRUPTION].arc_cost.max()) + 1
    low = max(1, int(least * standing.worse) // count)
    best = tried(high)
    if best is not None or low >= high:
        return best
    best = tried(low)
    for _ in range(HALVINGS):
        middle = isqrt(low * high)
        found = tried(middle) if low < middle < high else None
        if found is None:
            high = middle
        else:
            best, low = found, middle
    return best


HALVINGS = 4
"""Prices tried between the least and the greatest, each the geometric middle of what is left."""


def _preferring(problem: Problem, wanted: np.ndarray, weight: int, search: Search) -> np.ndarray | None:
    """The best plan where every other seat of these groups costs more; None where none was found."""
    dearer = (wanted >= 0)[problem.arc_group]
    dearer[wanted[wanted >= 0]] = False
    level = problem.levels[DISRUPTION]
    dear = replace(level, arc_cost=level.arc_cost + weight * dearer)
    levels = (*problem.levels[:DISRUPTION], dear, *problem.levels[DISRUPTION + 1 :])
    try:
        return search(replace(problem, levels=levels)).chosen
    except (NoLegalPlan, NoPlanInTime):
        return None


def _kept(formulation: Formulation, chosen: np.ndarray, standing: Standing) -> int:
    """Moves of the standing plan that a plan makes as well."""
    snapshot = formulation.snapshot
    am, csm = formulation.seats(chosen)
    ids, csms = (*snapshot.ams.ids, ""), (*snapshot.csms.ids, "")
    pods = snapshot.pods_active
    return sum(
        standing.moves.get(account, ("", ""))[: 2 if pods else 1] == ((ids[book], csms[who]) if pods else (ids[book],))
        for account, book, who in zip(snapshot.accounts.ids, am.tolist(), csm.tolist(), strict=True)
    )


def burdens(snapshot: Snapshot, moves: Mapping[str, tuple[str, str]]) -> int:
    """How much overload some moves add to that of today, all else as it is; below 0 where they relieve.

    A move that no rule admits counts as more than any overload.
    """
    formulation = formulate(snapshot, RULES)
    problem = formulation.problem
    chosen = chosen_arcs(formulation, _frame(snapshot, moves))
    moved = np.isin(np.array(snapshot.accounts.ids, dtype=object), list(moves))
    if (chosen[formulation.group_of[moved]] < 0).any():
        return NEVER
    after = np.where(chosen >= 0, chosen, problem.today)
    return problem.values(after)[0] - problem.values(problem.today)[0]


NEVER = 2**62
"""More than any overload."""
