"""A run proposed again under some of the decisions: all of them, one alone, or as many as conflict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from rebalancer.coverage import CoverageModel
from rebalancer.engine import Progress, Stop
from rebalancer.errors import InvalidInput, NoLegalPlan, NoPlanInTime
from rebalancer.explain.keep import DECIDING
from rebalancer.explain.keeping import LevelChange
from rebalancer.plan import propose
from rebalancer.proposal import Proposal
from rebalancer.review.apply import Decision, with_decisions
from rebalancer.review.conflict import Clock, smallest_conflict

PROBE_SECONDS = 10.0
"""The most that one question of the search for conflicts may take."""

LEAST_SECONDS = 0.1
"""Below that a question is not asked."""

ANY_PLAN = 0.99
"""The gap at which such a question stops: whether a legal plan exists is all it asks."""


@dataclass(frozen=True)
class Again:
    """Proposals with the run's own book, model and options. `seconds` is the time for one of them."""

    run: Proposal
    seconds: float
    workers: int | None
    stop: Stop

    def propose(
        self,
        decisions: Sequence[Decision],
        on_progress: Callable[[Progress], None] | None = None,
        *,
        model: CoverageModel | None = None,
        seconds: float | None = None,
        gap: float | None = None,
    ) -> Proposal:
        """The plan that keeps these decisions."""
        record = self.run.record
        options = record["options"]
        return propose(
            with_decisions(self.run.book, decisions),
            model or self.run.model,
            scope=record["scope"],
            measure=record["measure"],
            time_limit=seconds or self.seconds,
            gap=options["gap"] if gap is None else gap,
            seed=record["seed"],
            workers=self.workers,
            reproducible=options["reproducible"],
            stop=self.stop,
            on_progress=on_progress,
        )

    def priced(self, costs: pd.DataFrame, decisions: Sequence[Decision]) -> pd.DataFrame:
        """The costs with `priced_disruption`, by how much the disruption of the run rises where a decision is the only
        one (empty: no legal plan is left, or none was found), and `priced_proven` (empty: the search was interrupted).
        """
        against = set(costs.loc[costs["alone_drawback"] != "", "account_id"])
        prices = [self._price(one) if one.account_id in against else (0, True) for one in decisions]
        kinds = {"priced_disruption": "Int64", "priced_proven": "boolean"}
        priced = pd.DataFrame(prices, columns=list(kinds), dtype=object).astype(kinds)
        return pd.concat([costs, priced], axis=1)

    def _price(self, decision: Decision) -> tuple[int | None, bool | None]:
        if self.stop.requested:
            return None, None
        try:
            found = self.propose([decision], model=self._going_on())
        except (NoLegalPlan, InvalidInput):
            return None, True
        except NoPlanInTime:
            return None, None
        if self.stop.requested:
            return None, None
        if not found.legal:
            return None, is_proven_illegal(found)
        overload, disruption, *_ = level_changes(self.run, found)
        return disruption.extra, overload.proven and disruption.proven

    def conflict(self, decisions: Sequence[Decision], *, known: bool = False) -> list[Decision]:
        """A smallest set of decisions that leave no legal plan; none where that is neither `known` of all of them
        together nor can be proven.

        In the time of one proposal; where that is not enough, the set holds more than it must.
        """
        clock = Clock(self.seconds)
        if not known and not self._conflict(decisions, clock):
            return []
        order = sorted(decisions, key=lambda decision: (decision.kind == "approve", decision.row, decision.account_id))
        found = smallest_conflict(order, lambda some: self._conflict(some, clock))
        return sorted(found, key=lambda decision: (decision.row, decision.account_id))

    def _conflict(self, decisions: Sequence[Decision], clock: Clock) -> bool:
        """That no legal plan keeps them is proven."""
        seconds = min(PROBE_SECONDS, clock.left())
        if seconds < LEAST_SECONDS or self.stop.requested:
            return False
        try:
            found = self.propose(decisions, model=self._going_on(), seconds=seconds, gap=ANY_PLAN)
        except (NoLegalPlan, InvalidInput):
            return True
        except NoPlanInTime:
            return False
        return not found.legal and is_proven_illegal(found)

    def _going_on(self) -> CoverageModel:
        """The model that gives the least overload instead of stopping, so that what is proven of it can be read."""
        limits = self.run.model.limits.model_copy(update={"when_over_capacity": "plan"})
        return self.run.model.model_copy(update={"limits": limits})


def is_proven_illegal(proposal: Proposal) -> bool:
    """That no plan is legal is proven: some overload can't be avoided."""
    return bool((proposal.level("overload") or {}).get("bound"))


def level_changes(run: Proposal, kept: Proposal) -> tuple[LevelChange, ...]:
    """The levels of both that decide a plan, with what is proven of them."""
    found, known = [], True
    for name in DECIDING:
        before, after = run.level(name), kept.level(name)
        if before is None or after is None:
            continue
        run_bound, kept_bound = (before["bound"], after["bound"]) if known else (None, None)
        known = known and before["proof"] is not None and after["proof"] is not None
        found.append(LevelChange(name, before["value"], after["value"], run_bound, kept_bound, known))
    return tuple(found)
