"""What each decision costs by itself: the seat it asks for, all other accounts as planned."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from rebalancer.alternatives import Alternatives
from rebalancer.proposal import Proposal
from rebalancer.rebuilt import chosen_arcs, formulation_of
from rebalancer.review.apply import Decision

COLUMNS = ["account_id", "decision", "am_id", "comment", "row", "alone_overload", "alone_disruption", "alone_drawback"]


def costs_alone(proposal: Proposal, decisions: Sequence[Decision]) -> pd.DataFrame:
    """`COLUMNS`, a row per decision: what it adds to the levels of the run, empty where no rule admits the seat.

    A decision that agrees with the run costs nothing. Amounts are those of the levels: `disruption` in dollars,
    accounts or hundredths of units, by the measure.
    """
    plan = proposal.assignments.set_index("account_id")["to_am"]
    others = [decision for decision in decisions if plan[decision.account_id] != decision.am_id]
    found = _alternatives(proposal, others)
    rows = []
    for decision in decisions:
        agreed = plan[decision.account_id] == decision.am_id
        cost = (0, 0, "") if agreed else found.get(decision.account_id, (None, None, "no rule admits it by itself"))
        rows.append((decision.account_id, decision.kind, decision.am_id, decision.comment, decision.row, *cost))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype({"alone_overload": "Int64", "alone_disruption": "Int64", "row": "int64"})


def _alternatives(proposal: Proposal, decisions: Sequence[Decision]) -> dict[str, tuple[int, int, str]]:
    if not decisions:
        return {}
    formulation = formulation_of(proposal)
    chosen = chosen_arcs(formulation, proposal.assignments)
    if (chosen < 0).any():  # a run of another version
        return {}
    snapshot = formulation.snapshot
    place = {account: index for index, account in enumerate(snapshot.accounts.ids)}
    others = Alternatives(formulation, chosen, [place[decision.account_id] for decision in decisions])
    found = {}
    for decision in decisions:
        book = snapshot.ams.of_person.get(decision.am_id)
        seats = [seat for seat in others.of(place[decision.account_id]) if seat.am == book]
        if seats:
            best = seats[0]
            found[decision.account_id] = (best.extra[0], best.extra[1], others.drawback(best))
    return found
