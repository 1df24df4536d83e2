"""Pods: an account's AM and CSM belong to the same named team."""

from __future__ import annotations

import numpy as np

from rebalancer.rules.rule import Arcs, Rule, unless_nothing_remains
from rebalancer.snapshot import NONE, Snapshot


class Pods(Rule):
    """(AM, CSM) in pods for every seat that is not today's. (AM, none) only where the AM has no pod or the account
    has no CSM; an account without a CSM is given none but the one the planner named. Where no pod can hold a CSM that
    the planner named, the planner's word wins.
    """

    name = "pods"

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray | None:
        """By the pair of the seat."""
        if not snapshot.pods_active:
            return None
        accounts, pairs = snapshot.accounts, snapshot.pod_pairs
        has_pod = np.zeros(len(snapshot.ams), dtype=bool)
        has_pod[pairs[snapshot.csms.receives[pairs[:, 1]], 0]] = True
        n = len(snapshot.csms)
        in_pod = np.isin(arcs.am * n + arcs.csm, pairs[:, 0] * n + pairs[:, 1])
        without = arcs.of_accounts(accounts.csm) == NONE
        named = arcs.of_accounts(accounts.assign_csm)
        alone = (arcs.csm == NONE) & (without | ~has_pod[arcs.am])
        together = (arcs.csm != NONE) & in_pod & (~without | (arcs.csm == named))
        allowed = alone | together | (arcs.as_today & arcs.of_accounts(snapshot.may_stay))
        return unless_nothing_remains(allowed, arcs, accounts.assign_csm != NONE)
