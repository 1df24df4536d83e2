"""Receiving: who may be given accounts at all."""

from __future__ import annotations

import numpy as np

from rebalancer.rules.rule import Arcs, Rule
from rebalancer.snapshot import NONE, Snapshot


class Receiving(Rule):
    """Managers, GAMs and AEs receive nothing unless the role or `ams.receives` says so; neither do people on leave.
    They keep what they hold.
    """

    name = "receiving"

    def eligible(self, snapshot: Snapshot) -> np.ndarray:
        """The same for every profile."""
        return np.broadcast_to(snapshot.ams.receiving, (len(snapshot.profiles), len(snapshot.ams)))

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray | None:
        """A new CSM has started and has not left, unless the planner named it."""
        if not snapshot.pods_active:
            return None
        accounts = snapshot.accounts
        kept = (arcs.csm == NONE) | (arcs.csm == arcs.of_accounts(accounts.csm))
        return kept | snapshot.csms.receives[arcs.csm] | (arcs.csm == arcs.of_accounts(accounts.assign_csm))
