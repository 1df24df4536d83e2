"""Tier segmentation: an AM receives only accounts of the tiers it serves."""

from __future__ import annotations

import numpy as np

from rebalancer.rules.rule import Rule
from rebalancer.snapshot import Snapshot


class TierSegmentation(Rule):
    """tier(account) in tiers(AM) for every account that comes to an AM.

    A segmented AM that names no tiers serves those of its role, else those it holds today. Other books take any tier
    unless the AM names some.
    """

    name = "tier_segmentation"

    def eligible(self, snapshot: Snapshot) -> np.ndarray:
        """By the tier of the profile."""
        served: np.ndarray = snapshot.ams.tiers[:, snapshot.profiles["tier"].to_numpy()].T
        return served
