"""Steady: the plan that stands is kept where it is still good, so that nobody is told something new every night.

What was proven of the best plan stays true: the bound is that of all plans, and the one that is kept says by how much
it is above it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.engine import LevelResult, Outcome
from rebalancer.errors import InvalidInput, NoLegalPlan, NoPlanInTime
from rebalancer.metrics import triggered
from rebalancer.problem import Problem
from rebalancer.rebuilt import chosen_arcs
from rebalancer.rules import RULES
from rebalancer.rules.formulation import Formulation, formulate
from rebalancer.snapshot import Snapshot, take_snapshot

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
    if not outcome.legal or not standing.moves or not _changes(formulation.problem, outcome.chosen):
        return outcome
    whole = chosen_arcs(formulation, _frame(formulation.snapshot, standing.moves))
    if _good_enough(formulation.problem, whole, outcome, standing):
        return _with(formulation.problem, outcome, whole, "The open proposal is kept")
    wanted = _still_wanted(formulation, standing, whole)
    found = _around(formulation, wanted, search) if wanted else None
    if found is None or not _good_enough(formulation.problem, found, outcome, standing):
        return outcome
    kept = f"{len(wanted):,} of the {len(standing.moves):,} moves of the open proposal are kept"
    return _with(formulation.problem, outcome, found, kept)


def _changes(problem: Problem, chosen: np.ndarray) -> bool:
    return bool((chosen != problem.today).any())


def _frame(snapshot: Snapshot, moves: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Where everybody is today, but for these moves."""
    frame = snapshot.frame
    accounts, owners, csms = (frame[name].tolist() for name in ("account_id", "owner", "csm"))
    am_of = dict(zip(snapshot.ams.ids, snapshot.ams.ids, strict=True))
    pooled = [snapshot.ams.ids[number] if number >= 0 else "" for number in snapshot.accounts.owner.tolist()]
    today = [(am_of.get(owner, pool), csm) for owner, pool, csm in zip(owners, pooled, csms, strict=True)]
    seats = [moves.get(account, seat) for account, seat in zip(accounts, today, strict=True)]
    return pd.DataFrame({"account_id": accounts, "to_am": [am for am, _ in seats], "to_csm": [csm for _, csm in seats]})


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


def _still_wanted(formulation: Formulation, standing: Standing, whole: np.ndarray) -> dict[str, tuple[str, str]]:
    """The moves that a rule admits and that still serve: their book is triggered or relieved, or they are forced."""
    snapshot = formulation.snapshot
    accounts = snapshot.accounts
    over = triggered(snapshot) | snapshot.relieved
    serves = ~snapshot.owner_present | ((accounts.owner >= 0) & over[accounts.owner])
    admitted = whole[formulation.group_of] >= 0
    rows = zip(accounts.ids, (serves & admitted).tolist(), strict=True)
    return {account: standing.moves[account] for account, wanted in rows if wanted and account in standing.moves}


def _around(formulation: Formulation, wanted: Mapping[str, tuple[str, str]], search: Search) -> np.ndarray | None:
    """The best plan with these moves, in the arcs of the formulation; None where there is none."""
    snapshot = formulation.snapshot
    book = _fixed(snapshot.book, wanted, snapshot.pods_active)
    try:
        fixed = formulate(take_snapshot(book, snapshot.model, snapshot.scope, snapshot.measure), RULES)
        found = search(fixed.problem)
    except (InvalidInput, NoLegalPlan, NoPlanInTime):
        return None
    am, csm = fixed.seats(found.chosen)
    ids, csms = (*snapshot.ams.ids, ""), (*snapshot.csms.ids, "")
    plan = {"account_id": list(snapshot.accounts.ids), "to_am": [ids[i] for i in am], "to_csm": [csms[i] for i in csm]}
    return chosen_arcs(formulation, pd.DataFrame(plan))


def _fixed(book: Book, wanted: Mapping[str, tuple[str, str]], pods: bool) -> Book:
    accounts = book.accounts.copy()
    for column, side in (("assign_to", 0), ("assign_csm", 1)):
        if side == 0 or pods:
            seats = accounts["account_id"].map({account: seat[side] for account, seat in wanted.items()})
            accounts[column] = seats.where(seats.notna() & (seats != ""), accounts[column]).astype(
                book.accounts[column].dtype
            )
    return replace(book, tables={**book.tables, "accounts": accounts})


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
    before = np.where(problem.today >= 0, problem.today, -1)
    after = np.where(chosen >= 0, chosen, before)
    return problem.values(after)[0] - problem.values(before)[0]


NEVER = 2**62
"""More than any overload."""
