"""Pod continuity: how strictly AM and CSM stay together when an account moves."""

from __future__ import annotations

import numpy as np

from rebalancer.rules.rule import Arcs, Rule, unless_nothing_remains
from rebalancer.snapshot import NONE, Snapshot


class PodContinuity(Rule):
    """`prefer`: losing both is only priced. `never_both`: no customer loses AM and CSM at once. `hard`: a customer with
    a CSM loses both or neither. Lifted where the AM or the CSM has left or an AE hands over, and where the side that
    the planner fixed leaves no such seat.
    """

    name = "pod_continuity"

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray | None:
        """By what the arc changes."""
        mode = snapshot.model.pods.continuity
        if mode == "prefer" or not snapshot.pods_active:
            return None
        accounts = snapshot.accounts
        fixed = (accounts.assign_to != NONE) | (accounts.assign_csm != NONE)
        allowed = arcs.of_accounts(snapshot.owner_departed | snapshot.csm_departed | accounts.holds.due)
        if mode == "never_both":
            allowed = allowed | ~(arcs.am_changed & arcs.csm_changed)
        else:
            without = arcs.of_accounts(accounts.csm) == NONE
            allowed = allowed | without | (arcs.am_changed == arcs.csm_changed)
        return unless_nothing_remains(allowed, arcs, fixed)
