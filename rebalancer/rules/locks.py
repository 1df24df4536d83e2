"""Locks: an account that must stay, stays; a seat the planner fixed is the only one."""

from __future__ import annotations

import numpy as np

from rebalancer.rules.rule import Arcs, Rule
from rebalancer.snapshot import NONE, Snapshot


class Locks(Rule):
    """A locked account keeps its AM and CSM unless that person leaves; `assign_to` and `assign_csm` fix a side.

    A lock is manual (`lock`, until `lock_until` inclusive) or an AE hold (`ae_hold_until` inclusive, or the rule of
    the tier in `holds`). Where the hold is over, the account does not stay with its AE. What the planner fixed is not
    tested for eligibility.
    """

    name = "locks"

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray:
        """Only today's side where locked, only the named side where fixed, not today's AE where the hold is over."""
        accounts = snapshot.accounts
        handed_over = ~arcs.of_accounts(accounts.holds.due) | (arcs.of_accounts(accounts.owner) != arcs.am)
        am_fits = ~arcs.of_accounts(accounts.locked) | (arcs.of_accounts(accounts.owner) == arcs.am)
        csm_free = ~arcs.of_accounts(accounts.locked) | arcs.of_accounts(snapshot.csm_departed)
        csm_fits = csm_free | (arcs.of_accounts(accounts.csm) == arcs.csm)
        to, to_csm = arcs.of_accounts(accounts.assign_to), arcs.of_accounts(accounts.assign_csm)
        am_fits &= handed_over
        return am_fits & csm_fits & ((to == NONE) | (to == arcs.am)) & ((to_csm == NONE) | (to_csm == arcs.csm))
