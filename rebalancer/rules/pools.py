"""Pools: two or three AMs share one inbox of small accounts."""

from __future__ import annotations

import numpy as np

from rebalancer.rules.rule import Rule
from rebalancer.snapshot import Snapshot
from rebalancer.tables import TIERS


class Pools(Rule):
    """A pool is one seat with the capacity and the tags of its members together; members have no book of their own.

    Accounts of the tiers in the model's `pools.only` newly go only to a pool, where there is one. KnowMBA, "Account
    Manager Coverage": no small account is left without commercial coverage.
    """

    name = "pools"

    def eligible(self, snapshot: Snapshot) -> np.ndarray | None:
        """By the tier of the profile."""
        ams = snapshot.ams
        if not (ams.is_pool & ~ams.departed).any():
            return None
        bound = np.isin(snapshot.profiles["tier"], [TIERS.index(tier) for tier in snapshot.model.pools.only])
        return ~bound[:, None] | ams.is_pool[None, :]
