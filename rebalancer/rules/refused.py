"""Refused: AMs and pools that an account is not given to."""

from __future__ import annotations

import numpy as np

from rebalancer.rules.rule import Arcs, Rule
from rebalancer.snapshot import Snapshot


class Refused(Rule):
    """x_a = 0 for every seat that brings an account to a book that it names in `refused`: an AM, a pool, or the pool
    of an AM it names. Its present owner may keep it. A family that stays together goes nowhere where one of its
    members that would come is refused (`FamilyArcs`).

    For moves that a reviewer rejected, conflicts of interest, and customers who asked. It holds where a lock would be
    lifted: when the owner leaves.
    """

    name = "refused"

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray | None:
        """No new seat with a refused book."""
        accounts, n = snapshot.accounts, len(snapshot.ams)
        refusing, books = accounts.refused.T
        if not len(refusing):
            return None
        refuses = np.zeros(len(accounts), dtype=bool)
        refuses[refusing] = True
        asked = np.flatnonzero(arcs.of_accounts(refuses))
        account, am = arcs.account[asked].astype(np.int64), arcs.am[asked]
        allowed = np.ones(len(arcs), dtype=bool)
        allowed[asked] = (accounts.owner[account] == am) | ~np.isin(account * n + am, refusing * n + books)
        return allowed
