"""Refused: AMs, pools and CSMs that an account is not given to."""

from __future__ import annotations

import numpy as np

from rebalancer.rules.rule import Arcs, Rule
from rebalancer.snapshot import NONE, Snapshot


class Refused(Rule):
    """x_a = 0 for every seat that brings an account to a book that it names in `refused` (an AM, a pool, or the pool of
    an AM it names) or to a CSM that it names in `refused_csm`. Whom it has today may keep it. A family that stays
    together goes nowhere where one of its members that would come is refused (`FamilyArcs`).

    For moves that a reviewer rejected, conflicts of interest, and customers who asked. It holds where a lock would be
    lifted: when the owner or the CSM leaves.
    """

    name = "refused"

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray | None:
        """No new seat with a refused book or CSM."""
        accounts = snapshot.accounts
        if not len(accounts.refused) and not len(accounts.refused_csm):
            return None
        by_book = _admitted(arcs, arcs.am, accounts.refused, accounts.owner)
        return by_book & _admitted(arcs, arcs.csm, accounts.refused_csm, accounts.csm)


def _admitted(arcs: Arcs, to: np.ndarray, refused: np.ndarray, today: np.ndarray) -> np.ndarray:
    """The placements whose account has `to` today, or does not refuse it."""
    refusing, who = refused.T
    refuses = np.zeros(len(today), dtype=bool)
    refuses[refusing] = True
    asked = np.flatnonzero(arcs.of_accounts(refuses) & (to != NONE))
    account, someone = arcs.account[asked].astype(np.int64), to[asked].astype(np.int64)
    n = 1 + max(who.max(initial=0), someone.max(initial=0))
    admitted = np.ones(len(arcs), dtype=bool)
    admitted[asked] = (today[account] == someone) | ~np.isin(account * n + someone, refusing * n + who)
    return admitted
