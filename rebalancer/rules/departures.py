"""Departures: who has left ends with nothing."""

from __future__ import annotations

import numpy as np

from rebalancer.rules.rule import Arcs, Rule
from rebalancer.snapshot import NONE, Snapshot


class Departures(Rule):
    """No account ends with an AM or CSM whose `leaves_on` is on or before the effective date, or who is inactive."""

    name = "departures"

    def eligible(self, snapshot: Snapshot) -> np.ndarray:
        """The same for every profile."""
        return np.broadcast_to(~snapshot.ams.departed, (len(snapshot.profiles), len(snapshot.ams)))

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray | None:
        """Seats without departed people."""
        if not snapshot.pods_active:
            return None
        return (arcs.csm == NONE) | ~snapshot.csms.departed[arcs.csm]
