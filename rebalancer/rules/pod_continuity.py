"""Pod continuity: how strictly AM and CSM stay together when an account moves."""

from __future__ import annotations

import numpy as np

from rebalancer.rules.rule import Arcs, Rule
from rebalancer.snapshot import NONE, Snapshot


class PodContinuity(Rule):
    """`prefer`: losing both is only priced. `never_both`: no customer loses AM and CSM at once. `hard`: a customer with
    a CSM loses both or neither. Lifted where the AM or the CSM has left, and where the planner fixed a side.
    """

    name = "pod_continuity"

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray | None:
        """By what the arc changes."""
        mode = snapshot.model.pods.continuity
        if mode == "prefer" or not snapshot.pods_active:
            return None
        accounts = snapshot.accounts
        fixed = (accounts.assign_to != NONE) | (accounts.assign_csm != NONE)
        lifted = arcs.of_accounts(snapshot.owner_departed | snapshot.csm_departed | fixed)
        if mode == "never_both":
            return lifted | ~(arcs.am_changed & arcs.csm_changed)
        return lifted | (arcs.am_changed == arcs.csm_changed) | (arcs.of_accounts(accounts.csm) == NONE)
