"""Fatigue: a customer whose AM changed lately is spared another change."""

from __future__ import annotations

import numpy as np

from rebalancer.rules.rule import Arcs, Rule
from rebalancer.snapshot import NONE, Snapshot


class Fatigue(Rule):
    """At most one change of owner within N quarters, from the table `history`; off unless the model sets N.

    Lifted where the owner has left and where the planner named another AM.
    """

    name = "fatigue"

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray | None:
        """No change of AM for accounts that had one."""
        accounts = snapshot.accounts
        if not accounts.fatigued.any():
            return None
        spared = arcs.of_accounts(accounts.fatigued & (accounts.assign_to == NONE))
        return ~(spared & arcs.am_changed)
