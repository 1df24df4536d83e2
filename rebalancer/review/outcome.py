"""The plan that follows from decisions, and what they cost against the run they were made on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from rebalancer.engine import Progress, Stop
from rebalancer.errors import NoLegalPlan
from rebalancer.explain.keeping import LevelChange
from rebalancer.explain.words import amount, counted, more
from rebalancer.proposal import Proposal
from rebalancer.review.again import Again, is_proven_illegal, level_changes
from rebalancer.review.apply import Decision
from rebalancer.review.cost import costs_alone
from rebalancer.rules.rule import OVERLOAD_SCALE


@dataclass(frozen=True)
class Review:
    """The answer. `decisions` has the columns of `costs_alone`; `conflict` is a set of decisions under which no legal
    plan is left, empty where there is a legal plan or none was there before the decisions either.
    """

    before: Proposal = field(repr=False)
    after: Proposal = field(repr=False)
    decisions: pd.DataFrame = field(repr=False)
    levels: tuple[LevelChange, ...]
    undecided: int
    conflict: tuple[Decision, ...] = ()

    def text(self) -> str:
        """What the decisions cost, in a planner's words."""
        kinds = self.decisions["decision"].value_counts()
        parts = [f"{int(kinds.get(kind, 0)):,} {word}" for kind, word in KINDS.items() if kinds.get(kind, 0)]
        free = f"; {counted(self.undecided, 'move')} undecided" if self.undecided else ""
        lines = [f"{counted(len(self.decisions), 'decision')}: {', '.join(parts)}{free}."]
        if self.conflict:
            return "\n".join([*lines, conflict_words(self.conflict)])
        measure = self.before.record["measure"]
        moves = [proposal.record["moves"]["accounts"] for proposal in (self.before, self.after)]
        disruption = next(level for level in self.levels if level.name == "disruption")
        sure = "proven" if all(level.proven for level in self.levels) else "in the plans found"
        extra = [more(measure, disruption.extra)] if disruption.extra else []
        overload = self.levels[0].extra / OVERLOAD_SCALE
        if overload:
            extra.insert(0, f"{abs(overload):,.4f} {'more' if overload > 0 else 'less'} overload (1 is a whole limit)")
        cost = f"{' and '.join(extra) or 'nothing more'} ({sure})"
        lines.append(
            f"They cost {cost}: {amount(measure, disruption.run_value)} -> {amount(measure, disruption.kept_value)}, "
            f"{moves[0]:,} -> {counted(moves[1], 'move')}."
        )
        return "\n".join(lines)


KINDS = {"approve": "approved", "keep": "kept where they are", "override": "given to another AM"}
SHOWN = 10


def conflict_words(conflict: Sequence[Decision]) -> str:
    """Which decisions can't be kept together."""
    named = "; ".join(str(decision) for decision in conflict[:SHOWN])
    rest = f"; and {len(conflict) - SHOWN:,} more" if len(conflict) > SHOWN else ""
    what = "This decision alone leaves" if len(conflict) == 1 else "These decisions together leave"
    return f"{what} no legal plan: {named}{rest}."


def review(
    proposal: Proposal,
    decisions: Sequence[Decision],
    *,
    time_limit: float | None = None,
    workers: int | None = None,
    price: bool = False,
    stop: Stop | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Review:
    """Propose again with the decisions as locks and fixed seats, and price them.

    The run's own book, model, scope, measure, gap and seed are used, and its time limit where none is given; the search
    for decisions that conflict may take as long once more. With `price`, each decision against the run is priced by a
    search of its own, in which it is the only one: columns priced_disruption and priced_proven.

    Raises `InvalidInput` where a decision contradicts the book, `NoLegalPlan` naming the decisions that conflict where
    they contradict hard limits, `NoPlanInTime`.
    """
    seconds = time_limit or float(proposal.record["options"]["time_limit"])
    again = Again(proposal, seconds, workers, stop or Stop())
    try:
        after = again.propose(decisions, on_progress=on_progress)
    except NoLegalPlan as error:
        conflict = again.conflict(decisions)
        raise NoLegalPlan(f"{error} {conflict_words(conflict)}" if conflict else str(error)) from None
    interrupted = after.record["stopped"] == "interrupt"
    search = proposal.legal and not after.legal and is_proven_illegal(after) and not interrupted
    plan = proposal.assignments
    decided = {decision.account_id for decision in decisions}
    undecided = int((plan["moved"] & ~plan["account_id"].isin(decided)).sum())
    costs = costs_alone(proposal, decisions)
    if price:
        costs = again.priced(costs, decisions)
    return Review(
        proposal,
        after,
        costs,
        level_changes(proposal, after),
        undecided,
        tuple(again.conflict(decisions, known=True)) if search else (),
    )
