"""Rebuilt: the Problem of a proposal, made anew from its own book, and the plan in its terms."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rebalancer.proposal import Proposal
from rebalancer.rules import RULES
from rebalancer.rules.formulation import Formulation, formulate
from rebalancer.snapshot import take_snapshot


def formulation_of(proposal: Proposal) -> Formulation:
    """What all rules made of the proposal's own book."""
    record = proposal.record
    return formulate(take_snapshot(proposal.book, proposal.model, record["scope"], record["measure"]), RULES)


def chosen_arcs(formulation: Formulation, plan: pd.DataFrame) -> np.ndarray:
    """The arc of each group under a plan with columns account_id, to_am and to_csm; -1 where no rule admits it."""
    arcs, snapshot = formulation.arcs, formulation.snapshot
    mine = plan.set_index("account_id").loc[list(snapshot.accounts.ids)]
    am = snapshot.ams.numbers(mine["to_am"])
    csm = pd.Index(snapshot.csms.ids).get_indexer(pd.Index(mine["to_csm"]))
    if not snapshot.pods_active:
        csm = np.full(len(mine), -1)
    fits = arcs.all_of_arc((am[arcs.account] == arcs.am) & (csm[arcs.account] == arcs.csm))
    chosen = np.full(len(formulation.problem.groups), -1)
    chosen[arcs.group[fits]] = np.flatnonzero(fits)
    return chosen
