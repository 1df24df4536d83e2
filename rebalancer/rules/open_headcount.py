"""Open headcount: positions not filled yet, and people who have not started."""

from __future__ import annotations

import numpy as np

from rebalancer.rules.rule import Rule
from rebalancer.snapshot import Snapshot


class OpenHeadcount(Rule):
    """status `open`, or `starts_on` after the effective date: receives accounts only where the model's
    `headcount.open` is true, and then with its ramped capacity.
    """

    name = "open_headcount"

    def eligible(self, snapshot: Snapshot) -> np.ndarray:
        """The same for every profile."""
        takes_part = snapshot.ams.started | snapshot.model.headcount.open
        return np.broadcast_to(takes_part, (len(snapshot.profiles), len(snapshot.ams)))
