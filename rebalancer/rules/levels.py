"""Levels: what is minimised, one after the other, and what each arc costs there."""

from __future__ import annotations

import numpy as np

from rebalancer.problem import Level
from rebalancer.rules.arcs import Arcs
from rebalancer.rules.balance import BALANCE
from rebalancer.rules.fairness import FAIRNESS
from rebalancer.rules.fit import fit_costs
from rebalancer.rules.gating import Gating
from rebalancer.rules.global_programme import OVERLAP, overlap_counts
from rebalancer.rules.rule import OVERLOAD
from rebalancer.snapshot import Snapshot

DISRUPTION, CONTINUITY, FIT, TIES = "disruption", "continuity", "fit", "ties"

TIE_STEP, TIE_CYCLE = 383, 1009
"""Seat ranks weigh differently from account to account, so that two equal accounts can't be swapped unnoticed."""


def level_names(snapshot: Snapshot) -> list[str]:
    """The levels of a run, in order."""
    continuity = [] if snapshot.measure == "revenue_at_risk" else [CONTINUITY]
    fairness = [] if snapshot.model.fairness.loss_share is None else [FAIRNESS]
    overlap = [OVERLAP] if overlap_counts(snapshot) else []
    return [OVERLOAD, DISRUPTION, *continuity, *overlap, *fairness, BALANCE, FIT, TIES]


def levels_of(arcs: Arcs, gating: Gating) -> tuple[Level, ...]:
    """Every level with the cost of each arc and of each gate."""
    snapshot = arcs.snapshot
    tolerance = float(snapshot.model.limits.overload_tolerance)
    return tuple(
        Level(name, _arc_cost(arcs, name), gating.cost_at(name), tolerance if name == OVERLOAD else 0.0)
        for name in level_names(snapshot)
    )


def _arc_cost(arcs: Arcs, name: str) -> np.ndarray:
    if name in (OVERLOAD, OVERLAP, FAIRNESS, BALANCE):  # rows or gates alone have a price there
        return np.zeros(arcs.n_arcs, dtype=np.int64)
    if name == DISRUPTION:
        return arcs.per_arc(arcs.snapshot.costs.of(arcs.account, arcs.am_changed, arcs.csm_changed))
    if name == CONTINUITY:
        return arcs.per_arc(arcs.csm_changed.astype(np.int64) + (arcs.am_changed & arcs.csm_changed))
    return arcs.per_arc(fit_costs(arcs) if name == FIT else _ties(arcs))


def _ties(arcs: Arcs) -> np.ndarray:
    """The rank of the seat, weighed by account."""
    weight = 1 + np.arange(len(arcs.snapshot.accounts), dtype=np.int64) * TIE_STEP % TIE_CYCLE
    return arcs.of_accounts(weight) * arcs.seats[1]
