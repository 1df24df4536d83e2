"""Worth: what the best plan of a team leaves exposed, in dollars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.errors import InvalidInput, NoLegalPlan, NoPlanInTime
from rebalancer.plan import propose
from rebalancer.proposal import Proposal

ROUNDING = 1e-6


@dataclass(frozen=True)
class Worth:
    """A team's best plan: dollars its moves put at risk, what is left above limits, and what that exposes.

    `uncertain`: dollars by which a better plan could still expose less; infinite where the overload is not proven
    least. Figures are NaN where there is no plan.
    """

    status: str
    proven: bool
    at_risk: float
    uncovered_units: float
    uncovered_arr: float
    cover: float
    uncertain: float

    @property
    def exposure(self) -> float:
        """Revenue at risk of the moves, and what counts of the uncovered ARR."""
        return self.at_risk + self.cover

    @property
    def planned(self) -> bool:
        """The team has a plan."""
        return bool(np.isfinite(self.exposure))

    def figures(self) -> dict[str, object]:
        """The columns of a row."""
        names = ("status", "proven", "at_risk", "uncovered_units", "uncovered_arr", "exposure")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Solve:
    """A book to solve with a model, in so many seconds with so many cores (None: all)."""

    book: Book
    model: CoverageModel
    time_limit: float
    workers: int | None


def solved(solve: Solve) -> Worth:
    """The best plan of a book in the time, in dollars; a team that can't have a plan has a status that says so."""
    limits: dict[str, Any] = {"time_limit": solve.time_limit, "workers": solve.workers}
    try:
        plan = propose(solve.book, solve.model, measure="revenue_at_risk", **limits)
    except (InvalidInput, NoLegalPlan):
        return _without("impossible")
    except NoPlanInTime:
        return _without("no plan in the time")
    units, arr = uncovered(plan)
    at_risk = float(plan.record["disruption"]["revenue_at_risk"])
    cover = float(solve.model.sizing.uncovered_loss) * arr
    doubt = _uncertain(plan)
    return Worth(plan.status, doubt == 0, at_risk, units, arr, cover, doubt)


def _uncertain(plan: Proposal) -> float:
    overload, disruption = plan.level("overload"), plan.level("disruption")
    if overload is not None and overload["value"] > 0 and overload["proof"] is None:
        return np.inf
    assert disruption is not None
    if disruption["proof"] is not None:
        return 0.0
    return np.inf if disruption["bound"] is None else float(disruption["value"] - disruption["bound"])


def _without(status: str) -> Worth:
    return Worth(status, False, np.nan, np.nan, np.nan, np.nan, np.nan)


def uncovered(plan: Proposal) -> tuple[float, float]:
    """Units above the limits that books end with, and the dollars of ARR that are their share of those books."""
    books = plan.books
    limit = books["capacity"] * float(plan.model.limits.target)
    beyond = (books["units_after"] - limit).clip(lower=0).where(books["units_after"] > 0, 0.0)
    beyond = beyond.where(beyond > ROUNDING, 0.0)
    share = beyond / books["units_after"].where(books["units_after"] > 0, 1.0)
    return float(beyond.sum()), float((share * books["arr_after"].clip(lower=0)).sum())
