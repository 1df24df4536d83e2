"""Admission: the arcs that every rule admits, worked out some accounts at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rebalancer.rules.arcs import Arcs, joined, of_families, singles
from rebalancer.rules.candidates import Candidates
from rebalancer.rules.families import FamilyArcs, to_dissolve
from rebalancer.rules.rule import Rule
from rebalancer.snapshot import NONE, Snapshot


def admitted(snapshot: Snapshot, rules: tuple[Rule, ...], eligible: np.ndarray) -> Arcs:
    """All arcs that every rule admits. A family that no arc is left for is dissolved."""
    nobody = np.zeros(len(snapshot.accounts), dtype=bool)
    arcs = _with_dissolved(snapshot, rules, eligible, nobody)
    dissolved = to_dissolve(snapshot, np.bincount(arcs.account, minlength=len(nobody)) > 0)
    return _with_dissolved(snapshot, rules, eligible, dissolved) if dissolved.any() else arcs


def _with_dissolved(snapshot: Snapshot, rules: tuple[Rule, ...], eligible: np.ndarray, dissolved: np.ndarray) -> Arcs:
    families = FamilyArcs(snapshot, eligible, dissolved)
    today = _Today(snapshot, families) if dissolved.any() else None
    parts = []
    for arcs in _blocks(snapshot, families, eligible):
        for rule in rules:
            allowed = rule.allowed(snapshot, arcs)
            if allowed is not None:
                arcs = arcs.where(allowed)
        parts.append((today.kept(arcs) if today else arcs).compact())
    return joined(snapshot, parts)


def _blocks(snapshot: Snapshot, families: FamilyArcs, eligible: np.ndarray) -> Iterator[Arcs]:
    """All candidates: families first, since they tell which members go their own way."""
    for batch in families.batches():
        yield of_families(snapshot, batch)
    candidates = Candidates(snapshot, eligible)
    for accounts in candidates.blocks(families.alone):
        yield singles(snapshot, *candidates.of(accounts))


class _Today:
    """Accounts of a dissolved family keep today's seat where they may, and where the planner assigned none: their AM
    where it named a CSM.
    """

    def __init__(self, snapshot: Snapshot, families: FamilyArcs) -> None:
        accounts = snapshot.accounts
        self.stays = families.dissolved & (accounts.assign_to == NONE) & snapshot.owner_present
        self.owner, self.csm = accounts.owner, np.full(len(accounts), NONE)
        self.csm_named = accounts.assign_csm != NONE
        members = np.flatnonzero(self.stays)
        self.csm[members] = [families.csm_as_today(member) for member in members.tolist()]

    def kept(self, arcs: Arcs) -> Arcs:
        """The arcs without other seats of those accounts."""
        same_csm = (arcs.of_accounts(self.csm) == arcs.csm) | arcs.of_accounts(self.csm_named)
        today = (arcs.of_accounts(self.owner) == arcs.am) & same_csm
        stays = self.stays & (np.bincount(arcs.account[today], minlength=len(self.stays)) > 0)
        return arcs.where(~arcs.of_accounts(stays) | today)
