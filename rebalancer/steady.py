"""Steady: the plan that stands is kept where it is still good, so that nobody is told something new every night.

What was proven of the best plan stays true: the bound is that of all plans, and the one that is kept says by how much
it is above it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

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
    """A plan that was proposed and stands: by account the AM and the CSM it is to have.

    `worse` is the share by which the disruption of a plan that keeps some of it may exceed the least. `was` is its own
    disruption as a multiple of the least when it was proposed: it is given up once that is more than `worse` higher.
    """

    moves: Mapping[str, tuple[str, str]]
    worse: float
    was: float = 1.0

    @property
    def most(self) -> float:
        """Its disruption, as a multiple of the least, from which it is given up."""
        return (1 + self.worse) * min(max(1.0, self.was), 1 + self.worse)

    def record(self) -> dict[str, object]:
        """What a run notes of it, since the plan depends on it."""
        moves = {account: list(seat) for account, seat in sorted(self.moves.items())}
        return {"worse": self.worse, "was": self.was, "moves": moves}


Search = Callable[[Problem, float], Outcome]
"""Searches with a share of the time that the first search had."""


def steadied(formulation: Formulation, outcome: Outcome, standing: Standing, search: Search) -> Outcome:
    """The outcome with the plan that stands, else with as much of it as is still needed, else as it was.

    Either has to be legal. The plan that stands is kept until it is more than `worse` further from the least than when
    it was proposed, so that noise takes nothing back; what keeps a part of it has to be within `worse` of the least.
    """
    problem = formulation.problem
    if not outcome.legal or not standing.moves or not _changes(problem, outcome.chosen):
        return outcome
    whole = chosen_arcs(formulation, _frame(formulation.snapshot, standing.moves))
    if _good_enough(problem, whole, outcome, standing.most):
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


def _good_enough(problem: Problem, chosen: np.ndarray, outcome: Outcome, most: float) -> bool:
    """The plan is legal and its disruption at most so many times the least."""
    if (chosen < 0).any() or not problem.is_complete(chosen):
        return False
    values, least = problem.values(chosen), outcome.levels[DISRUPTION].value
    return values[0] == 0 and values[DISRUPTION] <= least * most


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
    """A good enough plan with many of the wanted seats, None where none was found that has one.

    Where the least disruption is known, and as far as `TRIES` searches tell, no other wanted seat can be added to those
    that stay.
    """
    if not (wanted >= 0).any():
        return None
    keeper = _Keeper(problem, wanted, outcome, standing, search)
    best = keeper.by_price()
    if outcome.levels[DISRUPTION].bound == outcome.levels[DISRUPTION].value:
        best = keeper.grown(best)
    return best if keeper.stays(best).any() else None


@dataclass
class _Keeper:
    """Searches for plans that keep some of the wanted seats, by group; -1 where none is wanted."""

    problem: Problem
    wanted: np.ndarray
    outcome: Outcome
    standing: Standing
    search: Search

    def stays(self, chosen: np.ndarray) -> np.ndarray:
        """Whether a plan has the wanted seat, by group."""
        return (self.wanted >= 0) & (chosen == self.wanted)

    def missing(self, chosen: np.ndarray) -> np.ndarray:
        """The groups whose wanted seat a plan does not have, those first for whom it costs least."""
        groups = np.flatnonzero((self.wanted >= 0) & (chosen != self.wanted))
        cost = self.problem.levels[DISRUPTION].arc_cost
        return groups[np.argsort(cost[self.wanted[groups]] - cost[chosen[groups]], kind="stable")]

    def by_price(self) -> np.ndarray:
        """First other seats are so dear that all stay that can, then so cheap that all together are within `worse`."""
        every = np.flatnonzero(self.wanted >= 0)
        least = self.outcome.levels[DISRUPTION].value
        dearest = int(self.problem.levels[DISRUPTION].arc_cost.max()) + 1
        for price in (dearest, max(1, int(least * self.standing.worse) // len(every))):
            found = self._searched(every, price, 1)
            if found is not None:
                return found
        return self.outcome.chosen

    def grown(self, best: np.ndarray) -> np.ndarray:
        """The plan with more and more of the missing seats: all of a part of them, else each half of it."""
        parts = [self.missing(best)]
        for _ in range(TRIES):
            part = _next_part(parts, self.missing(best))
            if not len(part):
                break
            more = self._grown_by(best, part)
            if more is not None:
                best = more
            elif len(part) > 1:
                parts += [part[len(part) // 2 :], part[: len(part) // 2]]
        return best

    def _grown_by(self, best: np.ndarray, part: np.ndarray) -> np.ndarray | None:
        """A plan with the wanted seats of the best one and of some groups more: any other would be too dear."""
        groups = np.union1d(np.flatnonzero(self.stays(best)), part)
        too_dear = int(self.outcome.levels[DISRUPTION].value * (1 + self.standing.worse)) + 1
        found = self._searched(groups, too_dear, SHARE)
        return found if found is not None and self.stays(found)[groups].all() else None

    def _searched(self, groups: np.ndarray, price: int, share: float) -> np.ndarray | None:
        """The best plan where every other seat of these groups costs more; None where it is not good enough."""
        problem, level = self.problem, self.problem.levels[DISRUPTION]
        dearer = np.isin(problem.arc_group, groups)
        dearer[self.wanted[groups]] = False
        dear = replace(level, arc_cost=level.arc_cost + price * dearer)
        levels = (*problem.levels[:DISRUPTION], dear, *problem.levels[DISRUPTION + 1 :])
        try:
            found = self.search(replace(problem, levels=levels), share).chosen
        except (NoLegalPlan, NoPlanInTime):
            return None
        return found if _good_enough(problem, found, self.outcome, 1 + self.standing.worse) else None


TRIES = 24
"""Searches for one more wanted seat, or several, at most."""

SHARE = 1 / 4
"""Share of the time of the first search that each of them has."""


def _next_part(parts: list[np.ndarray], missing: np.ndarray) -> np.ndarray:
    """The last part without what is not missing any more; an empty one where nothing is left."""
    while parts:
        last = parts.pop()
        part = last[np.isin(last, missing)]
        if len(part):
            return part
    return missing[:0]


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
